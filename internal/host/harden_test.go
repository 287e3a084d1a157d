package host

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/learn"
	"dropcap/internal/policy"
	"dropcap/internal/store"
)

func workloadsOf(d dropcap.Hardenings) (list []string) {
	for _, h := range d.Hardenings {
		list = append(list, h.Workload+" "+string(h.State))
	}
	return list
}

func TestHardeningsAreAskedForAndLed(t *testing.T) {
	e := fake.Start(t, fake.Options{Kernel: kernelRelease(t)})
	for _, name := range []string{"web", "db"} {
		e.Add(fake.Container{Name: name, State: "running"})
	}
	h, _ := learningHost(t, e)
	set := dropcap.UsualHardening()
	if _, err := h.Harden(t.Context(), HardenRequest{Names: []string{"wbe"},
		Settings: set}); err == nil {
		t.Error("a container that there is not is hardened")
	}
	doc, err := h.Harden(t.Context(), HardenRequest{Names: []string{"web"}, Settings: set})
	if err != nil || !slices.Equal(workloadsOf(doc), []string{"docker:web learning"}) {
		t.Fatal(workloadsOf(doc), err)
	}
	if doc, err = h.Harden(t.Context(), HardenRequest{All: true, Settings: set}); err != nil ||
		len(doc.Hardenings) != 2 {
		t.Fatal(workloadsOf(doc), err)
	}
	if doc, err = h.HardenWished(t.Context(), []string{"web"}, HardenPause); err != nil ||
		!slices.Equal(workloadsOf(doc), []string{"docker:web paused"}) {
		t.Fatal(workloadsOf(doc), err)
	}
	_, err = h.HardenWished(t.Context(), []string{"db"}, HardenApprove)
	if err == nil || !strings.Contains(err.Error(), "waits for no approval") {
		t.Errorf("approved: %v", err)
	}
	if doc, err = h.HardenWished(t.Context(), nil, HardenResume); err != nil ||
		!slices.Equal(workloadsOf(doc), []string{"docker:web learning"}) {
		t.Errorf("all that can be resumed: %v, %v", workloadsOf(doc), err)
	}
	if doc, err = h.Hardenings(t.Context(), nil); err != nil || !slices.Equal(workloadsOf(doc),
		[]string{"docker:db learning", "docker:web learning"}) {
		t.Errorf("%v, %v", workloadsOf(doc), err)
	}
	for _, r := range e.Requests() {
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
			t.Errorf("it did %s", r)
		}
	}
}

// world is a host without a service, as hardenings see it.
func world(t *testing.T, e *fake.Engine, p dropcap.Policy) *hardening {
	t.Helper()
	h, _ := learningHost(t, e)
	s, err := h.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	kept, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	w := newHardening(h, s, kept, p, "h")
	w.trials = &hardenTrials{host: h, why: "not here"}
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestThePolicyHardensWhatItSelectsAndNobodyStopped(t *testing.T) {
	e := fake.Start(t, fake.Options{Kernel: kernelRelease(t)})
	for _, name := range []string{"web-1", "web-2", "db"} {
		e.Add(fake.Container{Name: name, State: "running"})
	}
	p, err := policy.Parse("p", []byte("harden:\n  - containers: {name: web-*}\n    learn: 7d\n"))
	if err != nil {
		t.Fatal(err)
	}
	w := world(t, e, p)
	stopped := dropcap.Hardening{Workload: "docker:web-1", State: dropcap.HardenStopped}
	if _, err := w.kept.KeepHardening(t.Context(), nil, stopped); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		list, err := w.kept.Hardenings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.byPolicy(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.kept.Hardenings(t.Context())
	if err != nil || len(list) != 2 || list[0].State != dropcap.HardenStopped ||
		list[1].Workload != "docker:web-2" || !list[1].Policy || list[1].Settings.Learn != 7*86400 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The engine is asked about nothing as long as nothing happens.
func TestAQuietHostIsNotAskedAgain(t *testing.T) {
	e := fake.Start(t, fake.Options{Kernel: kernelRelease(t)})
	id := e.Add(fake.Container{Name: "web", State: "running"})
	w := world(t, e, policy.BuiltIn())
	v, err := w.Look(t.Context(), dropcap.Hardening{Workload: "docker:web"})
	if err != nil || v.Running != 1 || v.Holds != caps.DockerDefaults || v.Revision == "" ||
		!slices.Equal(v.Containers, []string{"web"}) || v.CannotTry != "not here" {
		t.Fatalf("%+v, %v", v, err)
	}
	asked := len(e.Requests())
	for range 3 {
		if err := w.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(e.Requests()); n != asked {
		t.Errorf("%d requests while nothing happened", n-asked)
	}
	w.heard(docker.Event{Action: "update", ID: id})
	if err := w.Refresh(t.Context()); err != nil || len(e.Requests()) == asked {
		t.Errorf("an event leads to no look: %v", err)
	}
}

// One that was restarted by its policy runs, and shows no exit status any more.
func TestACrashIsNotForgottenByTheRestart(t *testing.T) {
	for exit, want := range map[string]bool{"1": true, "139": true, "0": false, "143": false} {
		e := fake.Start(t, fake.Options{Kernel: kernelRelease(t)})
		id := e.Add(fake.Container{Name: "web", State: "running",
			Details: map[string]any{"RestartCount": 1}})
		w := world(t, e, policy.BuiltIn())
		w.heard(docker.Event{Action: "die", ID: id, Exit: exit})
		v, err := w.Look(t.Context(), dropcap.Hardening{Workload: "docker:web",
			State: dropcap.HardenWatching})
		if err != nil || (v.Unwell != "") != want {
			t.Errorf("exit status %s: unwell %q, %v", exit, v.Unwell, err)
		}
	}
}

// What the tracer of the recording reads of a watched container is judged like apply's gate.
func TestADenialAfterTheChangeIsFound(t *testing.T) {
	w := world(t, fake.Start(t, fake.Options{Kernel: kernelRelease(t)}), policy.BuiltIn())
	id, evil := strings.Repeat("a", 64), strings.Repeat("b", 64)
	check := func(cgroup uint64, c caps.Cap) dropcap.KernelCheck {
		return dropcap.KernelCheck{Cgroup: cgroup, Cap: c, OwnCred: true,
			Reach: dropcap.ReachOwn, Origin: dropcap.OriginInit, Syscall: "chown",
			Frames: []string{"chown_ok", "notify_change"}, Count: 1,
			Exe: dropcap.Executable{Path: "/bin/chown"}}
	}
	w.denied.only(map[string]docker.Listed{id: {}, evil: {}})
	tap := w.denied.tap(fakeTracer{ // the host itself is in a container of another engine's
		seen: []learn.Sighting{{Cgroup: 1, Name: strings.Repeat("c", 64)},
			{Cgroup: 7, Name: "docker-" + id + ".scope", Ancestors: []uint64{1}},
			{Cgroup: 8, Name: evil, Ancestors: []uint64{1}},
			{Cgroup: 9, Name: id, Ancestors: []uint64{8, 1}}},
		checks: []dropcap.KernelCheck{check(7, caps.Chown), check(9, caps.Kill)},
	})
	h := dropcap.Hardening{Workload: "docker:web", Change: "c1",
		Dropped: caps.Of(caps.Chown, caps.Kill)}
	ask := func() (string, caps.Set) {
		t.Helper()
		why, missed, err := w.denied.of(t.Context(), w.kept, id, h, "2026-01-02T00:00:00Z")
		if err != nil {
			t.Fatal(err)
		}
		return why, missed
	}
	// What the store has of it was recorded after the change, by a service that has ended since.
	denied := dropcap.WorkloadEvidence{Workload: "docker:web", Revision: "r",
		Held: caps.DockerDefaults, Needs: []dropcap.Need{{Cap: caps.Chown,
			Outcome: dropcap.Denied, Class: dropcap.Decisive, First: "2026-01-02T00:00:01Z",
			By: []dropcap.By{{Exe: "/bin/chown", Site: "chown_ok"}}}}}
	denied.Sources = []dropcap.Source{{Container: id}}
	if err := (Keeper{w.kept, "h"}).Keep(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	if why, _ := ask(); why != "" {
		t.Errorf("nothing was read, and it says %s", why)
	}
	if _, err := tap.Sightings(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tap.Checks(); err != nil {
		t.Fatal(err)
	}
	why, missed := ask()
	if why != "chown needed CHOWN at chown" || missed != caps.Of(caps.Chown) {
		t.Errorf("%q, missed %s", why, missed.Short())
	}
	h.Dropped = caps.Of(caps.Kill)
	if why, _ := ask(); why != "" {
		t.Errorf("a cgroup below another container's convinces: %s", why)
	}
}

type fakeTracer struct {
	learn.Tracer
	seen   []learn.Sighting
	checks []dropcap.KernelCheck
}

func (f fakeTracer) Sightings() ([]learn.Sighting, error) { return f.seen, nil }

func (f fakeTracer) Checks() ([]dropcap.KernelCheck, learn.Loss, error) {
	return f.checks, learn.Loss{}, nil
}

func TestWhoIsUnwell(t *testing.T) {
	var well, ended, asked, sick, restarted, memory ill
	ended.State.Status, ended.State.ExitCode = "exited", 1
	asked.State.Status, asked.State.ExitCode = "exited", 143
	well.State.Status = "running"
	sick.State.Health = &struct{ Status string }{"unhealthy"}
	restarted.RestartCount, restarted.State.ExitCode = 2, 1
	memory.State.OOMKilled, memory.State.ExitCode = true, 137
	for want, i := range map[string]ill{"": well, "ended with": ended, "is unhealthy": sick,
		"restarted 2 times": restarted, "memory": memory} {
		if got := i.String(); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%+v: %q", i, got)
		}
	}
	if got := asked.String(); got != "" {
		t.Errorf("docker stop makes it unwell: %s", got)
	}
}
