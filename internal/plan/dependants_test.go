package plan_test

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/plan"
)

// lodging is vpn of a compose project, and web, which lives in its network.
func lodging(change func(vpn, web *plan.Subject, d *plan.Dependant)) []plan.Subject {
	service := func(name string) plan.Subject {
		s := subject(owned(container(name, dropcap.Declared{}), "compose", "home", name))
		s.Source = func(dropcap.Grant) plan.Source {
			return plan.Source{Text: "a patch", Applied: true}
		}
		return s
	}
	vpn, web := service("vpn"), service("web")
	sharers := plan.Refusal{Slug: "sharers", Message: "cannot change vpn: its network is web's"}
	vpn.Against = func(st dropcap.Strategy) []plan.Refusal {
		if st == dropcap.StrategyRecreate {
			return nil
		}
		return []plan.Refusal{sharers}
	}
	d := plan.Dependant{Container: web.Container, Follows: true}
	change(&vpn, &web, &d)
	vpn.Dependants = []plan.Dependant{d}
	web.DependsOn = []string{vpn.Container.ID}
	return []plan.Subject{vpn, web}
}

// What lives in a service's namespaces is made again by compose, with it; where compose would not,
// both are re-created, and where one cannot be, neither is.
func TestWhatLivesInANamespaceIsDoneWithItsProvider(t *testing.T) {
	layer := plan.Refusal{Slug: "layer", Message: "cannot change web: its own layer holds /data"}
	for name, c := range map[string]struct {
		change  func(vpn, web *plan.Subject, d *plan.Dependant)
		want    dropcap.Strategy
		refused string // of vpn
		says    string // among its warnings
	}{
		"at the source": {func(*plan.Subject, *plan.Subject, *plan.Dependant) {},
			dropcap.StrategySource, "", "since they live in its namespaces: web"},
		"compose would leave it": {func(_, _ *plan.Subject, d *plan.Dependant) {
			d.Apart = "it is of another project"
		}, dropcap.StrategyRecreate, "", "compose would not make web again with it, which lives " +
			"in its namespaces: it is of another project"},
		"compose makes it again later": {func(_, _ *plan.Subject, d *plan.Dependant) {
			d.Apart = "it does not run"
		}, dropcap.StrategyRecreate, "", "compose makes them again at its next up"},
		"it links": {func(_, _ *plan.Subject, d *plan.Dependant) {
			d.Links, d.Apart = true, "it would go on being linked to the old one"
		}, dropcap.StrategyRecreate, "", "since they link to it: web"},
		"its layer would be lost": {func(_, web *plan.Subject, _ *plan.Dependant) {
			web.Against = func(st dropcap.Strategy) []plan.Refusal {
				if st == dropcap.StrategySource {
					return []plan.Refusal{layer}
				}
				return nil
			}
		}, dropcap.StrategyRecreate, "", "compose would lose what web, which lives in its"},
		"it cannot be re-created": {func(_, _ *plan.Subject, d *plan.Dependant) {
			d.Apart = "it is of another project"
			d.Against = []plan.Refusal{{Slug: "paused", Message: "cannot change web: it is paused"}}
		}, dropcap.StrategyRecreate, "cannot change vpn with web, which lives in its namespaces: it " +
			"is paused", ""},
	} {
		p := plan.Make(plan.Input{Host: host(), Now: now, Subjects: lodging(c.change)})
		if names(p) != "vpn web" {
			t.Fatalf("%s: %s", name, names(p))
		}
		vpn, web := p.Steps[0], p.Steps[1]
		if vpn.Strategy != c.want || vpn.Refused != c.refused ||
			!strings.Contains(strings.Join(vpn.Warnings, "\n"), c.says) {
			t.Errorf("%s: %s, refused %q, warns %q", name, vpn.Strategy, vpn.Refused, vpn.Warnings)
		}
		if c.refused == "" && (web.Strategy != c.want || web.With != "vpn" || web.Refused != "") {
			t.Errorf("%s: web: %s, with %q, refused %q", name, web.Strategy, web.With, web.Refused)
		}
		if c.refused != "" && web.With != "" {
			t.Errorf("%s: web is done with vpn, which is refused", name)
		}
	}
}

// Two that one and the same container links to are one step, and so is a service of compose that
// would be changed at its source.
func TestWhatHasADependantInCommonIsOneStep(t *testing.T) {
	db, mq, app := on("db"), on("mq"), on("app", "db", "mq")
	d := plan.Dependant{Container: app.Container, Links: true}
	db.Dependants, mq.Dependants = []plan.Dependant{d}, []plan.Dependant{d}
	p := plan.Make(plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{app, mq, db}})
	got := map[string]string{}
	for _, s := range p.Steps {
		got[s.Container.Name] = s.With
	}
	if names(p) != "db mq app" || got["db"] != "" || got["mq"] != "db" || got["app"] != "db" {
		t.Errorf("%s: with %v", names(p), got)
	}

	shared := lodging(func(_, _ *plan.Subject, _ *plan.Dependant) {})
	other := on("other") // a plain container that web also uses
	other.Dependants = []plan.Dependant{{Container: shared[1].Container, Links: true}}
	p = plan.Make(plan.Input{Host: host(), Now: now, Subjects: append(shared, other)})
	with := 0
	for _, s := range p.Steps {
		if s.Strategy != dropcap.StrategyRecreate || s.Refused != "" {
			t.Errorf("%s: %s, %q", s.Container.Name, s.Strategy, s.Refused)
		}
		if s.With != "" {
			with++
		}
	}
	if with != 2 {
		t.Errorf("%d of three steps are done with another", with)
	}
}

// Over a fleet the source is asked for in vain, in place nothing is done together.
func TestNamespacesWhereNothingIsDoneTogether(t *testing.T) {
	in := plan.Input{Host: host(), Now: now,
		Subjects: lodging(func(_, _ *plan.Subject, d *plan.Dependant) { d.Apart = "no" })}
	for _, st := range []dropcap.Strategy{dropcap.StrategySource, dropcap.StrategyInPlace} {
		in.Options.Strategy = st
		if s := plan.Make(in).Steps[0]; len(s.Refusals) != 1 || s.Refusals[0].Slug != "sharers" {
			t.Errorf("%s: %+v", st, s.Refusals)
		}
	}
}

// One container of a service that is planned alone is re-created where compose would lose what
// another one of the service has written.
func TestWhatAnUnnamedPeerWouldLose(t *testing.T) {
	s := subject(owned(container("w1", dropcap.Declared{}), "compose", "shop", "web"))
	s.Source = func(dropcap.Grant) plan.Source { return plan.Source{Text: "a patch"} }
	s.Against = func(dropcap.Strategy) []plan.Refusal { return nil }
	for lose, want := range map[bool]dropcap.Strategy{false: dropcap.StrategySource,
		true: dropcap.StrategyRecreate} {
		s.PeersLose = func() bool { return lose }
		in := plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{s}}
		if got := step(t, in); got.Strategy != want || got.Refused != "" {
			t.Errorf("they lose %v: %s, %q", lose, got.Strategy, got.Refused)
		}
	}
}

// A fleet's compose projects are changed without touching a file.
func TestOverAFleetNoFileIsEdited(t *testing.T) {
	s := subject(owned(container("w1", dropcap.Declared{}), "compose", "shop", "web"))
	s.Source = func(dropcap.Grant) plan.Source { return plan.Source{Text: "a patch"} }
	s.Against = func(dropcap.Strategy) []plan.Refusal { return nil }
	in := plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{s},
		Options: plan.Options{NoFiles: true}}
	got := step(t, in)
	if got.Strategy != dropcap.StrategyRecreate || got.Refused != "" ||
		got.Commands.Source != "a patch" {
		t.Errorf("%+v", got)
	}
	in.Options.Strategy = dropcap.StrategySource
	if got := step(t, in); len(got.Refusals) != 1 || got.Refusals[0].Slug != "owner-file" {
		t.Errorf("%+v", got.Refusals)
	}
}
