package change_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
)

// swarm makes an engine a swarm of one, with a service of two tasks.
func swarm(t *testing.T, s *stage) {
	t.Helper()
	s.shell(t, `docker swarm init --advertise-addr 127.0.0.1 >/dev/null
		docker service create -d --name shop_api --label com.docker.stack.namespace=shop --container-label com.docker.stack.namespace=shop \
			--env KEY=`+canary+` --replicas 2 --stop-grace-period 1s --update-monitor 1s --update-delay 0s --cap-add SYS_TIME app:1 >/dev/null`)
	t.Cleanup(func() {
		s.shell(t, "docker service rm shop_api >/dev/null || true; docker swarm leave --force "+
			">/dev/null")
	})
	dockertest.Eventually(t, 2*time.Minute, "tasks", func() bool { return len(tasks(t, s)) == 2 })
}

// tasks returns the names of the running containers of the service.
func tasks(t *testing.T, s *stage) []string {
	t.Helper()
	return strings.Fields(s.shell(t,
		"docker ps --format '{{.Names}}' --filter label=com.docker.swarm.service.name=shop_api "+
			"--filter status=running"))
}

// specOf returns the service's specification from the engine.
func specOf(t *testing.T, s *stage) string {
	t.Helper()
	return s.shell(t, "docker service inspect shop_api --format '{{json .Spec}}'")
}

func capsOf(t *testing.T, spec string) (add, drop []string) {
	t.Helper()
	var b struct {
		TaskTemplate struct {
			ContainerSpec struct{ CapabilityAdd, CapabilityDrop []string }
		}
	}
	if err := json.Unmarshal([]byte(spec), &b); err != nil {
		t.Fatal(err)
	}
	return b.TaskTemplate.ContainerSpec.CapabilityAdd, b.TaskTemplate.ContainerSpec.CapabilityDrop
}

// A swarm service is updated with its whole specification, rolled back if it fails the gate, and
// backed out to what it was.
func TestSwarmService(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	swarm(t, s)
	was := specOf(t, s)
	args := func(more ...string) []string {
		return append(append([]string{"apply"}, tasks(t, s)...),
			append([]string{"--yes", "--soak", "0s", "--no-watch"}, more...)...)
	}
	r := s.dropcap(t, args("--probe", "false", "--timeout", "1s")...)
	if r.status != dropcap.ExitRolledBack || strings.Contains(r.out+r.err, canary) {
		t.Fatalf("a probe that fails: %v", r)
	}
	if now := specOf(t, s); now != was {
		t.Errorf("after the rollback the service is\n%s, was\n%s", now, was)
	}
	r = s.dropcap(t, args()...)
	if r.status != dropcap.ExitOK {
		t.Fatalf("apply: %v", r)
	}
	now := specOf(t, s)
	add, drop := capsOf(t, now)
	if !slices.Equal(add, []string{"CAP_SYS_TIME"}) || len(drop) != 1 ||
		!strings.HasSuffix(drop[0], "NET_RAW") {
		t.Errorf("the service declares %v, %v", add, drop)
	}
	if rest := strings.Replace(now, `"CapabilityDrop":["`+drop[0]+`"],`, "", 1); rest != was &&
		strings.Replace(now, `,"CapabilityDrop":["`+drop[0]+`"]`, "", 1) != was {
		t.Errorf("the service is\n%s, was\n%s", now, was)
	}
	for _, name := range tasks(t, s) {
		if got := s.shell(t, "docker inspect "+name+
			" --format '{{.HostConfig.CapDrop}}'"); !strings.Contains(got, "NET_RAW") {
			t.Errorf("%s drops %s", name, got)
		}
	}
	if h := s.history(t); h[0].State != dropcap.Applied ||
		h[0].Strategy != dropcap.StrategySource || h[0].After == "" {
		t.Errorf("history says %+v", h[0])
	}
	if r := s.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
		t.Fatalf("backout: %v", r)
	}
	if now := specOf(t, s); now != was {
		t.Errorf("after the backout the service is\n%s, was\n%s", now, was)
	}
	for _, name := range tasks(t, s) {
		if got := s.shell(t, "docker inspect "+name+
			" --format '{{.HostConfig.CapDrop}}'"); got != "[]" {
			t.Errorf("%s drops %s", name, got)
		}
	}
}

// dropcap is killed around the update; recover brings the service to one end.
func TestSwarmServiceKilledItRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	swarm(t, s)
	was := specOf(t, s)
	points := []string{"after:update-service"}
	if full {
		points = []string{"before:update-service", "after:update-service", "after:look-service",
			"before:note-checking", "before:note-applied", "after:note-applied"}
	}
	for _, where := range points {
		args := append(append([]string{"apply"}, tasks(t, s)...), "--yes", "--soak", "0s",
			"--no-watch")
		cmd := s.command(args...)
		cmd.Env = append(slices.Clone(s.env), "DROPCAP_FAULT="+where+"=kill")
		if r := s.wait(t, cmd, args); r.status != -1 {
			t.Fatalf("%s: it was not killed: %v", where, r)
		}
		if r := s.dropcap(t, "recover"); r.status != dropcap.ExitOK {
			t.Errorf("%s: recover: %v", where, r)
		}
		h := s.history(t)
		_, drop := capsOf(t, specOf(t, s))
		if !h[0].State.Over() || (h[0].State == dropcap.Applied) != (len(drop) == 1) ||
			len(tasks(t, s)) != 2 {
			t.Errorf("%s: history says %s, the service drops %v, %v run", where, h[0].State, drop,
				tasks(t, s))
		}
		if h[0].State == dropcap.Applied {
			if r := s.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
				t.Errorf("%s: backout: %v", where, r)
			}
		}
		if now := specOf(t, s); now != was {
			t.Errorf("%s: the service is\n%s, was\n%s", where, now, was)
		}
	}
}
