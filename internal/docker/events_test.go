package docker_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
)

// collect receives events until one fits, and fails if none does.
func collect(t *testing.T, events <-chan docker.Event,
	last func(docker.Event) bool) []docker.Event {
	t.Helper()
	var got []docker.Event
	for late := time.After(30 * time.Second); ; {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("closed after %+v", got)
			}
			if got = append(got, e); last(e) {
				return got
			}
		case <-late:
			t.Fatalf("no such event in %+v", got)
		}
	}
}

func action(name string) func(docker.Event) bool {
	return func(e docker.Event) bool { return e.Action == name }
}

func actions(list []docker.Event) string {
	var words []string
	for _, e := range list {
		words = append(words, e.Action)
	}
	return strings.Join(words, " ")
}

// life takes a subject's container from creation to removal. All engines must report it in the same
// words.
func life(t *testing.T, s subject) {
	if _, err := s.load("conform:1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := client(t, s.host)
	events, err := c.Events(ctx, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	id := s.create(t, "alive", "")
	s.must(t, http.MethodPost, "/containers/"+id+"/start", "", nil)
	var exec struct{ Id string }
	s.must(t, http.MethodPost, "/containers/"+id+"/exec", `{"Cmd":["true","hunter2"]}`, &exec)
	s.must(t, http.MethodPost, "/exec/"+exec.Id+"/start", `{"Detach":true}`, nil)
	want := map[string]docker.Event{
		"create": {Name: "alive"}, "start": {Name: "alive"}, "exec_create": {Exec: exec.Id},
		"exec_start": {Exec: exec.Id}, "exec_die": {Exec: exec.Id, Exit: "0"},
	}
	last := "exec_die"
	if s.name == "podman" { // which reports the end of a detached one only after minutes
		last, want = "exec_start", map[string]docker.Event{"create": {Name: "alive"},
			"start": {Name: "alive"}, "exec_start": {}}
	}
	collectInto(t, events, action(last), want, id, began)
	s.must(t, http.MethodPost, "/containers/"+id+"/rename?name=other", "", nil)
	s.must(t, http.MethodPost, "/containers/"+id+"/restart?t=0", "", nil)
	s.must(t, http.MethodPost, "/containers/"+id+"/stop?t=0", "", nil)
	s.remove(t, id)
	got := collect(t, events, action("destroy"))
	for _, want := range []string{"rename", "restart", "start", "die", "destroy"} {
		i := slices.IndexFunc(got, action(want))
		if i < 0 {
			t.Errorf("no %s in %s", want, actions(got))
			continue
		}
		e := got[i]
		switch {
		case e.ID != id || e.Time.Before(began.Add(-time.Second)) ||
			e.Time.After(time.Now().Add(time.Second)):
			t.Errorf("%+v", e)
		case want == "rename" && s.name == "docker" && e.Former != "alive":
			t.Errorf("%+v", e)
		case want == "die" && e.Exit == "":
			t.Errorf("%+v", e)
		}
	}
	if i := slices.IndexFunc(got, action("kill")); s.name == "docker" &&
		(i < 0 || got[i].Signal == "") {
		t.Errorf("no signal of a kill in %+v", got)
	}
	if all := fmt.Sprintf("%+v", got); strings.Contains(all, "hunter2") {
		t.Errorf("a command in %s", all)
	}
	cancel()
	for range events { // until it is closed
	}
}

// collectInto checks that each expected event comes, with the expected fields.
func collectInto(t *testing.T, events <-chan docker.Event, last func(docker.Event) bool,
	want map[string]docker.Event, id string, began time.Time) {
	t.Helper()
	got := collect(t, events, last)
	for name, w := range want {
		i := slices.IndexFunc(got, action(name))
		if i < 0 {
			t.Errorf("no %s in %s", name, actions(got))
			continue
		}
		e := got[i]
		if e.ID != id || w.Name != "" && e.Name != w.Name || e.Exec != w.Exec || e.Exit != w.Exit ||
			e.Time.Before(began.Add(-time.Second)) {
			t.Errorf("%s: %+v, want %+v", name, e, w)
		}
	}
	if all := fmt.Sprintf("%+v", got); strings.Contains(all, "hunter2") {
		t.Errorf("a command in %s", all)
	}
}

func TestEventsOfALife(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		e := fake.Start(t, fake.Options{})
		life(t, subject{raw: e.Raw, load: e.Import, host: e.Host, name: "docker"})
	})
	for _, kind := range dockertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			s := subject{raw: e.Raw, load: e.Import, host: e.Host, name: "docker"}
			if kind == dockertest.Podman4 {
				s.name = "podman"
			}
			life(t, s)
		})
	}
}

// What happens while the connection is down is reported afterwards, once.
func TestEventsSurviveALostConnection(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := client(t, e.Host)
	id := e.Add(fake.Container{Name: "web"})
	e.Emit(id, "start", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := c.Events(ctx, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	collect(t, events, action("start"))
	e.Misbehave(fake.Fault{Path: "/events", Status: 503, Times: 3})
	e.CutEvents(false)
	e.Emit(id, "health_status: healthy", nil)
	got := collect(t, events, action("health_status"))
	if actions(got) != docker.Reconnected+" health_status" || got[1].Health != "healthy" {
		t.Errorf("got %+v", got)
	}
	e.Emit(id, "die", map[string]string{"exitCode": "3"})
	if got := collect(t, events, action("die")); len(got) != 1 || got[0].Exit != "3" {
		t.Errorf("then %+v", got)
	}
}

func TestEventsFromHostileEngines(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := client(t, e.Host)
	id := strings.Repeat("a", 64)
	good := func(n int) string {
		return fmt.Sprintf(`{"Type":"container","Action":"start","Actor":{"ID":%q},"timeNano":%d}`+
			"\n", id, n)
	}
	e.Misbehave(fake.Fault{Path: "/events", Hang: true, Times: 1, Body: good(1) + "nonsense\n" +
		`{"Action":` + strings.Repeat("[", 3<<20) + "\n" +
		`{"Type":"container","Action":"start","Actor":{"ID":"../../etc"}}` + "\n" +
		`{"Type":"image","Action":"start"}` + "\n" + good(1) + good(1<<62) + good(2)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := c.Events(ctx, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, events, func(e docker.Event) bool { return e.Time.UnixNano() == 2 })
	if len(got) != 3 {
		t.Errorf("got %+v", got)
	}
	e.Misbehave(fake.Fault{Path: "/events", Status: 500})
	if _, err := c.Events(ctx, time.Time{}); err == nil {
		t.Error("no error of a refused first connection")
	}
}

func TestEventsLeaveNothingBehind(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := client(t, e.Host)
	before := runtime.NumGoroutine()
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		events, err := c.Events(ctx, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		for range events {
		}
	}
	dockertest.Eventually(t, 10*time.Second, "end of goroutines and streams", func() bool {
		return runtime.NumGoroutine() <= before+2 && e.Listeners() == 0
	})
}

// The engine restarts, or is killed, while its containers live on.
func TestEventsSurviveARestart(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20, dockertest.LiveRestore())
	if _, err := e.Import("box:1"); err != nil {
		t.Fatal(err)
	}
	c := client(t, e.Host)
	events, err := c.Events(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id := e.RunContainer(t, "lives", `{"Image":"box:1","Cmd":["sleep","1000"]}`)
	collect(t, events, action("start"))
	for round, again := range []func() error{e.Restart, func() error {
		_ = e.Kill()
		return e.Revive()
	}} {
		if err := again(); err != nil {
			t.Fatal(err)
		}
		collect(t, events, action(docker.Reconnected))
		e.StopContainer(t, id, 0)
		got := collect(t, events, action("stop"))
		if slices.ContainsFunc(got, action("create")) {
			t.Errorf("round %d: told again: %s", round, actions(got))
		}
		e.StartContainer(t, id)
		if got := collect(t, events, action("start")); got[len(got)-1].ID != id {
			t.Errorf("round %d: %+v", round, got)
		}
	}
}
