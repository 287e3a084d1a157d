package change_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/recreate"
)

// switchable is an engine that a program can stop and start, as a service manager would.
type switchable struct {
	*stage
	web, other string // ids
}

// newSwitchable gives the engine a script that asks this test to stop or start it, and waits until
// that is done.
func newSwitchable(t *testing.T, s *stage) *switchable {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`#!/bin/sh
cd %s
echo "$1" >$$.asked
mv $$.asked $$.request
until [ -e $$.done ]; do sleep 0.05; done
exit $(cat $$.done)
`, dir)
	if err := os.WriteFile(filepath.Join(dir, "engine"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(end); <-done })
	go func() {
		defer close(done)
		serveRequests(s.Engine, dir, end)
	}()
	own := *s
	own.store = filepath.Join(t.TempDir(), "store")
	own.env = append(own.env[:len(own.env):len(own.env)], "ENGINE="+filepath.Join(dir, "engine"))
	x := &switchable{stage: &own}
	x.web = x.shell(t, `docker run -d --name other --restart no --stop-timeout 1 app:1 >/dev/null
		docker run -d --name web --restart unless-stopped --stop-timeout 1 --env KEY=`+canary+` --cap-add sys_time -v /anonymous -p 127.0.0.1::80 app:1
		docker exec web sh -c 'echo layer >/srv/mark' >&2`)
	x.other = x.shell(t, "docker inspect -f '{{.Id}}' other")
	t.Cleanup(func() { x.sweep(t) })
	return x
}

// serveRequests does what the script asks for, until the end.
func serveRequests(e *dockertest.Engine, dir string, end <-chan struct{}) {
	running := true
	for {
		select {
		case <-end:
			if !running {
				_ = e.Revive()
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		asked, _ := filepath.Glob(filepath.Join(dir, "*.request"))
		for _, path := range asked {
			what, _ := os.ReadFile(path)
			var err error
			switch want := strings.TrimSpace(string(what)) == "start"; {
			case want && !running:
				err = e.Revive()
			case !want && running:
				_ = e.Kill()
			}
			running = strings.TrimSpace(string(what)) == "start" && err == nil
			status := "0"
			if err != nil {
				status = "1"
			}
			os.Remove(path)
			_ = os.WriteFile(strings.TrimSuffix(path, ".request")+".done", []byte(status), 0o600)
		}
	}
}

func (x *switchable) args(more ...string) []string {
	engine := ""
	for _, v := range x.env {
		if name, value, _ := strings.Cut(v, "="); name == "ENGINE" {
			engine = value
		}
	}
	return append([]string{"apply", "web", "--in-place", "--yes", "--soak", "0s", "--no-watch",
		"--engine-stop", engine + " stop", "--engine-start", engine + " start"}, more...)
}

// file returns the engine's own file of the container.
func (x *switchable) file(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(x.DataRoot, "containers", x.web, "hostconfig.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bounding returns the bounding set of the container's first process, from the kernel.
func (x *switchable) bounding(t *testing.T) string {
	t.Helper()
	return strings.TrimPrefix(x.shell(t, "docker exec web grep CapBnd /proc/1/status"), "CapBnd:\t")
}

// started returns when a container was started, and its process.
func (x *switchable) started(t *testing.T, id string) string {
	t.Helper()
	return x.shell(t, "docker inspect -f '{{.State.StartedAt}} {{.State.Pid}} {{.State.Running}}' "+
		id)
}

func without(t *testing.T, file string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(file), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "CapAdd")
	delete(m, "CapDrop")
	return m
}

// A change in place keeps the container, its data and everything else, touches no other container,
// and is undone to the byte.
func TestInPlace(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		if kind != dockertest.Docker20 && !full {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			x := newSwitchable(t, newStage(t, kind, dockertest.LiveRestore()))
			was, inspect, other, held := x.file(t), x.inspect(t, x.web, ""), x.started(t, x.other),
				x.bounding(t)
			r := x.dropcap(t, x.args("--probe", "false", "--timeout", "1s")...)
			if r.status != dropcap.ExitRolledBack || strings.Contains(r.out+r.err, canary) {
				t.Fatalf("a probe that fails: %v", r)
			}
			x.same(t, "after the rollback", was, inspect, other, held)

			if r = x.dropcap(t, x.args()...); r.status != dropcap.ExitOK {
				t.Fatalf("apply: %v", r)
			}
			now := x.file(t)
			if !strings.Contains(now, `"CapAdd":["CAP_SYS_TIME"]`) ||
				!strings.Contains(now, `"CapDrop":["CAP_NET_RAW"]`) {
				t.Errorf("the file is %s", now)
			}
			a, b := without(t, was), without(t, now)
			for k, v := range a {
				if string(b[k]) != string(v) || len(a) != len(b) {
					t.Errorf("%s was %s, is %s", k, v, b[k])
				}
			}
			if got := x.bounding(t); got == held {
				t.Errorf("it still holds %s", got)
			}
			if got := x.shell(t, "docker exec web cat /srv/mark"); got != "layer" {
				t.Errorf("its layer holds %q", got)
			}
			if got := x.started(t, x.other); got != other {
				t.Errorf("the other one was %s, is %s", other, got)
			}
			if h := x.history(t); h[0].State != dropcap.Applied || h[0].Before != x.web ||
				h[0].After != x.web || h[0].DowntimeMS <= 0 {
				t.Errorf("history says %+v", h[0])
			}
			if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
				t.Fatalf("backout: %v", r)
			}
			x.same(t, "after the backout", was, inspect, other, held)
		})
	}
}

// same checks that everything is as it was, except for when it was started.
func (x *switchable) same(t *testing.T, when, file string, inspect json.RawMessage, other,
	held string) {
	t.Helper()
	if now := x.file(t); now != file {
		t.Errorf("%s the file is\n%s, was\n%s", when, now, file)
	}
	for _, d := range recreate.Compare(inspect, x.inspect(t, x.web, "")) {
		// An engine that starts without live containers re-creates its bridge.
		if other != "" || d.Path != "NetworkSettings.Networks.bridge.NetworkID" {
			t.Errorf("%s: %s", when, d)
		}
	}
	if got := x.bounding(t); got != held {
		t.Errorf("%s it holds %s, not %s", when, got, held)
	}
	if got := x.shell(t, "docker exec web cat /srv/mark"); got != "layer" {
		t.Errorf("%s its layer holds %q", when, got)
	}
	if got := x.started(t, x.other); other != "" && got != other {
		t.Errorf("%s the other one was %s, is %s", when, other, got)
	}
}

// One stop of the engine serves several changes. Each is judged and undone by itself.
func TestInPlaceSeveral(t *testing.T) {
	x := newSwitchable(t, newStage(t, dockertest.Docker20, dockertest.LiveRestore()))
	was, inspect, held := x.file(t), x.inspect(t, x.web, ""), x.bounding(t)
	args := func(more ...string) []string {
		return append(slices.Insert(x.args(), 1, "other"), more...)
	}
	drops := func() string {
		return x.shell(t, "docker inspect -f '{{.HostConfig.CapDrop}} {{.State.Running}}' other "+
			"web | xargs")
	}
	one := func(r ended, status int, want string) {
		t.Helper()
		if r.status != status || strings.Count(r.err, "stop-engine ") != 1 {
			t.Errorf("%v", r)
		}
		if got := drops(); got != want {
			t.Errorf("other and web are %s, want %s: %v", got, want, r)
		}
	}
	one(x.dropcap(t, args()...), dropcap.ExitOK, "[CAP_NET_RAW] true [CAP_NET_RAW] true")
	for range 2 {
		if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
			t.Fatalf("backout: %v", r)
		}
	}
	one(x.dropcap(t, args("--probe-exec", "cat /srv/mark", "--timeout", "2s", "--all")...),
		dropcap.ExitRolledBack, "[] true [CAP_NET_RAW] true")
	if r := x.dropcap(t, "backout", "web", "--yes"); r.status != dropcap.ExitOK {
		t.Fatalf("backout: %v", r)
	}
	one(x.dropcap(t, args("--probe-exec", "cat /srv/mark", "--timeout", "2s")...),
		dropcap.ExitRolledBack, "[] true [] true")
	x.same(t, "in the end", was, inspect, x.started(t, x.other), held)
}

// Where live-restore cannot be switched on, everything stops with the engine: that must be
// requested, and all that ran runs again.
func TestInPlaceWithoutLiveRestore(t *testing.T) {
	x := newSwitchable(t, newStage(t, dockertest.Docker20,
		dockertest.Flags("--live-restore=false")))
	was, inspect, other, held := x.file(t), x.inspect(t, x.web, ""), x.started(t, x.other),
		x.bounding(t)
	r := x.dropcap(t, x.args()...)
	if r.status != dropcap.ExitIncomplete || !strings.Contains(r.err, "live-restore") ||
		!strings.Contains(r.err, "the flag --live-restore=false") {
		t.Errorf("without --stop-all: %v", r)
	}
	x.same(t, "refused,", was, inspect, other, held)
	if r := x.dropcap(t, x.args("--stop-all")...); r.status != dropcap.ExitOK {
		t.Fatalf("with --stop-all: %v", r)
	}
	if got := x.started(t, x.other); !strings.HasSuffix(got, " true") {
		t.Errorf("the other one does not run again: %s", got)
	}
	if got := x.bounding(t); got == held {
		t.Errorf("it still holds %s", got)
	}
	if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
		t.Fatalf("backout: %v", r)
	}
	x.same(t, "after the backout", was, inspect, "", held)
	if got := x.started(t, x.other); !strings.HasSuffix(got, " true") {
		t.Errorf("the other one does not run again: %s", got)
	}
}

// dropcap is killed anywhere, even with the engine stopped: recover starts it and brings the
// container to one end.
func TestInPlaceKilledItRecovers(t *testing.T) {
	x := newSwitchable(t, crashStage(t, dockertest.Docker20, dockertest.LiveRestore()))
	was, inspect, other, held := x.file(t), x.inspect(t, x.web, ""), x.started(t, x.other),
		x.bounding(t)
	points := []string{"after:stop-engine", "after:write-file", "after:restart-new"}
	if full {
		points = nil
		for _, n := range []string{"note-begin", "note-switching", "stop-engine", "write-file",
			"start-engine", "inspect-new", "restart-new", "note-checking", "note-applied"} {
			points = append(points, "before:"+n, "after:"+n)
		}
	}
	for _, where := range points {
		t.Run(where, func(t *testing.T) {
			args := x.args()
			cmd := x.command(args...)
			cmd.Env = append(slices.Clone(x.env), "DROPCAP_FAULT="+where+"=kill")
			if r := x.wait(t, cmd, args); r.status != -1 {
				t.Fatalf("it was not killed: %v", r)
			}
			if r := x.dropcap(t, "recover"); r.status != dropcap.ExitOK {
				t.Fatalf("recover: %v", r)
			}
			if h := x.history(t); len(h) > 0 && h[0].State == dropcap.Applied {
				if got := x.bounding(t); got == held {
					t.Errorf("it still holds %s", got)
				}
				if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			x.same(t, "afterwards", was, inspect, other, held)
		})
	}
}
