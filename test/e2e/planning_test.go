package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/store"
	"dropcap/internal/testenv"
)

// stage runs the program against an engine, with a store of its own.
type stage struct {
	t      *testing.T
	engine *dockertest.Engine
	folder string
}

func (s stage) docker(args ...string) string {
	s.t.Helper()
	out, err := s.engine.CLI(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s stage) dropcap(status int, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(testenv.Binary(s.t), append(args, "--store", s.folder)...)
	cmd.Env = append(os.Environ(), s.engine.Env()...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("dropcap %s: exit status %d, want %d (%v)\n%s", strings.Join(args, " "), got,
			status, err, out)
	}
	return string(out)
}

func (s stage) journal(changes ...dropcap.Change) {
	s.t.Helper()
	st, err := store.Open(s.folder)
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	for _, c := range changes {
		if err := st.Write(context.Background(), dropcap.Note{Change: c}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A change retains its old container, stopped: it is not planned, and audit does not fail for it,
// as long as nobody starts it.
func TestWhatAChangeRetainsIsNoFinding(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	old := s.docker("create", "--name", "web-dropcap-1f0c5a9e77b2", "app:1")
	now := s.docker("run", "-d", "--name", "web", "--cap-drop", "NET_RAW", "app:1")
	lookalike := s.docker("create", "--name", "db-dropcap-1f0c5a9e77b2", "app:1")
	s.dropcap(3, "audit", "web-dropcap-1f0c5a9e77b2")
	change := dropcap.Change{
		ID: "1f0c5a9e77b2", Plan: "0123456789ab", Workload: "docker:web", Name: "web",
		Strategy: dropcap.StrategyRecreate, Before: old, After: now,
		Was: dropcap.Grant{Holds: caps.DockerDefaults},
		Is: dropcap.Grant{CapDrop: []string{"NET_RAW"},
			Holds: caps.DockerDefaults.Minus(caps.Of(caps.NetRaw))},
		State: dropcap.Checking, Started: "2026-07-01T11:59:18Z",
		Timeline: []dropcap.Event{{At: "2026-07-01T11:59:18Z", Event: "note-begin"}},
	}
	s.journal(change)
	s.dropcap(3, "audit", old) // a change that goes on retains nothing yet
	if out := s.dropcap(0, "plan", "web"); !strings.Contains(out,
		"change 1f0c5a9e77b2 of web is not finished") {
		t.Errorf("plan does not say that a change was interrupted:\n%s", out)
	}

	change.State, change.Ended, change.DowntimeMS = dropcap.Applied, "2026-07-01T11:59:20Z", 312
	s.journal(change)
	if out := s.dropcap(0, "audit", "web", old); !strings.Contains(out,
		"retained by change 1f0c5a9e77b2") {
		t.Errorf("audit does not say why it passes over the old container:\n%s", out)
	}
	if out := s.dropcap(0, "audit", old, "--format", "json"); !strings.Contains(out,
		`"retained": "1f0c5a9e77b2"`) || !strings.Contains(out, `"verdict": "waived"`) {
		t.Errorf("the audit's document does not say it:\n%s", out)
	}
	s.dropcap(0, "explain", old)
	if out := s.dropcap(0, "plan", "web", old); strings.Contains(out, old[:12]) {
		t.Errorf("the retained container is planned:\n%s", out)
	}
	s.dropcap(3, "audit", lookalike) // a name proves nothing
	s.dropcap(3, "plan", lookalike)

	s.docker("start", old)
	s.dropcap(3, "audit", old)
	s.dropcap(3, "plan", old)
	s.docker("kill", old)
	change.State = dropcap.BackedOut // then the new one is left behind
	s.journal(change)
	s.dropcap(3, "audit", old)
	s.docker("kill", now)
	s.dropcap(0, "plan", "--level", "least", now)
	if out := s.dropcap(0, "audit", "--level", "least", now); !strings.Contains(out,
		"retained by change") {
		t.Errorf("the new one is judged:\n%s", out)
	}
	change.State, change.Pruned = dropcap.Applied, true
	s.journal(change)
	s.dropcap(3, "audit", old)

	for _, ask := range [][]string{{"history"}, {"history", "1f0c"}, {"history", "web"},
		{"history", old[:12]}, {"history", "--format", "json"}} {
		if out := s.dropcap(0, ask...); !strings.Contains(out, "1f0c5a9e77b2") ||
			!strings.Contains(out, "applied") {
			t.Errorf("%q tells:\n%s", ask, out)
		}
	}
	if out := s.dropcap(0, "history", "web"); !strings.Contains(out, "note-begin") ||
		!strings.Contains(out, "312 ms") {
		t.Errorf("the timeline tells:\n%s", out)
	}
	if out := s.dropcap(1, "history", "nobody"); !strings.Contains(out,
		`cannot find a change "nobody"`) {
		t.Errorf("it says:\n%s", out)
	}
}

// The container that carries dropcap's own connection must not be stopped.
func TestTheContainerThatCarriesTheConnectionIsRefused(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	port := forward(t, strings.TrimPrefix(e.Host, "unix://"))
	// as it would be declared for the real one
	s.docker("create", "--name", "proxy", "--publish", "127.0.0.1:"+port+":2375", "app:1")
	s.docker("create", "--name", "other", "--publish", "1"+port[1:]+":2375", "app:1")
	if out := s.dropcap(3, "plan", "proxy"); strings.Contains(out, "refused") {
		t.Errorf("through the socket it does not matter:\n%s", out)
	}
	through := "--host=tcp://127.0.0.1:" + port
	if out := s.dropcap(7, through, "plan", "proxy", "--format", "{{.Refused}}"); !strings.Contains(
		out, "it publishes port "+port+", which dropcap is connected to") {
		t.Errorf("it is not refused:\n%s", out)
	}
	s.dropcap(3, through, "plan", "other")
	t.Setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 "+port)
	s.dropcap(3, "plan", "proxy") // another address is another connection
	t.Setenv("SSH_CONNECTION", "127.0.0.1 50000 127.0.0.1 "+port)
	if out := s.dropcap(7, "plan", "proxy", "--format", "{{.Refused}}"); !strings.Contains(out,
		"which you are logged in through") {
		t.Errorf("the login's container is not refused:\n%s", out)
	}
}

// An engine that fails for one container does not keep the others from being planned.
func TestAContainerThatCannotBeReadIsRefusedAlone(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	bad := s.docker("create", "--name", "bad", "app:1")
	s.docker("create", "--name", "good", "app:1")
	to := &url.URL{Scheme: "http", Host: "engine"}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _,
		_ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(e.Host, "unix://"))
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/containers/"+bad+"/changes") {
			http.Error(w, `{"message":"the layer is damaged"}`, http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	through := "--host=" + strings.Replace(front.URL, "http", "tcp", 1)
	out := s.dropcap(3, through, "plan", "--format", "{{.Name}}: {{.Refused}} {{.Fingerprint}}")
	if !strings.Contains(out, "the layer is damaged") || !strings.Contains(out, "good:  ") ||
		strings.Contains(out, "bad:  ") {
		t.Errorf("it plans:\n%s", out)
	}
	s.dropcap(7, through, "plan", "bad")
	s.dropcap(7, through, "plan", "bad", "--reveal", filepath.Join(t.TempDir(), "env"))
}

// forward listens on a port and passes everything to a unix socket.
func forward(t *testing.T, socket string) (port string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				in.Close()
				continue
			}
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// The same script on later engines, whose answers look different; only under DROPCAP_TEST_FULL.
func TestPlanOnLaterEngines(t *testing.T) {
	var kinds []dockertest.Kind
	if os.Getenv("DROPCAP_TEST_FULL") != "" {
		kinds = []dockertest.Kind{dockertest.Docker26, dockertest.Docker29}
	}
	script, err := os.ReadFile("testdata/engine/plan.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plan.txtar"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
				t.Fatal(err)
			}
			runScripts(t, dir, e.Env()...)
		})
	}
}
