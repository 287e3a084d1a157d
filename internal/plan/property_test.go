package plan_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/audit"
	"dropcap/internal/plan"
)

// hosts of every kind: what ALL means differs, and one lacks NET_RAW itself.
func hosts() []dropcap.Host {
	legacy, all, poor := caps.DockerLegacyKnown, caps.UpTo(caps.Last),
		caps.DockerDefaults.Minus(caps.Of(caps.Mknod))|caps.Of(caps.SysTime)
	var list []dropcap.Host
	for _, grantable := range []caps.Set{legacy, all, poor} {
		h := host()
		h.Grantable = &grantable
		list = append(list, h)
	}
	return list
}

// anyDeclared makes up lists as clients leave them: any case, with and without prefix, twice, ALL.
func anyDeclared(r *rand.Rand) dropcap.Declared {
	pool := []caps.Cap{caps.NetRaw, caps.NetAdmin, caps.SysTime, caps.Chown, caps.Setuid,
		caps.Mknod, caps.SysPtrace, caps.NetBindService, caps.Kill}
	names := func(n int) []string {
		var l []string
		for range r.Intn(n + 1) {
			c := pool[r.Intn(len(pool))]
			l = append(l, []string{c.String(), c.Short(), strings.ToLower(c.Short()),
				strings.ToLower(c.String())}[r.Intn(4)])
		}
		if r.Intn(4) == 0 {
			l = append(l, []string{"ALL", "all"}[r.Intn(2)])
		}
		return l
	}
	return dropcap.Declared{Privileged: r.Intn(6) == 0, Add: names(4), Drop: names(3)}
}

// anySet has each capability with a chance of a quarter.
func anySet(r *rand.Rand) caps.Set {
	var set caps.Set
	for c := range caps.Last + 1 {
		if r.Intn(4) == 0 {
			set |= caps.Of(c)
		}
	}
	return set
}

func anyInput(r *rand.Rand) (plan.Input, bool) {
	h := hosts()[r.Intn(3)]
	c := container("web", dropcap.Declared{})
	c.Declared = anyDeclared(r)
	set, err := caps.Grants{Defaults: *h.Defaults, All: *h.Grantable}.Predict(c.Declared)
	if err != nil {
		return plan.Input{}, false
	}
	if r.Intn(3) == 0 { // the engine's own process lacks something
		set &= *h.Grantable
	}
	c.Predicted, c.Kernel.Bounding = &set, &set
	in := plan.Input{
		Host: h, Now: now, Subjects: []plan.Subject{subject(c)},
		Policy: dropcap.Policy{Level: []dropcap.Level{dropcap.LevelCIS,
			dropcap.LevelLeast}[r.Intn(2)]},
		Options: plan.Options{AcceptLow: r.Intn(3) == 0, Deprivilege: r.Intn(2) == 0},
	}
	if r.Intn(3) > 0 {
		held := set | anySet(r)
		if r.Intn(3) == 0 {
			held = anySet(r)
		}
		level := []string{dropcap.ConfidenceLow, dropcap.ConfidenceMedium,
			dropcap.ConfidenceHigh}[r.Intn(3)]
		in.Evidence = []dropcap.WorkloadEvidence{evidence(c, held, anySet(r)&held, level)}
	}
	if r.Intn(3) == 0 {
		in.Policy.Keeps = []dropcap.Keep{{Caps: anySet(r), Reason: "kept"}}
	}
	if r.Intn(4) == 0 {
		in.Policy.Waivers = []dropcap.Waiver{{Caps: anySet(r), Owner: "o", Reason: "r",
			Expires: now.Add(time.Hour)}}
	}
	return in, true
}

// Whatever is declared, on whatever engine, with whatever evidence: a plan only takes away, its
// declaration does what it says, nothing needed goes, and the same plan of the result changes
// nothing.
func TestAPlanOnlyTakesAway(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	changed := 0
	for i := range 5000 {
		in, ok := anyInput(r)
		if !ok {
			continue
		}
		s := step(t, in)
		if s.Changes() {
			changed++
		}
		if bad := wrong(in, s); bad != "" {
			t.Fatalf("%d: %s\nhost %s declared %+v level %s options %+v\nstep %+v", i, bad,
				in.Host.Grantable, in.Subjects[0].Container.Declared, in.Policy.Level, in.Options,
				s)
		}
	}
	if changed < 1500 {
		t.Errorf("only %d plans change anything: the inputs test nothing", changed)
	}
}

func wrong(in plan.Input, s dropcap.Step) string {
	c := in.Subjects[0].Container
	set, err := caps.Grants{Defaults: *in.Host.Defaults, All: *in.Host.Grantable}.Predict(
		dropcap.Declared{Privileged: s.After.Privileged, Add: s.After.CapAdd,
			Drop: s.After.CapDrop})
	kept := caps.Set(0)
	for _, x := range s.Retained {
		kept |= caps.Of(x.Cap)
	}
	switch {
	case err != nil:
		return "no engine takes what it becomes: " + err.Error()
	case s.Before.Holds != *c.Predicted:
		return "it does not begin with what is held"
	case set&s.Before.Holds != s.After.Holds:
		return fmt.Sprintf("it becomes %s, and says %s", set&s.Before.Holds, s.After.Holds)
	case !s.After.Holds.Minus(s.Before.Holds).Empty():
		return "it grants"
	case s.Before.Holds.Minus(s.After.Holds) != s.Drop:
		return "what is dropped is not what is missing afterwards"
	case !s.Before.Privileged && s.After.Privileged:
		return "it makes privileged"
	case s.Changes() && kept != s.After.Holds:
		return fmt.Sprintf("it gives reasons for %s, and keeps %s", kept, s.After.Holds)
	}
	for _, n := range slices.Concat(s.After.CapDrop, s.After.CapAdd) {
		// An engine since 23.0 refuses a name, also in the drops, that its own process does not
		// hold.
		if p, err := caps.Parse(n); err == nil && !c.Predicted.Has(p) &&
			!slices.Contains(slices.Concat(c.Declared.Drop, c.Declared.Add), n) {
			return "it names what the engine may not have: " + n
		}
	}
	for _, e := range in.Evidence {
		for _, n := range e.Needs {
			if s.Drop.Has(n.Cap) {
				return "it drops what is needed: " + n.Cap.Short()
			}
		}
	}
	for _, k := range in.Policy.Keeps {
		if s.Drop&k.Caps != 0 {
			return "it drops what policy keeps"
		}
	}
	return wrongAfterwards(in, s)
}

// wrongAfterwards looks at the container as it will be: a second plan has nothing to drop, and
// audit finds nothing that a plan could mend.
func wrongAfterwards(in plan.Input, s dropcap.Step) string {
	after := in.Subjects[0].Container
	after.Declared = dropcap.Declared{Privileged: s.After.Privileged, Add: s.After.CapAdd,
		Drop: s.After.CapDrop}
	after.Predicted, after.Kernel.Bounding = &s.After.Holds, &s.After.Holds
	var undecided caps.Set
	for _, x := range s.Retained {
		if strings.HasPrefix(x.Because, "declared") {
			undecided |= caps.Of(x.Cap)
		}
	}
	a := audit.Judge(dropcap.Snapshot{Host: in.Host, Containers: []dropcap.Container{after}},
		audit.Options{Policy: in.Policy, Evidence: in.Evidence, Partial: true, Now: now})
	for _, f := range a.Containers[0].Findings {
		lists := slices.Contains([]dropcap.Rule{dropcap.RuleNetRaw, dropcap.RuleAdded,
			dropcap.RuleUnneeded}, f.Rule)
		if lists && f.Counts() && !f.Caps.Minus(undecided).Empty() {
			return "audit still finds: " + string(f.Rule) + " " + f.Caps.Short()
		}
	}
	in.Subjects = []plan.Subject{subject(after)}
	again := plan.Make(in).Steps[0]
	if !after.Declared.Privileged && again.Drop != 0 && again.Refused == "" {
		return "the same plan drops more: " + again.Drop.Short()
	}
	return ""
}
