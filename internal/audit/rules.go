package audit

import (
	"fmt"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/owner"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
)

// subject is the container being judged.
type subject struct {
	c       dropcap.Container
	host    dropcap.Host
	level   dropcap.Level
	kept    caps.Set
	waivers *policy.Waivers
	support *evidence.Support // nil without evidence
	changes []dropcap.Change
}

// findings applies the rules by weight. The sets of net-raw, added and unneeded
// do not overlap; each is split if a waiver covers only a part of it.
func (x subject) findings() []dropcap.Finding {
	list := []dropcap.Finding{}
	list = append(list, x.wholeFinding(x.privileged())...)
	list = append(list, x.split(x.excess()&caps.Of(caps.NetRaw), x.netRaw)...)
	list = append(list, x.split(x.beyond(), x.added)...)
	list = append(list, x.split(x.unsupportedDefaults(), x.unneeded)...)
	list = append(list, x.wholeFinding(x.drift())...)
	list = append(list, x.wholeFinding(x.reverted())...)
	list = append(list, x.wholeFinding(x.inert())...)
	return append(list, x.wholeFinding(x.unseen())...)
}

// wholeFinding returns a finding that waivers accept completely or not at all.
func (x subject) wholeFinding(f *dropcap.Finding) []dropcap.Finding {
	if f == nil {
		return nil
	}
	if found := x.waivers.Match(x.c, *f); len(found) > 0 {
		f.Waiver = &found[0]
	}
	if f.Rule == dropcap.RuleDrift {
		*f = x.heldBack(*f)
	}
	return []dropcap.Finding{*f}
}

// split returns findings for the part of the set that no waiver names, with what a hold denies in
// one of its own, and one for the part of each waiver.
func (x subject) split(set caps.Set, finding func(caps.Set) dropcap.Finding) []dropcap.Finding {
	if set.Empty() {
		return nil
	}
	var list []dropcap.Finding
	open, parts := x.parts(finding(set).Rule, set)
	for _, part := range x.byHold(open) {
		list = append(list, x.heldBack(finding(part)))
	}
	for _, p := range parts {
		f := finding(p.caps)
		f.Waiver = &p.waiver
		list = append(list, f)
	}
	return list
}

// configured returns what the configuration grants, whether processes hold it now or can regain it.
// If that cannot be predicted, it returns what they hold; false if that is unknown, too.
func (x subject) configured() (caps.Set, bool) {
	if x.c.Predicted != nil {
		return *x.c.Predicted, true
	}
	if held := x.c.Holds(); held != nil {
		return *held, true
	}
	return 0, false
}

// regained says that what processes gave up is no protection; empty if they hold the whole set.
func (x subject) regained(set caps.Set) string {
	gone := set & x.c.GaveUp()
	which := gone.Short()
	switch {
	case gone.Empty():
		return ""
	case gone == set:
		which = them(set)
	}
	s := fmt.Sprintf("its processes gave %s up, but a restart, an exec or a health check gets %s "+
		"back", which, them(gone))
	if x.host.GrantableFrom == "assumed" && (x.c.Declared.Privileged ||
		caps.ListsAll(x.c.Declared.Add)) {
		s += " (as far as it is known what ALL means to this engine)"
	}
	return s
}

// also joins a finding's sentence with the one about the part that was given up.
func also(found, regained string) string {
	if regained == "" {
		return found
	}
	return found + "; " + regained
}

func (x subject) privileged() *dropcap.Finding {
	if !x.c.Declared.Privileged {
		return nil
	}
	has, _ := x.configured()
	const because = "it is privileged: every capability of the engine, all devices, and no " +
		"seccomp, AppArmor or masked paths"
	return &dropcap.Finding{
		Rule: dropcap.RulePrivileged, Severity: caps.Critical, Caps: has,
		Because: also(because, x.regained(has)), Fix: owner.FixPrivileged(x.c),
	}
}

// excess returns what the configuration grants and policy does not keep; empty for a privileged
// container, which has its own rule.
func (x subject) excess() caps.Set {
	has, ok := x.configured()
	if !ok || x.c.Declared.Privileged {
		return 0
	}
	return has.Minus(x.kept)
}

func (x subject) netRaw(set caps.Set) dropcap.Finding {
	because := "it can forge packets, and nothing says that it needs to"
	if again := x.regained(set); again != "" {
		because = again + ", and nothing says that it needs to forge packets"
	}
	return dropcap.Finding{
		Rule: dropcap.RuleNetRaw, Severity: set.Severity(), Caps: set,
		Because: x.source(set) + ": " + because, Fix: x.fix(set),
	}
}

// beyond returns what a container may not hold without a reason at level cis: all except the
// benchmark's defaults that this engine grants, too.
func (x subject) beyond() caps.Set {
	defaults := caps.DockerDefaults
	if x.host.Defaults != nil {
		defaults &= *x.host.Defaults
	}
	return x.excess().Minus(defaults | caps.Of(caps.NetRaw))
}

func (x subject) added(set caps.Set) dropcap.Finding {
	return dropcap.Finding{
		Rule: dropcap.RuleAdded, Severity: set.Severity(), Caps: set,
		Because: also(fmt.Sprintf("%s, beyond the defaults, and nothing says that it needs %s",
			x.source(set), them(set)), x.regained(set)),
		Fix: x.fix(set),
	}
}

// unsupportedDefaults returns what remains to be judged at level least: the defaults that nothing
// supports.
func (x subject) unsupportedDefaults() caps.Set {
	if x.level != dropcap.LevelLeast {
		return 0
	}
	return x.excess().Minus(x.beyond() | caps.Of(caps.NetRaw))
}

func (x subject) unneeded(set caps.Set) dropcap.Finding {
	return dropcap.Finding{
		Rule: dropcap.RuleUnneeded, Severity: set.Severity(), Caps: set,
		Because: also(fmt.Sprintf("%s, and %s", x.source(set), x.unsupported(set)),
			x.regained(set)),
		Fix: x.fix(set),
	}
}

// unsupported says what is known about capabilities that nothing supports.
func (x subject) unsupported(set caps.Set) string {
	if x.support == nil {
		return fmt.Sprintf("no evidence or policy supports %s", them(set))
	}
	return fmt.Sprintf("the container was not seen to need %s: %s", them(set), x.support.Because)
}

// drift reports the first process that holds more than the engine granted.
func (x subject) drift() *dropcap.Finding {
	held := x.c.Kernel.Holds()
	if !x.c.Kernel.Visible || held == nil || x.c.Predicted == nil {
		return nil
	}
	more := held.Minus(*x.c.Predicted)
	if more.Empty() {
		return nil
	}
	f := dropcap.Finding{
		Rule: dropcap.RuleDrift, Severity: more.Severity().Worse(caps.Medium), Caps: more,
		Because: fmt.Sprintf("its processes hold %s, which its configuration does not grant",
			more.Short()),
		Fix: "restart the container, so that it holds what it declares: " + owner.Restart(x.c),
	}
	p, ok := x.holder(more)
	if !ok {
		return &f
	}
	who := fmt.Sprintf("process %d (%s)", first(p.PIDs), plain(p.Comm))
	switch p.Origin {
	case dropcap.OriginExecPrivileged:
		f.Because = fmt.Sprintf("%s came by `docker exec --privileged` and holds %s beyond what "+
			"the container is granted", who, more.Short())
		f.Fix = fmt.Sprintf("end that exec: sudo kill %d", first(p.PIDs))
	case dropcap.OriginExec:
		f.Because = fmt.Sprintf("%s came by `docker exec` and holds %s beyond what the container "+
			"is granted", who, more.Short())
		f.Fix = fmt.Sprintf("end that exec: sudo kill %d", first(p.PIDs))
	default:
		f.Because = fmt.Sprintf("%s holds %s, which the container's configuration does not grant",
			who, more.Short())
	}
	return &f
}

// holder returns the process entry that holds the most of the set.
func (x subject) holder(set caps.Set) (dropcap.Process, bool) {
	best, most := dropcap.Process{}, 0
	for _, p := range x.c.Kernel.Processes {
		if p.UserNS == dropcap.UserNSNested {
			continue
		}
		held, _ := p.Holds() // of a document with an invalid mask, the others count
		if n := (held & set).Len(); n > most {
			best, most = p, n
		}
	}
	return best, most > 0
}

// inert reports a declared drop without effect: its author relies on a protection that does not
// exist.
func (x subject) inert() *dropcap.Finding {
	set, why := inertDrops(x.c.Declared)
	if why == "" {
		return nil
	}
	f := dropcap.Finding{Rule: dropcap.RuleInert, Severity: caps.Low, Caps: set, Because: why,
		Fix: x.fixInert(set)}
	if set.Empty() { // ALL: it is about everything that the container has
		f.Caps, _ = x.configured()
	}
	return &f
}

func (x subject) unseen() *dropcap.Finding {
	f := dropcap.Finding{
		Rule: dropcap.RuleUnseen, Severity: caps.Medium, Caps: 0,
		Fix: "run dropcap as root on the engine's own host; `dropcap doctor` says what is missing",
	}
	if why := whyUnseen(x.c); why != "" {
		f.Because = "what it holds could not be seen: " + why
	} else if why := whyUnpredicted(x.c); why != "" {
		f.Because = "what its configuration grants at a restart, an exec or a health check is " +
			"not known: " + plain(why)
	} else {
		return nil
	}
	if x.c.Unread != "" {
		f.Fix = "see what docker inspect " + printable.Shell(x.c.Name) +
			" says, and make it again without what cannot be read"
	}
	return &f
}

func first(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	return pids[0]
}

func them(s caps.Set) string {
	if s.Len() == 1 {
		return "it"
	}
	return "them"
}
