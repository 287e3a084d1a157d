package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
	"dropcap/internal/render"
)

var update = flag.Bool("update", false, "write the goldens anew")

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func host() dropcap.Host {
	defaults, all := caps.DockerDefaults, caps.UpTo(caps.Last)
	return dropcap.Host{ID: "h1", Name: "box", Engine: dropcap.Engine{Name: "docker",
		Version: "29.0.0"}, Defaults: &defaults, Grantable: &all}
}

func declares(add, drop string) dropcap.Declared {
	return dropcap.Declared{Add: strings.Fields(add), Drop: strings.Fields(drop)}
}

// container makes a running one of an ordinary Docker host.
func container(name string, d dropcap.Declared) dropcap.Container {
	h := host()
	set, err := caps.Grants{Defaults: *h.Defaults, All: *h.Grantable}.Predict(d)
	if err != nil {
		panic(err)
	}
	return dropcap.Container{
		ID: fmt.Sprintf("%x", name) + strings.Repeat("0", 64-2*len(name)), Name: name,
		Image: "app:1", State: "running", PID: 10,
		Workload: "docker:" + name, Owner: dropcap.Owner{Kind: "docker"}, Declared: d,
		Predicted: &set, Revision: "sha256:1",
		Kernel: dropcap.Kernel{Visible: true, Bounding: &set},
	}
}

// owned is a container of another owner.
func owned(c dropcap.Container, kind, project, service string) dropcap.Container {
	c.Owner = dropcap.Owner{Kind: kind, Project: project, Service: service}
	c.Workload = kind + ":" + project + "/" + service
	return c
}

// subject is a container with a recipe that nothing speaks against.
func subject(c dropcap.Container) plan.Subject {
	return plan.Subject{
		Container: c, Fingerprint: "f-" + c.Name,
		Inspect: json.RawMessage(`{"HostConfig":{"RestartPolicy":{"Name":"always"}}}`),
		Notes:   []string{"logs start afresh"},
		Command: func(g dropcap.Grant) plan.Command {
			return plan.Command{Line: "docker run --detach --name " + c.Name +
				strings.Join(append([]string{""}, g.CapDrop...), " --cap-drop=") + " app:1"}
		},
	}
}

// evidence of a container's workload: required is needed, and the rest of held was not.
func evidence(c dropcap.Container, held, required caps.Set, level string) dropcap.WorkloadEvidence {
	e := dropcap.WorkloadEvidence{Workload: c.Workload, Revision: c.Revision, Held: held}
	s := dropcap.Source{Container: c.ID, Since: "2026-06-01T00:00:00Z",
		Until: "2026-06-01T02:00:00Z", Seconds: 7200}
	s.Host.ID = "h1"
	if level != dropcap.ConfidenceLow {
		s.StartsCold = 1
	}
	if level == dropcap.ConfidenceHigh {
		s.StartsWarm, s.Stops = 1, 1
	}
	e.Sources = []dropcap.Source{s}
	for _, r := range required.List() {
		e.Needs = append(e.Needs, dropcap.Need{
			Cap: r, Outcome: dropcap.Granted, Class: dropcap.Decisive, Count: 3, Sources: 1,
			Because: "the call fails without it",
			By: []dropcap.By{{Exe: "/bin/app", ExeFrom: "image", Syscall: "setgroups", Site: "s",
				Phase: dropcap.PhaseStart, Count: 3}},
		})
	}
	return e
}

func text(t testing.TB, p dropcap.Plan) string {
	t.Helper()
	p.ID = "0123456789ab" // which changes with every word
	var b bytes.Buffer
	if err := render.Plan(&b, "text", p, render.Options{Details: true}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		i := 0
		for i < min(len(g), len(w))-1 && g[i] == w[i] {
			i++
		}
		t.Errorf("%s differs from its golden (rewrite it with -update) in line %d:\n%s\nwant:\n%s",
			name, i+1, g[i], w[i])
	}
}

// step plans one container alone.
func step(t *testing.T, in plan.Input) dropcap.Step {
	t.Helper()
	p := plan.Make(in)
	if len(p.Steps) != 1 {
		t.Fatalf("%d steps, want one", len(p.Steps))
	}
	return p.Steps[0]
}
