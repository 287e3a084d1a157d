package e2e_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// One container whose labels are too long to be read is unknown, with the reason; all others are
// judged, planned, recorded and changed.
func TestOneContainerThatCannotBeReadBlocksNoOther(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	s.docker("run", "-d", "--name", "web", "app:1")
	s.docker("run", "-d", "--name", "shared", "app:1")
	body := `{"Image":"app:1","Labels":{"x":"` + strings.Repeat("x", 12<<20) +
		`"},"HostConfig":{"NetworkMode":"container:shared"}}`
	if status, answer, err := e.Raw(t.Context(), http.MethodPost, "/containers/create?name=huge",
		body); err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	s.docker("start", "huge")

	const why = "it is larger than 8 MiB"
	const rows = "{{.Name}} {{.Verdict}} {{.Why}}"
	if out := s.dropcap(3, "audit", "--format", rows); !strings.Contains(out, "huge unknown") ||
		!strings.Contains(out, why) || !strings.Contains(out, "web fail") {
		t.Errorf("audit says\n%s", out)
	}
	if out := s.dropcap(7, "audit", "huge", "--format", rows); !strings.Contains(out,
		"huge unknown") || !strings.Contains(out, why) {
		t.Errorf("audit of it says\n%s", out)
	}
	for _, format := range []string{"table", "wide", "json", "html", "sarif", "markdown", "cis",
		"csv", "junit"} {
		if out := s.dropcap(3, "audit", "--format", format); !strings.Contains(out, why) {
			t.Errorf("%s leaves it out:\n%.2000s", format, out)
		}
	}
	if out := s.dropcap(7, "explain", "huge"); !strings.Contains(out, why) {
		t.Errorf("explain says\n%s", out)
	}

	plan := s.dropcap(3, "plan", "--format", "{{.Name}}: {{.Refused}}")
	for _, want := range []string{"web: \n", "huge: cannot read the engine's description of it: " +
		why, "shared: cannot change shared with huge, which lives in its namespaces: cannot read"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	s.dropcap(7, "apply", "huge", "--yes", "--soak", "0s")
	s.dropcap(7, "apply", "shared", "--yes", "--soak", "0s")
	s.dropcap(0, "apply", "web", "--yes", "--soak", "0s", "--no-watch")
	if got := s.docker("inspect", "--format", "{{.HostConfig.CapDrop}} {{.State.Running}}",
		"web"); got != "[CAP_NET_RAW] true" {
		t.Errorf("web drops %s", got)
	}
	if got := s.docker("ps", "--format", "{{.Names}}", "--filter", "name=huge", "--filter",
		"name=shared"); got != "huge\nshared" && got != "shared\nhuge" {
		t.Errorf("there run %q", got)
	}
	s.dropcap(0, "backout", "--last", "--yes")
}

// The same on a host that learns: the rest is recorded, and the unreadable one is named.
func TestLearningGoesOnBesideOneThatCannotBeRead(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	s.docker("run", "-d", "--name", "web", "app:1")
	body := `{"Image":"app:1","Labels":{"x":"` + strings.Repeat("x", 12<<20) + `"}}`
	if status, answer, err := e.Raw(t.Context(), http.MethodPost, "/containers/create?name=huge",
		body); err != nil || status != 201 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	s.docker("start", "huge")
	out := s.dropcap(7, "learn", "--for", "2s")
	if !strings.Contains(out, "web") ||
		!strings.Contains(out, "cannot learn from huge: it is larger than 8 MiB") {
		t.Errorf("learn says\n%s", out)
	}
}

// Whatever else makes one unreadable: the others are judged.
func TestGarbageAndSilenceAboutOneContainer(t *testing.T) {
	for name, fault := range map[string]fake.Fault{
		"garbage":         {Body: "\x00\x1b[2Jnonsense"},
		"another's":       {Body: `{"Id":"` + strings.Repeat("b", 64) + `"}`},
		"labels":          {Body: `{"Id":"ID","Config":{"Labels":["a"]}}`},
		"an error":        {Status: 500, Body: `{"message":"broken \u001b[31m"}`},
		"says not there":  {Status: 404},
		"never an answer": {Hang: true},
		"half an answer":  {Hang: true, Body: `{"Id":`},
		"cut":             {Raw: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Id\":"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pair(t)
			id := e.Add(fake.Container{Name: "odd", State: "running"})
			fault.Path, fault.Body = "/containers/"+id, strings.ReplaceAll(fault.Body, "ID", id)
			e.Misbehave(fault)
			r := on(e).run(t, "audit", "--timeout", "1s", "--format", "{{.Name}} {{.Verdict}}")
			r.want(t, 3)
			if !strings.Contains(r.out, "odd unknown\n") || strings.Count(r.out, "\n") != 3 ||
				!strings.Contains(r.out, " pass\n") || !strings.Contains(r.out, " fail\n") {
				t.Errorf("it prints\n%s", r.out)
			}
			store := filepath.Join(t.TempDir(), "store")
			r = on(e).run(t, "plan", "odd", "--timeout", "1s", "--store", store, "--format",
				"{{.Name}} {{.Refused}}")
			if r.status != 7 ||
				!strings.HasPrefix(r.out, "odd cannot read the engine's description of it: ") {
				t.Errorf("the plan: status %d\n%s%s", r.status, r.out, r.err)
			}
		})
	}
}
