package e2e_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// theContainers returns what must be identical before a change and after its backout, by node.
const theContainers = `docker ps --all --quiet --no-trunc --filter name='^(web|db|tunnel|hardened|monitor)$' | sort |
xargs docker inspect --format '{{.Id}} {{.Name}} {{.Created}} {{.State.Running}} {{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.HostConfig.RestartPolicy.Name}}'`

// background starts a fleet command, and waits until it has printed a text.
func (p program) background(t *testing.T, until string, args ...string) (*exec.Cmd, *heard) {
	t.Helper()
	cmd, out := p.command(t, args...), &heard{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dockertest.Eventually(t, time.Minute, until, func() bool {
		return strings.Contains(out.String(), until)
	})
	return cmd, out
}

// runID returns the id of a run from the output.
func runID(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^run ([0-9a-f]{12})[:;]`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no run in %s", text)
	}
	return m[1]
}

// fleetStage is a lab with engines and a controller.
type fleetStage struct {
	t *testing.T
	program
	lab *labBench
}

// dropcap runs a command and checks its status and some texts in its output.
func (s fleetStage) dropcap(status int, says []string, args ...string) string {
	s.t.Helper()
	began := time.Now()
	r := s.run(s.t, args...)
	s.t.Logf("%v: dropcap %s", time.Since(began).Round(100*time.Millisecond),
		strings.Join(args, " "))
	text := r.out + r.err
	if r.status != status {
		s.t.Errorf("dropcap %s: exit status %d, want %d\n%s", strings.Join(args, " "), r.status,
			status, text)
	}
	for _, w := range says {
		if !strings.Contains(text, w) {
			s.t.Errorf("dropcap %s does not say %q:\n%s", strings.Join(args, " "), w, text)
		}
	}
	return text
}

// changes returns the hosts' own changes, by host and state.
func (s fleetStage) changes(container string) map[string][]dropcap.ChangeState {
	s.t.Helper()
	r := s.run(s.t, "fleet", "history", "--targets", "all", "--format", "json")
	var f dropcap.Fleet
	if err := json.Unmarshal([]byte(r.out), &f); err != nil {
		s.t.Fatalf("%v: %s%s", err, r.out, r.err)
	}
	list := map[string][]dropcap.ChangeState{}
	for _, d := range f.Documents {
		var h struct{ Changes []dropcap.Change }
		if err := json.Unmarshal(d.Document, &h); err != nil {
			s.t.Fatal(err)
		}
		for _, c := range h.Changes {
			if c.Name == container {
				list[dropcap.NodeOf(d.Host)] = append(list[dropcap.NodeOf(d.Host)], c.State)
			}
		}
	}
	return list
}

// One lab for everything, since engines are expensive: audit, plan, evidence, waves, a node that
// fails, backout, a controller that is interrupted and killed.
func TestFleetWithEngines(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Base, testenv.Docker20)
	l := startLab(t, "--nodes", "3", "--node-fails", "3", "--engines", "private")
	s := fleetStage{t, l.fleet(t).with("NO_COLOR=1"), l}
	s.dropcap(0, nil, "fleet", "install", "--documents-only")
	before := l.script(t, theContainers)
	t.Run("findings", s.findings)
	t.Run("evidence", s.evidence)
	t.Run("failing", func(t *testing.T) { s.in(t).failing(before) })
	t.Run("killed", func(t *testing.T) { s.in(t).killed(before) })
	t.Run("compose", s.compose)
}

func (s fleetStage) in(t *testing.T) fleetStage {
	s.t = t
	return s
}

func (s fleetStage) same(before map[string]string) {
	s.t.Helper()
	for node, now := range s.lab.script(s.t, theContainers) {
		if now != before[node] {
			s.t.Errorf("%s: containers were\n%s\nand are\n%s", node, before[node], now)
		}
	}
}

func (s fleetStage) findings(t *testing.T) {
	s = s.in(t)
	s.dropcap(0, []string{"3 nodes: 3 online, 3 with Docker and dropcap"}, "fleet", "ls")
	export := []string{"fleet", "audit", "--targets", "all", "--export", "security-hub", "--export",
		"ssm-compliance"}
	says := []string{"3 hosts, 10 containers: 3 pass, 7 fail",
		"Security Hub: 10 findings, 0 of them archived", "SSM Compliance: 3 nodes"}
	s.dropcap(3, says, export...)
	s.dropcap(3, says, append(export, "--shell", "--s3-bucket", "dropcap-lab")...)
}

func (s fleetStage) evidence(t *testing.T) {
	testenv.Need(t, testenv.BTF)
	s = s.in(t)
	s.dropcap(0, []string{"docker:web"}, "fleet", "learn", "--targets",
		"i-0dc00000000000001,i-0dc00000000000002", "--for", "2s")
	s.dropcap(0, []string{"docker:web", " from 1 host\n"}, "fleet", "evidence", "--targets",
		"i-0dc00000000000001")
	s.dropcap(0, []string{"1 of 1 host: the evidence of 1 workload is there now"}, "fleet",
		"evidence", "push", "--targets", "i-0dc00000000000002", "--workload", "docker:web")
	got := s.lab.script(t, `dropcap evidence`)
	if !strings.Contains(got["i-0dc00000000000002"], "docker:web") ||
		strings.Contains(got["i-0dc00000000000003"], "docker:web") {
		t.Errorf("evidence there: %q", got)
	}
	s.merged()
}

// merged: containers of one image and name on two nodes are two workloads, unless a person says
// that they are one.
func (s fleetStage) merged() {
	s.t.Helper()
	both := []string{"fleet", "evidence", "--targets", "i-0dc00000000000001,i-0dc00000000000002",
		"--workload", "docker:tunnel", "--format", "json"}
	for want, args := range map[int][]string{2: both, 1: append(both, "--merge")} {
		r := s.run(s.t, args...)
		var e dropcap.Evidence
		if err := json.Unmarshal([]byte(r.out), &e); err != nil {
			s.t.Fatalf("%v: %s%s", err, r.out, r.err)
		}
		hosts := map[string]bool{}
		for _, w := range e.Workloads {
			for _, source := range w.Sources {
				hosts[source.Host.ID] = true
			}
		}
		if len(e.Workloads) != want || len(hosts) != 2 || hosts[""] {
			s.t.Errorf("%v: %d workloads of %v, want %d of two hosts\n%s", args, len(e.Workloads),
				hosts, want, r.out)
		}
	}
}

// failing is an apply that one node does not survive.
func (s fleetStage) failing(before map[string]string) {
	plan := runID(s.t, s.dropcap(3, []string{"monitor: drop NET_RAW"}, "fleet", "plan", "--targets",
		"i-0dc00000000000002,i-0dc00000000000003"))
	text := s.dropcap(4, []string{
		"wave 1 of 2: 1 of 1: 111122223333/us-east-1/i-0dc00000000000002: 2 changes: 2 applied",
		"i-0dc00000000000003: rolled-back: cannot change monitor", "backout: 2 of 2",
		"2 hosts, 3 changes: 2 backed-out, 1 rolled-back; 1 host failed",
		"dropcap: error: cannot finish run", "every host that it changed was backed out",
	}, "fleet", "apply", plan, "--yes", "--waves", "1,100%", "--host-soak", "1s", "--auto-backout")
	s.dropcap(4, []string{"backed-out", "rolled-back: 1 host: i-0dc00000000000003"}, "fleet",
		"status", runID(s.t, text))
	if said := s.run(s.t, "fleet", "status", runID(s.t, text), "--format", "json").
		out; strings.Contains(said, `"state": "applied"`) ||
		strings.Count(said, `"state": "backed-out"`) < 3 {
		s.t.Errorf("what was taken back counts as applied:\n%s", said)
	}
	s.same(before)
	if got := s.changes("db")["i-0dc00000000000002"]; len(got) != 1 || got[0] != dropcap.BackedOut {
		s.t.Errorf("changes of db: %v", got)
	}
	if got := s.changes("monitor")["i-0dc00000000000003"]; len(got) != 1 ||
		got[0] != dropcap.RolledBack {
		s.t.Errorf("changes of monitor: %v", got)
	}
}

// killed is an apply whose controller is interrupted, and the next one killed; the third finishes
// it. No host does it twice.
func (s fleetStage) killed(before map[string]string) {
	plan := runID(s.t, s.dropcap(3, nil, "fleet", "plan", "--targets", "tag:role=web",
		"--container", "tunnel"))
	cmd, out := s.background(s.t, "hosts in 2 waves", "fleet", "apply", plan, "--yes", "--waves",
		"1,100%", "--host-soak", "1s")
	run := runID(s.t, out.String())
	sent := func() bool {
		said := s.run(s.t, "fleet", "status", run, "--format", "json").out
		return regexp.MustCompile(`"sent": [1-9]`).MatchString(said)
	}
	dockertest.Eventually(s.t, time.Minute, "request that was sent", sent)
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 130 || !strings.HasSuffix(out.String(),
		"dropcap: hint: `dropcap fleet resume "+run+"` goes on\n") {
		s.t.Errorf("interrupted: exit status %d\n%s", got, out)
	}
	cmd, _ = s.background(s.t, "wave 1 of 2: 1 of 1:", "fleet", "resume", run)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	s.dropcap(7, []string{"apply on 2 hosts: going"}, "fleet", "status", run)
	s.dropcap(0, []string{"2 hosts, 2 changes: 2 applied"}, "fleet", "resume", run)
	for node, list := range s.changes("tunnel") {
		// lab-1's is its only one; lab-2's was backed out before; lab-3 did not come so far then,
		// or took it back
		applied := 0
		for _, state := range list {
			if state == dropcap.Applied {
				applied++
			}
		}
		if want := map[bool]int{true: 0, false: 1}[strings.HasSuffix(node, "2")]; applied != want ||
			len(list) > 2 {
			s.t.Errorf("%s: changes of tunnel: %v", node, list)
		}
	}
	s.dropcap(0, []string{"2 hosts, 2 changes: 2 backed-out"}, "fleet", "backout", run, "--yes")
	s.same(before)
	s.dropcap(0, []string{"nothing to back out"}, "fleet", "backout", run, "--yes")
}
