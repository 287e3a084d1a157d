package change_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// household is a container and what lives in its namespaces: by its id, and by its name.
type household struct {
	*stage
	ids string
}

// upHousehold starts them: web lives in the network of vpn, job in its network, processes and ipc.
const upHousehold = `docker run -d --name vpn --restart %[1]s --stop-timeout 1 --ipc shareable -v vpn:/shared --env SHARED=/shared app:1 >/dev/null
	docker run -d --name web --restart %[1]s --stop-timeout 1 --network container:vpn app:1 sleep 100000 >/dev/null
	docker run -d --name job --restart %[1]s --stop-timeout 1 --network container:vpn --pid container:vpn --ipc container:vpn app:1 sleep 100000 >/dev/null`

func newHousehold(t *testing.T, s *stage, policy string) *household {
	t.Helper()
	own := *s
	own.store = filepath.Join(t.TempDir(), "store")
	h := &household{stage: &own}
	h.shell(t, fmt.Sprintf(upHousehold, policy))
	h.shell(t, "docker exec web sh -c 'echo mark >/srv/mark'")
	h.ids = h.idsNow(t)
	t.Cleanup(func() { h.sweep(t) })
	h.reach(t, "at first")
	return h
}

func (h *household) idsNow(t *testing.T) string {
	t.Helper()
	return h.shell(t, "docker inspect -f '{{.Id}}' vpn web job")
}

// reach checks that all run, and are in the same namespaces.
func (h *household) reach(t *testing.T, when string) {
	t.Helper()
	got := h.shell(t, `docker inspect -f '{{.State.Running}}' vpn web job | xargs
		at() { p=$(docker inspect -f '{{.State.Pid}}' $1); readlink /proc/$p/ns/$2; }
		[ $(at vpn net) = $(at web net) ] && [ $(at vpn net) = $(at job net) ] && [ $(at vpn ipc) = $(at job ipc) ] && [ $(at vpn pid) = $(at job pid) ] && echo together || echo apart`)
	if got != "true true true\ntogether" {
		t.Errorf("%s: %s", when, got)
	}
}

// drops are the lists of dropped capabilities of all three.
func (h *household) drops(t *testing.T) string {
	t.Helper()
	return h.shell(t, "docker inspect -f '{{.HostConfig.CapDrop}}' vpn web job | xargs")
}

// alone checks that the three are all that could run.
func (h *household) alone(t *testing.T, when string) {
	t.Helper()
	if got := h.shell(t, "docker ps -q | wc -l"); got != "3" {
		t.Errorf("%s %s containers run", when, got)
	}
	got := h.shell(t, "docker ps -aq --filter status=exited --filter status=created | xargs -r "+
		"docker inspect -f '{{.HostConfig.RestartPolicy.Name}}'")
	for _, policy := range strings.Fields(got) {
		if policy != "no" {
			t.Errorf("%s one at rest has the policy %s", when, policy)
		}
	}
}

// asBefore checks that the very same containers run.
func (h *household) asBefore(t *testing.T, when string) {
	t.Helper()
	if got := h.idsNow(t); got != h.ids {
		t.Errorf("%s they are\n%s\nwere\n%s", when, got, h.ids)
	}
	if got := h.drops(t); got != "[] [] []" {
		t.Errorf("%s they drop %s", when, got)
	}
	h.reach(t, when)
	h.alone(t, when)
}

// A container and what lives in its namespaces are changed, rolled back and backed out as one.
func TestGroup(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			h := newHousehold(t, newStage(t, kind), "always")
			plan := h.dropcap(t, "plan", "vpn", "web")
			if !strings.Contains(plan.out, "in one step") ||
				strings.Contains(plan.out, "cannot change") {
				t.Errorf("%v", plan)
			}
			args := append([]string{"apply", "vpn", "web"}, quick...)
			r := h.dropcap(t, append(slices.Clone(args), "--probe", "false", "--timeout", "1s")...)
			if r.status != dropcap.ExitRolledBack {
				t.Fatalf("a probe that fails: %v", r)
			}
			h.asBefore(t, "after the rollback")

			if r = h.dropcap(t, args...); r.status != dropcap.ExitOK {
				t.Fatalf("apply: %v", r)
			}
			h.reach(t, "after the change")
			if got := h.shell(t, "docker exec web cat /srv/mark"); got != "mark" {
				t.Errorf("what web has written is %q", got)
			}
			h.alone(t, "after the change")
			if got := h.drops(t); got != "[CAP_NET_RAW] [CAP_NET_RAW] []" &&
				got != "[NET_RAW] [NET_RAW] []" {
				t.Errorf("they drop %s", got)
			}
			history := h.history(t)
			if len(history) != 2 || history[0].State != dropcap.Applied ||
				len(history[0].Others) != 2 {
				t.Errorf("history: %+v", history)
			}
			if r := h.dropcap(t, "plan", "vpn"); strings.Contains(r.out, "cannot change") {
				t.Errorf("what is retained stands in the way: %v", r)
			}
			if r := h.dropcap(t, "backout", "vpn", "--yes"); r.status != dropcap.ExitOK {
				t.Fatalf("backout: %v", r)
			}
			h.asBefore(t, "after the backout")

			// And once more after what was retained is gone.
			if r = h.dropcap(t, args...); r.status != dropcap.ExitOK {
				t.Fatalf("apply: %v", r)
			}
			if r := h.dropcap(t, "prune", "--older-than", "0s",
				"--yes"); r.status != dropcap.ExitOK {
				t.Fatalf("prune: %v", r)
			}
			if r := h.dropcap(t, "backout", "vpn", "--yes"); r.status != dropcap.ExitOK {
				t.Fatalf("backout after a prune: %v", r)
			}
			h.reach(t, "after the backout after a prune")
			h.alone(t, "after the backout after a prune")
			if got := h.drops(t); got != "[] [] []" {
				t.Errorf("they drop %s", got)
			}
		})
	}
}

// One that cannot be re-created stands against all, and is named.
func TestGroupIsRefusedForOneOfThem(t *testing.T) {
	h := newHousehold(t, newStage(t, dockertest.Docker20), "no")
	h.shell(t, "docker pause web")
	r := h.dropcap(t, append([]string{"apply", "vpn"}, quick...)...)
	h.shell(t, "docker unpause web")
	if r.status != dropcap.ExitIncomplete || !strings.Contains(r.err,
		"with web, which lives in its namespaces: it is paused") {
		t.Errorf("%v", r)
	}
	h.asBefore(t, "refused,")
}

// dropcap is killed: recover brings all of them to one end.
func TestGroupKilledItRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	h := newHousehold(t, s, "always")
	h.program = s.program
	points := []string{"after:create-new-2", "after:stop-old-2", "after:rename-old",
		"after:start-new", "after:start-new-3"}
	if full {
		points = nil
		for _, n := range []string{"create-new", "create-new-3", "note-created", "note-switching",
			"stop-old-3", "stop-old", "rename-old", "rename-new-2",
			"hold-old-3", "start-new", "start-new-2", "note-checking", "note-applied"} {
			points = append(points, "before:"+n, "after:"+n)
		}
	}
	for _, where := range points {
		t.Run(where, func(t *testing.T) {
			args := append([]string{"apply", "vpn", "web"}, quick...)
			cmd := h.command(args...)
			cmd.Env = append(slices.Clone(h.env), "DROPCAP_FAULT="+where+"=kill",
				"DROPCAP_WATCH=off")
			if r := h.wait(t, cmd, args); r.status != -1 {
				t.Fatalf("it was not killed: %v", r)
			}
			if r := h.dropcap(t, "recover", "--call-timeout", "5s"); r.status != dropcap.ExitOK {
				t.Fatalf("recover: %v", r)
			}
			h.reach(t, "recovered,")
			h.alone(t, "recovered,")
			if list := h.history(t); len(list) > 0 && list[0].State == dropcap.Applied {
				if r := h.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			h.asBefore(t, "afterwards")
		})
	}
}

// What has come to live in a namespace since bars the way back, by its name; once it is gone, all
// comes back.
func TestGroupIsNotTakenBackUnderAStranger(t *testing.T) {
	h := newHousehold(t, newStage(t, dockertest.Docker20), "no")
	r := h.dropcap(t, append([]string{"apply", "vpn"}, quick...)...)
	if r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	h.shell(t, "docker run -d --name late --network container:vpn app:1 sleep 100000")
	r = h.dropcap(t, "backout", "vpn", "--yes")
	if r.status != dropcap.ExitError || !strings.Contains(r.err, "late has come to use") {
		t.Errorf("%v", r)
	}
	h.reach(t, "refused,")
	h.shell(t, "docker rm -f late")
	if r := h.dropcap(t, "backout", "vpn", "--yes"); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	h.asBefore(t, "at last")
}
