package dockertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dropcap/internal/dockertest/supervise"
	"dropcap/internal/testenv"
)

// Engine is a running private engine. It is safe for concurrent use, except for Restart, Kill,
// Revive and Stop.
type Engine struct {
	Kind       Kind
	Socket     string // path of the API's socket
	Host       string // the same for DOCKER_HOST: unix://…
	Version    string // from /version, "20.10.24+dfsg1"
	APIVersion string // the highest supported, "1.41"
	DataRoot   string
	CgroupName string // its containers' cgroups are below this name; not for Podman
	PID        int    // of dockerd (containers' monitors are elsewhere); 0 while killed

	layout layout
	keeper *supervise.Keeper
	http   *http.Client
	down   atomic.Bool // set by Stop
}

// Start starts an engine for one test and stops it at the test's end. If the host lacks something,
// it skips the test, or fails it in CI.
func Start(tb testing.TB, kind Kind, opts ...Option) *Engine {
	tb.Helper()
	testenv.Need(tb, kind.Needs()...)
	e, stop, err := StartMain(kind, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			lines := strings.Split(e.Log(), "\n")
			tb.Logf("end of the engine's log:\n%s", strings.Join(lines[max(0, len(lines)-30):],
				"\n"))
		}
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// StartMain starts an engine for a whole package (TestMain) or a program. The error is a
// *testenv.MissingError if the host lacks something. The caller must call stop.
func StartMain(kind Kind, opts ...Option) (e *Engine, stop func() error, err error) {
	if err := testenv.Check(kind.Needs()...); err != nil {
		return nil, nil, err
	}
	set := settings{config: map[string]any{}}
	for _, opt := range opts {
		opt(&set)
	}
	if err := supervise.Sweep(os.TempDir()); err != nil {
		return nil, nil, fmt.Errorf("cannot sweep up an earlier engine: %w", err)
	}
	e, err = start(kind, set)
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", kind, err)
	}
	return e, e.Stop, nil
}

func start(kind Kind, set settings) (*Engine, error) {
	l, err := newLayout(recipes[kind], set)
	if err != nil {
		return nil, err
	}
	spec, err := l.docker(set)
	if kind == Podman4 {
		spec, err = l.podman(set)
	}
	if err != nil {
		os.RemoveAll(l.root)
		return nil, err
	}
	e := &Engine{
		Kind: kind, Socket: l.socket(), Host: "unix://" + l.socket(), DataRoot: l.data(),
		CgroupName: l.id, layout: l, http: dialer(l.socket()),
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	supervisor := exec.Command(self)
	supervisor.Env = []string{supervise.Environment + "=1"}
	if e.keeper, e.PID, err = supervise.Keep(spec, supervisor); err != nil {
		return nil, err
	}
	if err := e.identify(); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

func dialer(socket string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 32}}
}

// identify asks for the version and fails if it is not the kind's.
func (e *Engine) identify() error {
	var v struct{ Version, ApiVersion string }
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := e.get(ctx, "/version", &v); err != nil {
		return err
	}
	e.Version, e.APIVersion = v.Version, v.ApiVersion
	want := recipes[e.Kind]
	if !strings.HasPrefix(v.Version, want.versionPrefix) || v.ApiVersion != want.api {
		return fmt.Errorf("started engine %s, API %s, where %s…, API %s was expected", v.Version,
			v.ApiVersion, want.versionPrefix, want.api)
	}
	return nil
}

// Raw sends a request as it is: body is JSON, a tar or "", the path may include a version
// ("/v1.41/containers/json"). The error is about the transport; an HTTP error is a status.
func (e *Engine) Raw(ctx context.Context, method, path,
	body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path,
		strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// call is like Raw, but any status past 399 is an error. It decodes the answer into out.
func (e *Engine) call(ctx context.Context, method, path, body string, out any) error {
	status, answer, err := e.Raw(ctx, method, path, body)
	if err != nil {
		return err
	}
	if status >= 400 {
		return fmt.Errorf("%s %s: %d: %s", method, path, status, strings.TrimSpace(string(answer)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (e *Engine) get(ctx context.Context, path string, out any) error {
	return e.call(ctx, http.MethodGet, path, "", out)
}

// Restart ends the engine's daemon with SIGTERM, which stops the containers unless
// LiveRestore was given, and starts it again.
func (e *Engine) Restart() error { return e.ask("restart") }

// Kill ends the engine's daemon with SIGKILL; containers run on.
func (e *Engine) Kill() error { return e.ask("kill") }

// Revive starts the daemon again after Kill.
func (e *Engine) Revive() error { return e.ask("start") }

func (e *Engine) ask(op string) (err error) {
	e.PID, err = e.keeper.Ask(op)
	e.http.CloseIdleConnections()
	return err
}

// Stop takes down the engine and everything that belongs to it. Further calls do nothing.
func (e *Engine) Stop() error {
	e.down.Store(true)
	e.http.CloseIdleConnections()
	return e.keeper.End()
}

// Log returns the daemons' output.
func (e *Engine) Log() string {
	var all strings.Builder
	for _, name := range []string{"containerd.log", "engine.log"} {
		text, _ := os.ReadFile(e.layout.file(name))
		all.Write(text)
	}
	return all.String()
}
