package engines_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// post makes a call that must succeed.
func (b *bench) post(t *testing.T, path string) {
	t.Helper()
	status, answer, err := b.Raw(context.Background(), http.MethodPost, path, "")
	if err != nil || status >= 400 {
		t.Fatalf("POST %s: %d %s, %v", path, status, answer, err)
	}
}

// states takes a container that must pass and one that must fail through every lasting state.
func states(t *testing.T, b *bench) {
	for name, x := range map[string]struct {
		body  string
		holds caps.Set
		want  dropcap.Verdict
	}{"pass": {dropAll, 0, dropcap.Pass}, "fail": {body(declaration{}), caps.DockerDefaults,
		dropcap.Fail}} {
		id := b.Create(t, "states-"+name, x.body)
		check := func(state string, runs bool) {
			t.Helper()
			c := b.one(t, id)
			if c.State != state || c.Verdict != x.want || c.Predicted == nil ||
				*c.Predicted != x.holds {
				t.Errorf("%s, %s: %s, predicted %s; want %s, %s", c.State, name, c.Verdict,
					c.Predicted, state, x.holds)
			}
			if seen := c.Kernel.Visible && *c.Kernel.Bounding == x.holds; seen != runs {
				t.Errorf("%s, %s: kernel %+v, want it seen: %v", c.State, name, c.Kernel, runs)
			}
			if !runs && (c.Kernel.WhyNot != dropcap.NotRunning || c.Kernel.Bounding != nil ||
				c.PID != 0) {
				t.Errorf("%s, %s: process %d, kernel %+v, want nothing seen", c.State, name, c.PID,
					c.Kernel)
			}
		}
		check("created", false)
		b.StartContainer(t, id)
		check("running", true)
		b.post(t, "/containers/"+id+"/pause")
		check("paused", true)
		b.post(t, "/containers/"+id+"/unpause")
		b.StopContainer(t, id, 0)
		check("exited", false)
	}
	restarting(t, b)
}

// restarting: the engine waits longer before each new attempt, so the state lasts.
func restarting(t *testing.T, b *bench) {
	id := b.Create(t, "", `{"Image":"`+image+
		`","Cmd":["false"],"HostConfig":{"CapDrop":["ALL"],"RestartPolicy":{"Name":"always"}}}`)
	b.post(t, "/containers/"+id+"/start")
	dockertest.Eventually(t, 20*time.Second, "container that is restarting", func() bool {
		c := b.one(t, id)
		clean(t, c)
		return c.State == "restarting" && c.Kernel.WhyNot == dropcap.NotRunning
	})
}

// restarts ends a container's first process repeatedly during the audits: there is always one to
// judge.
func restarts(t *testing.T, b *bench) {
	id := b.RunContainer(t, "", dropAll)
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 8 {
			if status, answer, err := b.Raw(context.Background(), http.MethodPost, "/containers/"+
				id+"/restart?t=0", ""); err != nil || status >= 400 {
				t.Errorf("restart: %d %s, %v", status, answer, err)
			}
		}
	}()
	looks, pids := 0, map[int]bool{}
	for running := true; running; looks++ {
		select {
		case <-done:
			running = false
		default:
		}
		c := b.one(t, id)
		clean(t, c)
		pids[c.PID] = true
	}
	t.Logf("%d looks saw %d different first processes", looks, len(pids))
	if len(pids) < 3 {
		t.Errorf("%d looks saw %d first processes of 9: nothing was restarted under them", looks,
			len(pids))
	}
}

// nest creates a cgroup in each writable hierarchy, below the container's own, and moves there with
// a child.
const nest = `for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
	mkdir $d/NAME && echo $$ >$d/NAME/cgroup.procs
done 2>/dev/null
tail -f /dev/null & wait`

// lookalike: a privileged container may create cgroups with any name.
func lookalike(t *testing.T, b *bench) {
	victim := b.RunContainer(t, "victim", dropAll)
	script := strings.ReplaceAll(nest, "NAME", victim)
	attacker := b.RunContainer(t, "attacker", jsonBody(map[string]any{
		"Image": image, "Cmd": []string{"sh", "-c", script},
		"HostConfig": map[string]any{"Privileged": true},
	}))
	first := b.State(t, attacker).Pid
	tail := child(t, first, "tail")
	for _, pid := range []int{first, tail} {
		if !strings.Contains(cgroups(t, pid), attacker+"/"+victim) {
			t.Fatalf("process %d is not in a cgroup of the victim's name: this tests nothing:\n%s",
				pid, cgroups(t, pid))
		}
	}
	a := b.judge(t, victim, attacker)
	clean(t, a.Containers[0])
	if n := len(a.Containers[0].Kernel.Processes); n != 1 {
		t.Errorf("the victim has %+v", a.Containers[0].Kernel.Processes)
	}
	c := a.Containers[1]
	if entry(t, c, first).Origin != dropcap.OriginInit ||
		entry(t, c, tail).Origin != dropcap.OriginChild || c.Verdict != dropcap.Fail {
		t.Errorf("the attacker is %s with %+v", c.Verdict, c.Kernel.Processes)
	}
}
