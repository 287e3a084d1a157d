package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/testenv"
)

func planOf(t *testing.T, r dropcap.Receipt) (p dropcap.Plan) {
	t.Helper()
	if err := json.Unmarshal(r.Document, &p); err != nil {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	return p
}

func TestANodePlansThoseOfTheNamedContainersThatItHas(t *testing.T) {
	s := newNodeStage(t)
	s.start("web")
	r := s.p.node(t, "plan", "--request="+s.request(), "--container=wbe", "--container=web")
	if p := planOf(t, r); r.Status != 3 || len(p.Steps) != 1 ||
		p.Steps[0].Container.Name != "web" || !slices.Equal(p.Missing, []string{"wbe"}) {
		t.Errorf("one of two: %+v", r)
	}
	r = s.p.node(t, "plan", "--request="+s.request(), "--container=wbe")
	if p := planOf(t, r); r.Status != 0 || r.Error != nil || len(p.Steps) != 0 ||
		!slices.Equal(p.Missing, []string{"wbe"}) {
		t.Errorf("none: %+v %+v", r, r.Error)
	}
}

// Over a fleet nothing edits a file that a label names: the container itself is changed, and the
// plan shows what to write there.
func TestANodePlansNoEditOfAnOwnersFile(t *testing.T) {
	s := newNodeStage(t)
	folder := testenv.RootFolder(t)
	file := write(t, filepath.Join(folder, "compose.yaml"), "services:\n  web:\n    image: app:1\n")
	args := []string{"run", "-d", "--name", "shop-web-1", "--stop-timeout", "1"}
	for name, value := range map[string]string{
		"project": "shop", "service": "web", "project.working_dir": folder,
		"project.config_files": file, "container-number": "1", "oneoff": "False",
		"config-hash": "0",
	} {
		args = append(args, "--label", "com.docker.compose."+name+"="+value)
	}
	s.docker(append(args, "app:1")...)
	r := s.p.node(t, "plan", "--request="+s.request())
	p := planOf(t, r)
	if r.Status != 3 || len(p.Steps) != 1 ||
		r.Summary != "plan "+p.ID+", 1 container: 1 to change" {
		t.Fatalf("%+v", p)
	}
	if one := p.Steps[0]; one.Strategy != dropcap.StrategyRecreate || one.Refused != "" ||
		!strings.Contains(one.Commands.Source, "+++ "+file) {
		t.Errorf("%+v", one)
	}
	r = s.p.node(t, "plan", "--request="+s.request(), "--strategy=source")
	if p := planOf(t, r); r.Status != 7 ||
		p.Steps[0].Refused != "cannot edit its owner's file over a fleet" {
		t.Errorf("the file itself: %+v", p)
	}
	saved := write(t, filepath.Join(folder, "plan.json"), s.p.run(t, "plan", "--format", "json").
		out)
	if r := s.p.run(t, "apply", saved, "--no-source-files", "--yes"); r.status != 7 ||
		!strings.Contains(r.err,
			"shop-web-1 is left as it is: cannot edit its owner's file over a fleet") {
		t.Errorf("a plan that would: %d %s", r.status, r.err)
	}
}

// No argument of a container leaves its host, whatever it looks like: a controller gets references
// to a file that the host has not even written.
func TestNoArgumentLeavesTheHost(t *testing.T) {
	const word = "quietword"
	s := newNodeStage(t)
	s.docker("run", "-d", "--name", "web", "--stop-timeout", "1", "--label", "team="+word,
		"--health-cmd", "test -n "+word, "--log-opt", "tag="+word,
		"--entrypoint", "/bin/sh", "app:1", "-c", `sleep 3600; echo "$@"`, "-u", word)
	silent := func(r dropcap.Receipt, status int) dropcap.Receipt {
		t.Helper()
		text, err := json.Marshal(r)
		if err != nil || r.Status != status || len(r.Document) == 0 {
			t.Errorf("%v, status %d: %+v %+v", err, r.Status, r, r.Error)
		}
		if strings.Contains(string(text), word) || strings.Contains(string(r.Document), word) {
			t.Errorf("a receipt holds an argument: %s", text)
		}
		return r
	}
	silent(s.p.node(t, "audit", "--request="+s.request()), 3)
	planned := silent(s.p.node(t, "plan", "--request="+s.request()), 3)
	if by := planOf(t, planned).Steps[0].Commands.Apply; !strings.Contains(by, `app:1 "$`) {
		t.Errorf("the command has no place for its arguments: %s", by)
	}
	plan := s.plan("web")
	silent(s.p.node(t, "apply", "--request="+s.request(), "--plans="+plan, "--soak=200ms",
		"--deadline=100"), 0)
	silent(s.p.node(t, "history", "--request="+s.request()), 0)
}
