package host

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
	"dropcap/internal/recreate"
)

// asked is an observer that has one answer, and knows the questions.
type asked struct {
	Silent
	answer    error
	questions []string
}

func (a *asked) Ask(_ context.Context, question string) error {
	a.questions = append(a.questions, question)
	return a.answer
}

// large is the plan of one container with 5 GiB in its layer.
func large(t *testing.T, q PlanRequest) *Planned {
	t.Helper()
	text, err := os.ReadFile("../recreate/testdata/docker20.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recreate.Original
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	o := all["networks"]
	o.Changes = json.RawMessage(`[{"Path":"/data","Kind":1}]`)
	o.Layer = &recreate.LayerFacts{Bytes: 5 << 30, Entries: 12_345, Room: 50 << 30}
	r, err := recreate.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	defaults := caps.DockerDefaults
	c := dropcap.Container{ID: r.ID(), Name: r.Name(), State: "running", Predicted: &defaults,
		Owner: dropcap.Owner{Kind: "docker"}}
	p := &Planned{recipes: map[string]*recreate.Recipe{r.ID(): r}, input: plan.Input{
		Host:     dropcap.Host{Defaults: &defaults, Grantable: &defaults},
		Subjects: []plan.Subject{subjectOf(c, o, r, q, nil)},
	}}
	p.Plan = plan.Make(p.input)
	return p
}

// A large layer is asked about once, with what it costs, and the answer counts.
func TestALargeLayerIsAskedAbout(t *testing.T) {
	for _, answer := range []error{nil, errors.New("no")} {
		q := PlanRequest{AskCarry: true, agreed: map[string]bool{}}
		p, a := large(t, q), &asked{answer: answer}
		for range 2 { // a saved plan is planned twice
			if err := p.askCarry(t.Context(), a, q); err != nil {
				t.Fatal(err)
			}
		}
		if len(a.questions) != 1 || !strings.Contains(a.questions[0], "5.0 GiB in 12345 entries") ||
			!strings.Contains(a.questions[0], "downtime") {
			t.Errorf("it asks %q", a.questions)
		}
		s := p.Plan.Steps[0]
		if (s.Refused == "") != (answer == nil) || (s.Layer != nil) != (answer == nil) {
			t.Errorf("after %v it is refused: %q; carried: %+v", answer, s.Refused, s.Layer)
		}
	}
}

// Without somebody to ask, and where more than the size speaks against it, nothing is asked.
func TestALargeLayerIsNotAskedAboutInVain(t *testing.T) {
	q := PlanRequest{agreed: map[string]bool{}}
	p, a := large(t, q), &asked{}
	if err := p.askCarry(t.Context(), a, q); err != nil || len(a.questions) > 0 {
		t.Errorf("%v, it asks %q", err, a.questions)
	}
	if s := p.Plan.Steps[0]; !strings.Contains(s.Hint, "--carry-limit 6GiB") {
		t.Errorf("the hint is %q", s.Hint)
	}
	q.AskCarry = true
	p = large(t, q)
	against := p.input.Subjects[0].Against
	p.input.Subjects[0].Against = func(st dropcap.Strategy) []plan.Refusal {
		return append(against(st),
			plan.Refusal{Slug: "paused", Message: "cannot change it: it is paused"})
	}
	p.Plan = plan.Make(p.input)
	if err := p.askCarry(t.Context(), a, q); err != nil || len(a.questions) > 0 {
		t.Errorf("%v, it asks %q", err, a.questions)
	}
}

// What the engine says of a layer's place is believed only where all layers are.
func TestALayerMustBeWhereLayersAre(t *testing.T) {
	l := &layerStore{view: "/proc/7/root"}
	const root = "/var/lib/docker/overlay2"
	for folder, fine := range map[string]bool{
		root + "/abc/diff": true, root + "/abc/work": false, root + "/diff": false,
		root + "/a/b/diff": false, "": false,
		root + "/../overlay2/abc/diff": false, root + "/abc/../../../../etc/diff": false,
		"/etc/abc/diff":   false,
		root + "/../diff": false, "overlay2/abc/diff": false, root + "/abc/diff/": false,
		root + "/a\x00c/diff": false,
		root + "-/abc/diff":   false, "//var/lib/docker/overlay2/abc/diff": false,
	} {
		got, err := l.within(folder, root, "diff")
		if (err == nil) != fine || fine && got != "/proc/7/root"+folder {
			t.Errorf("%q: %q, %v", folder, got, err)
		}
	}
	if got, err := l.within("/a/b/diff", "relative", "diff"); err == nil {
		t.Errorf("it believes %q", got)
	}
}
