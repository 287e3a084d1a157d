package dropcap

import "dropcap/caps"

// Rule is a finding's stable slug.
type Rule string

// The rules, by weight.
const (
	RulePrivileged Rule = "privileged" // --privileged: every capability, and no confinement
	// holds CAP_NET_RAW or can regain it, and nothing says that it needs it
	RuleNetRaw Rule = "net-raw"
	RuleAdded  Rule = "added" // the same for capabilities beyond the defaults
	// level least: the same for what neither evidence nor policy supports
	RuleUnneeded Rule = "unneeded"
	RuleDrift    Rule = "drift"    // a process holds more than is predicted
	RuleReverted Rule = "reverted" // someone undid a change of dropcap's
	RuleInert    Rule = "inert"    // a declaration that does nothing
	RuleUnseen   Rule = "unseen"   // what the container holds, or can regain, is not known
	RuleWaiver   Rule = "waiver"   // a waiver that is expired or matches nothing
)

// Rules returns all rules by weight.
func Rules() []Rule {
	return []Rule{RulePrivileged, RuleNetRaw, RuleAdded, RuleUnneeded, RuleDrift, RuleReverted,
		RuleInert, RuleUnseen, RuleWaiver}
}

// Finding is one problem, with the reason and the remedy.
type Finding struct {
	Rule     Rule          `json:"rule"`
	Severity caps.Severity `json:"severity"`
	Caps     caps.Set      `json:"caps"`
	Because  string        `json:"because"` // one sentence
	// one command or edit, in the owner's own language
	Fix    string  `json:"fix"`
	Waiver *Waiver `json:"waiver"`          // the waiver that accepts it; null if none does
	Known  bool    `json:"known,omitempty"` // the baseline has it already
	// Retained is the change that keeps this stopped container: nothing runs with what was found.
	Retained string `json:"retained,omitempty"`
	// HeldBack is the hold by which the kernel denies all of Caps; null if there is none. Such a
	// finding counts: the container's own sets are what they are.
	HeldBack *HeldBack `json:"held_back,omitempty"`
}

// Counts reports whether the finding makes its container fail.
func (f Finding) Counts() bool {
	return f.Waiver == nil && !f.Known && f.Retained == "" && f.Rule != RuleUnseen
}

// Mitigated reports whether the finding counts, and a hold denies all that it is about.
func (f Finding) Mitigated() bool {
	return f.Counts() && f.HeldBack != nil && !f.Caps.Empty() &&
		f.Caps.Minus(f.HeldBack.Caps).Empty()
}
