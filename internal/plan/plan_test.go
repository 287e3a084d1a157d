package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
)

func names(p dropcap.Plan) string {
	var l []string
	for _, s := range p.Steps {
		l = append(l, s.Container.Name)
	}
	return strings.Join(l, " ")
}

// on makes a subject that depends on others, by name.
func on(name string, others ...string) plan.Subject {
	s := subject(container(name, dropcap.Declared{}))
	for _, o := range others {
		s.DependsOn = append(s.DependsOn, container(o, dropcap.Declared{}).ID)
	}
	return s
}

func TestWhatOthersDependOnComesFirst(t *testing.T) {
	for _, c := range []struct {
		want string
		in   []plan.Subject
	}{
		{"a b c", []plan.Subject{on("c"), on("a"), on("b")}},
		{"c a b", []plan.Subject{on("a", "c"), on("b", "c", "a"), on("c")}},
		{"d c b a", []plan.Subject{on("a", "b"), on("b", "c"), on("c", "d"), on("d")}},
		{"b a", []plan.Subject{on("a", "b", "b", "a"), on("b", "a")}}, // a circle, and itself
		{"a b", []plan.Subject{on("a", "elsewhere"), on("b")}},
	} {
		p := plan.Make(plan.Input{Host: host(), Now: now, Subjects: c.in})
		if got := names(p); got != c.want {
			t.Errorf("order is %q, want %q", got, c.want)
		}
		slices.Reverse(c.in)
		if again := plan.Make(plan.Input{Host: host(), Now: now,
			Subjects: c.in}); again.ID != p.ID {
			t.Errorf("%s: the order of the subjects changes the plan", c.want)
		}
		for _, s := range p.Steps {
			if slices.Contains(s.DependsOn, s.Container.ID) ||
				len(slices.Compact(slices.Clone(s.DependsOn))) != len(s.DependsOn) {
				t.Errorf("%s depends on %q", s.Container.Name, s.DependsOn)
			}
		}
	}
}

// What the processes gave up, at start or later, the declaration goes on granting: that is what a
// plan changes.
func TestWhatWasGivenUpIsDropped(t *testing.T) {
	c := container("web", dropcap.Declared{})
	c.Kernel = dropcap.Kernel{Visible: true, Held: new(caps.Set), Bounding: new(caps.Set)}
	e := []dropcap.WorkloadEvidence{evidence(c, caps.DockerDefaults, caps.Of(caps.Chown),
		dropcap.ConfidenceHigh)}
	for level, want := range map[dropcap.Level]caps.Set{
		dropcap.LevelCIS:   caps.Of(caps.NetRaw),
		dropcap.LevelLeast: caps.DockerDefaults.Minus(caps.Of(caps.Chown)),
	} {
		in := plan.Input{Host: host(), Now: now, Evidence: e, Policy: dropcap.Policy{Level: level},
			Subjects: []plan.Subject{subject(c)}}
		if s := step(t, in); s.Drop != want || s.Refused != "" {
			t.Errorf("level %s drops %s (refused %q), want %s", level, s.Drop, s.Refused, want)
		}
	}
}

// Without a bounding set a program may still have what is permitted, beyond what it declares.
func TestHeldBeyondTheDeclarationIsWarnedOf(t *testing.T) {
	c := container("web", dropcap.Declared{})
	more := caps.Of(caps.SysAdmin)
	c.Kernel = dropcap.Kernel{Visible: true, Held: &more, Bounding: new(caps.Set), Permitted: &more}
	s := step(t, plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{subject(c)}})
	if !slices.Contains(s.Warnings, "its processes hold more than it declares now: SYS_ADMIN") {
		t.Errorf("warnings %q", s.Warnings)
	}
}

func TestEqualPlansHaveEqualIDs(t *testing.T) {
	in := scenario{}.input(dropcap.LevelCIS)
	first := plan.Make(in)
	in.Now = now.Add(time.Hour)
	if later := plan.Make(in); later.ID != first.ID || later.Created == first.Created {
		t.Errorf("an hour later the id is %s and not %s, created %s", later.ID, first.ID,
			later.Created)
	}
	if len(first.ID) != 12 {
		t.Errorf("the id %q has not 12 digits", first.ID)
	}
	for what, change := range map[string]func(*plan.Input){
		"fingerprint": func(in *plan.Input) { in.Subjects[0].Fingerprint = "other" },
		"level":       func(in *plan.Input) { in.Policy.Level = dropcap.LevelLeast },
		"host":        func(in *plan.Input) { in.Host.ID = "h2" },
		"policy":      func(in *plan.Input) { in.Policy.Digest = "sha256:x" },
		"strategy":    func(in *plan.Input) { in.Options.Strategy = dropcap.StrategyInPlace },
	} {
		in := scenario{}.input(dropcap.LevelCIS)
		change(&in)
		if plan.Make(in).ID == first.ID {
			t.Errorf("another %s gives the same id", what)
		}
	}
}

func TestStatusTellsWhatIsPending(t *testing.T) {
	change, fine := subject(container("a", dropcap.Declared{})),
		subject(container("b", declares("", "NET_RAW")))
	refused := subject(container("c", dropcap.Declared{}))
	refused.Against = func(dropcap.Strategy) []plan.Refusal {
		return []plan.Refusal{{Slug: "x", Message: "cannot", Hint: "do"}}
	}
	// What would be refused does not matter where nothing is to change.
	fineRefused := subject(container("d", declares("", "ALL")))
	fineRefused.Against = refused.Against
	for _, c := range []struct {
		want int
		in   []plan.Subject
	}{{0, nil}, {0, []plan.Subject{fine}}, {3, []plan.Subject{change, fine}},
		{7, []plan.Subject{refused, fine}}, {3, []plan.Subject{refused, change}},
		{0, []plan.Subject{fineRefused}}} {
		if got := plan.Make(plan.Input{Host: host(), Now: now, Subjects: c.in}).
			Status(); got != c.want {
			t.Errorf("status %d, want %d, of %d containers", got, c.want, len(c.in))
		}
	}
}

// What dropcap refuses, for what would be lost or because nobody knows what it needs, no printed
// command does either.
func TestARefusedStepSaysNoCommand(t *testing.T) {
	none, privileged := dropcap.Declared{}, dropcap.Declared{Privileged: true}
	rm := []plan.Refusal{{Slug: "auto-remove", Message: "cannot change web: it was made with --rm"}}
	pods := []plan.Refusal{{Slug: "podman", Message: "cannot change web: Podman tells less"}}
	for name, c := range map[string]struct {
		declared dropcap.Declared
		level    dropcap.Level
		options  plan.Options
		against  []plan.Refusal
		says     bool
	}{
		"nothing speaks against it": {declared: none, says: true},
		"made with --rm":            {declared: none, against: rm},
		"manual, nothing against":   {declared: privileged, says: true},
		"manual, made with --rm":    {declared: privileged, against: rm},
		"asked for as manual": {declared: none,
			options: plan.Options{Strategy: dropcap.StrategyManual}, against: rm},
		"Podman's": {declared: none,
			options: plan.Options{Strategy: dropcap.StrategyManual}, against: pods, says: true},
		"Podman's, with --rm": {declared: none,
			options: plan.Options{Strategy: dropcap.StrategyManual}, against: append(pods, rm...)},
		"no evidence": {declared: none, level: dropcap.LevelLeast},
		"no evidence, accepted": {declared: none, level: dropcap.LevelLeast,
			options: plan.Options{AcceptLow: true}, says: true},
		"no evidence, manual": {declared: privileged, level: dropcap.LevelLeast},
	} {
		x := subject(container("web", c.declared))
		x.Against = func(dropcap.Strategy) []plan.Refusal { return c.against }
		p := plan.Make(plan.Input{Host: host(), Now: now, Policy: dropcap.Policy{Level: c.level},
			Options: c.options, Subjects: []plan.Subject{x}})
		if by := p.Steps[0].Commands; by.Apply != "" != c.says || by.Backout != "" != c.says {
			t.Errorf("%s (refused: %q): says %q, want that it says one: %v", name,
				p.Steps[0].Refused, by.Apply, c.says)
		}
	}
}

// A plan from a file is read again: nothing of it may get lost.
func TestThePlanSurvivesItsFile(t *testing.T) {
	p := plan.Make(scenario{declared: declares("net_admin", "chown"),
		evidence: known(caps.DockerDefaults|caps.Of(caps.NetAdmin), 0,
			dropcap.ConfidenceHigh)}.input(dropcap.LevelCIS))
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back dropcap.Plan
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("it became\n%s\nof\n%s", again, b)
	}
	if back.Schema != dropcap.SchemaPlan || back.Steps[0].Drop != caps.Of(caps.NetRaw,
		caps.NetAdmin) {
		t.Errorf("schema %q, drops %s", back.Schema, back.Steps[0].Drop)
	}
}

func TestNamesThatAContainerChoosesStayInTheirPlace(t *testing.T) {
	c := container("web", dropcap.Declared{})
	c.Name = "x; rm -rf /\n\x1b[2J'"
	p := plan.Make(plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{subject(c)}})
	want := `docker stop 'x; rm -rf /??[2J'\''' &&`
	if got := p.Steps[0].Commands.Apply; !strings.HasPrefix(got, want) {
		t.Errorf("the command begins %.60q, want %q", got, want)
	}
	if shown := text(t, p); strings.ContainsAny(strings.ReplaceAll(shown, "\n", ""), "\x1b\x00") {
		t.Errorf("control characters are shown: %q", shown)
	}
}

// Podman holds by its own defaults what the lists that it tells do not explain: to edit those would
// do nothing.
func TestWhatTheListsDoNotExplainIsDeclaredAnew(t *testing.T) {
	h := host()
	h.Engine.Name = "podman"
	few := caps.Of(caps.Chown, caps.Kill)
	h.Defaults = &few
	c := container("web", dropcap.Declared{Drop: []string{"CAP_MKNOD"}})
	held := caps.Of(caps.Chown, caps.NetRaw)
	c.Predicted = &held
	s := step(t, plan.Input{Host: h, Now: now, Subjects: []plan.Subject{subject(c)}})
	if s.Drop != caps.Of(caps.NetRaw) || !slices.Equal(s.After.CapDrop, []string{"ALL"}) ||
		!slices.Equal(s.After.CapAdd, []string{"CAP_CHOWN"}) {
		t.Errorf("it drops %s and becomes %+v", s.Drop, s.After)
	}
}

// The owner makes all containers of a service again at once: to apply a step for each would be to
// do it as often.
func TestAServiceIsOneStep(t *testing.T) {
	replica := func(name string, d dropcap.Declared) plan.Subject {
		s := subject(owned(container(name, d), "compose", "shop", "web"))
		s.Source = func(dropcap.Grant) plan.Source {
			return plan.Source{Text: "a patch", Applied: true}
		}
		return s
	}
	none := dropcap.Declared{}
	in := plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{replica("w2", none),
		replica("w1", none), replica("w3", declares("CHOWN", "")),
		replica("w4", declares("", "ALL"))}}
	p := plan.Make(in)
	if got := names(p); got != "w1 w3 w4" {
		t.Errorf("the steps are of %s", got)
	}
	if !slices.Contains(p.Steps[0].Warnings,
		"its owner makes all containers of the service again, also w2") {
		t.Errorf("it does not say whom else it concerns: %q", p.Steps[0].Warnings)
	}
	in.Options.Strategy = dropcap.StrategyRecreate
	if got := names(plan.Make(in)); got != "w1 w2 w3 w4" {
		t.Errorf("one by one the steps are of %s", got)
	}
}

// What an owner would lose is carried along by re-creating the containers themselves; one of a
// service's decides for all.
func TestWhatAnOwnerWouldLoseIsCarriedAlong(t *testing.T) {
	service := func(name string, layer, recreatable bool) plan.Subject {
		s := subject(owned(container(name, dropcap.Declared{}), "compose", "shop", "web"))
		s.Source = func(dropcap.Grant) plan.Source {
			return plan.Source{Text: "a patch", Applied: true}
		}
		s.Against = func(st dropcap.Strategy) []plan.Refusal {
			if layer && (st == dropcap.StrategySource || !recreatable) {
				return []plan.Refusal{{"layer", "cannot change " + name + ": its own layer", ""}}
			}
			return nil
		}
		return s
	}
	for name, c := range map[string]struct {
		asked          dropcap.Strategy
		first          plan.Subject
		want           dropcap.Strategy
		steps, refused int
	}{
		"nothing is in a layer": {"", service("w1", false, true), dropcap.StrategySource, 1, 0},
		"one has a layer":       {"", service("w1", true, true), dropcap.StrategyRecreate, 2, 0},
		"it cannot be carried":  {"", service("w1", true, false), dropcap.StrategySource, 1, 1},
		"the source is asked for": {dropcap.StrategySource, service("w1", true, true),
			dropcap.StrategySource, 1, 1},
	} {
		in := plan.Input{Host: host(), Now: now, Options: plan.Options{Strategy: c.asked},
			Subjects: []plan.Subject{c.first, service("w2", false, true)}}
		p := plan.Make(in)
		refused := 0
		for _, s := range p.Steps {
			if s.Refused != "" {
				refused++
			}
			if s.Strategy != c.want || s.Commands.Source != "a patch" {
				t.Errorf("%s: %s by %s, with %q", name, s.Container.Name, s.Strategy,
					s.Commands.Source)
			}
		}
		if len(p.Steps) != c.steps || refused != c.refused {
			t.Errorf("%s: %d steps, %d refused", name, len(p.Steps), refused)
		}
	}
}
