package dropcap

import "dropcap/caps"

// Rule is a finding's stable slug.
type Rule string

// The rules, in the order of their weight.
const (
	RulePrivileged Rule = "privileged" // --privileged: every capability, and no confinement
	// holds CAP_NET_RAW or gets it back, and nothing says that it needs it
	RuleNetRaw Rule = "net-raw"
	RuleAdded  Rule = "added" // the same of capabilities beyond the defaults
	// level least: the same of what neither evidence nor policy supports
	RuleUnneeded Rule = "unneeded"
	RuleDrift    Rule = "drift"    // a process holds more than is predicted
	RuleReverted Rule = "reverted" // a change of ours was undone by someone
	RuleInert    Rule = "inert"    // a declaration that does nothing
	RuleUnseen   Rule = "unseen"   // what the container holds, or gets back, is not known
	RuleWaiver   Rule = "waiver"   // a waiver that is expired or matches nothing
)

// Rules lists every rule in the order of weight.
func Rules() []Rule {
	return []Rule{RulePrivileged, RuleNetRaw, RuleAdded, RuleUnneeded, RuleDrift, RuleReverted,
		RuleInert, RuleUnseen, RuleWaiver}
}

// Finding is one thing that is wrong, with the reason and the remedy.
type Finding struct {
	Rule     Rule          `json:"rule"`
	Severity caps.Severity `json:"severity"`
	Caps     caps.Set      `json:"caps"`
	Because  string        `json:"because"` // one sentence
	// one command or edit, in the owner's own language
	Fix    string  `json:"fix"`
	Waiver *Waiver `json:"waiver"`          // the waiver that accepts it; null if none does
	Known  bool    `json:"known,omitempty"` // it stands in the baseline already
	// Retained is the change that left the stopped container behind: nothing runs with what is
	// found.
	Retained string `json:"retained,omitempty"`
}

// Counts tells whether the finding makes its container fail.
func (f Finding) Counts() bool {
	return f.Waiver == nil && !f.Known && f.Retained == "" && f.Rule != RuleUnseen
}
