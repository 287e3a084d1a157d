package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/foreign"
)

// fakeNodes is a lab whose nodes have fake engines, each with some containers.
func fakeNodes(t *testing.T, nodes ...[]fake.Container) (*labBench, fleetStage) {
	l := startLab(t, "--nodes", string(rune('0'+len(nodes))), "--engines", "none")
	for k, list := range nodes {
		e := fake.Start(t, fake.Options{})
		for _, c := range list {
			e.Add(c)
		}
		link := filepath.Join(l.folder, "node-"+string(rune('1'+k)), "no-engine.sock")
		if err := os.Symlink(strings.TrimPrefix(e.Host, "unix://"), link); err != nil {
			t.Fatal(err)
		}
	}
	s := fleetStage{t, l.fleet(t).with("NO_COLOR=1"), l}
	s.dropcap(0, nil, "fleet", "install", "--documents-only")
	return l, s
}

// A host that lacks what was named has nothing to do; only a name that no host has is an error, the
// same as on one host.
func TestAHostThatLacksWhatWasNamedHasNotFailed(t *testing.T) {
	web, db := fake.Container{Name: "web"}, fake.Container{Name: "db"}
	_, s := fakeNodes(t, []fake.Container{web, db}, []fake.Container{db})
	all := []string{"--targets", "all", "--rate", "50"}
	fleet := func(status int, says []string, args ...string) string {
		t.Helper()
		return s.dropcap(status, says, append(append([]string{"fleet"}, args...), all...)...)
	}
	text := fleet(3, []string{"2 hosts, 1 container: 1 fail"}, "audit", "--container", "web")
	if strings.Contains(text, "failed") {
		t.Errorf("a host failed:\n%s", text)
	}
	says := []string{`cannot find a container named "wbe" on any of 2 hosts`,
		"hint: `dropcap fleet audit` without --container"}
	fleet(1, append(says, "2 hosts, 0 containers"), "audit", "--container", "wbe")
	fleet(1, append(says, "2 hosts, 1 container: 1 fail"), "audit", "--container", "web",
		"--container", "wbe")
	if text := fleet(1, says, "plan", "--container", "wbe"); strings.Contains(text,
		"apply it with") {
		t.Errorf("there is nothing to apply:\n%s", text)
	}
	fleet(1, []string{`cannot find evidence of "docker:wbe", "web" on any of 2 hosts`, "kept in"},
		"evidence", "--workload", "docker:wbe", "--workload", "web")
	fleet(2, []string{"it does not see names"}, "audit", "--agentless", "--container", "web")
	out := s.run(t, append([]string{"fleet", "audit", "--container", "web", "--format", "json"},
		all...)...).out
	var f dropcap.Fleet
	if err := json.Unmarshal([]byte(out), &f); err != nil || len(f.Documents) != 2 ||
		len(f.Failures) != 0 {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := foreign.Audit(f.Documents[1])
	if err != nil || len(a.Containers) != 0 || len(a.Missing) != 1 || a.Missing[0] != "web" {
		t.Errorf("%v: %+v", err, a)
	}
	if err := os.Remove(filepath.Join(s.lab.folder, "node-2", "no-engine.sock")); err != nil {
		t.Fatal(err)
	}
	fleet(7, []string{"no-engine: 1 host",
		`cannot find a container named "wbe" on any of 1 host, and others did not answer`}, "audit",
		"--container", "wbe")
}
