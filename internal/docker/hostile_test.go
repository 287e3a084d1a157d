package docker_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
)

func open(t *testing.T, host string) (*docker.Client, error) {
	t.Helper()
	c, err := docker.Open(t.Context(), docker.Options{Host: host, Getenv: noEnv,
		ConfigDir: t.TempDir(), Timeout: 2 * time.Second})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func mustOpen(t *testing.T, e *fake.Engine) *docker.Client {
	t.Helper()
	c, err := open(t, e.Host)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks what holds for every error shown to people: it is a sentence that begins with
// "cannot", it is printable, and it has the exit status.
func wantError(t *testing.T, err error, exit int, part string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if !strings.HasPrefix(text, "cannot ") || !strings.Contains(text, part) {
		t.Errorf("error is %q, want a sentence with %q", text, part)
	}
	if got := dropcap.ExitOf(err); got != exit {
		t.Errorf("%q: exit status %d, want %d", text, got, exit)
	}
	if strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r)
	}) || len(text) > 700 {
		t.Errorf("error is not one short printable line: %q", text)
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name    string
		options fake.Options
		fault   *fake.Fault
		exit    int
		part    string
	}{
		{"too old", fake.Options{API: "1.39", Version: "18.09.9"}, nil, dropcap.ExitHost, "1.39"},
		{"another server", fake.Options{}, &fake.Fault{Status: 404, Body: "<html>\x1b[31mnot here"},
			dropcap.ExitError, "not here"},
		{"refused", fake.Options{}, &fake.Fault{Status: 403}, dropcap.ExitHost, "Forbidden"},
		{"not HTTP", fake.Options{}, &fake.Fault{Raw: "SSH-2.0-OpenSSH_9.2\r\n"}, dropcap.ExitError,
			"answer to GET /_ping"},
		{"closed", fake.Options{}, &fake.Fault{Raw: " "}, dropcap.ExitError,
			"answer to GET /_ping"},
		{"hangs", fake.Options{}, &fake.Fault{Hang: true}, dropcap.ExitHost, "within 2s"},
		{"nonsense version", fake.Options{API: "1.x"}, nil, dropcap.ExitHost, "no API version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := fake.Start(t, test.options)
			if test.fault != nil {
				e.Misbehave(*test.fault)
			}
			_, err := open(t, e.Host)
			wantError(t, err, test.exit, test.part)
		})
	}
}

func TestOpenWithoutHeaders(t *testing.T) {
	e := fake.Start(t, fake.Options{Podman: true})
	e.Misbehave(fake.Fault{Path: "/_ping", Body: "OK"})
	c := mustOpen(t, e)
	h, err := c.Host(t.Context())
	if err != nil || h.Engine != (dropcap.Engine{Name: "podman", Version: "4.3.1", API: "1.41"}) {
		t.Errorf("behind a proxy that drops headers: %+v, %v", h.Engine, err)
	}
}

func TestOpenNobodyThere(t *testing.T) {
	dir := t.TempDir()
	_, err := open(t, "unix://"+dir+"/none.sock")
	wantError(t, err, dropcap.ExitHost, "no such socket")

	stale := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, err = open(t, "unix://"+stale)
	wantError(t, err, dropcap.ExitHost, "nobody listens")

	_, err = open(t, "tcp://127.0.0.1:1")
	wantError(t, err, dropcap.ExitHost, "tcp://127.0.0.1:1")
	_, err = open(t, "tcp://no-such-host.invalid:2375")
	wantError(t, err, dropcap.ExitHost, "no-such-host.invalid")
}

// TestOpenPermission runs this test again as nobody, to whom the socket is closed.
func TestOpenPermission(t *testing.T) {
	const socket = "DROPCAP_TEST_SOCKET"
	if path := os.Getenv(socket); path != "" {
		_, err := docker.Open(t.Context(), docker.Options{Host: "unix://" + path, Getenv: noEnv,
			ConfigDir: "/nonexistent"})
		wantError(t, err, dropcap.ExitHost, "permission denied")
		var e *dropcap.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, "group docker") {
			t.Errorf("hint of %v", err)
		}
		return
	}
	e := fake.Start(t, fake.Options{})
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	if err := errors.Join(os.Chmod(filepath.Dir(e.Socket), 0o755),
		os.Chmod(e.Socket, 0)); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "permission-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.ReadFile("/proc/self/exe") // only we may enter go test's own folder
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "self")
	if err := errors.Join(os.WriteFile(copied, self, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "-test.run=^TestOpenPermission$", "-test.v")
	cmd.Dir, cmd.SysProcAttr, cmd.Env = "/", attr, append(os.Environ(), socket+"="+e.Socket)
	if out, err := cmd.CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "--- PASS: TestOpenPermission") {
		t.Errorf("%v\n%s", err, out)
	}
}

const (
	goodID = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	elseID = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestInspectHostileAnswers(t *testing.T) {
	deep := strings.Repeat(`{"State":`, 100_000)
	for name, fault := range map[string]fake.Fault{
		"empty":          {Status: 200, Body: " "},
		"garbage":        {Body: "\x00\xff\x1b[2Jnonsense"},
		"a list":         {Body: "[]"},
		"a string":       {Body: `"hello"`},
		"null":           {Body: "null"},
		"truncated":      {Body: `{"Id":"` + goodID + `","State":{`},
		"cut off":        {Raw: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Id\":"},
		"endless header": {Raw: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20)},
		"bad chunks":     {Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
		"two values":     {Body: `{"Id":"` + goodID + `"}{}`},
		"deep":           {Body: deep},
		"huge": {Body: `{"Id":"` + goodID + `","Name":"` + strings.Repeat("x", 9<<20) +
			`"}`},
		"no id":            {Body: `{"Name":"/web"}`},
		"id as path":       {Body: `{"Id":"../../../../etc/passwd"}`},
		"id in capitals":   {Body: `{"Id":"` + strings.ToUpper(goodID) + `"}`},
		"another's id":     {Body: `{"Id":"` + elseID + `"}`},
		"id is a number":   {Body: `{"Id":7}`},
		"labels as a list": {Body: `{"Id":"` + goodID + `","Config":{"Labels":["a"]}}`},
		"caps as a string": {Body: `{"Id":"` + goodID + `","HostConfig":{"CapAdd":"ALL"}}`},
		"privileged twice": {Body: `{"Id":"` + goodID + `","HostConfig":{"Privileged":"no"}}`},
		"negative pid":     {Body: `{"Id":"` + goodID + `","State":{"Status":"running","Pid":-1}}`},
		"pid 1e9": {Body: `{"Id":"` + goodID +
			`","State":{"Status":"running","Pid":1000000000}}`},
		"pid overflow": {Body: `{"Id":"` + goodID + `","State":{"Pid":1e400}}`},
		"exec id as path": {Body: `{"Id":"` + goodID +
			`","State":{"Status":"running"},"ExecIDs":["../info"]}`},
		"too many execs": {Body: `{"Id":"` + goodID +
			`","State":{"Status":"running"},"ExecIDs":["` + strings.Repeat(elseID+`","`,
			5000) + elseID + `"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := fake.Start(t, fake.Options{})
			c := mustOpen(t, e)
			fault.Path = "/containers/"
			e.Misbehave(fault)
			_, err := c.Inspect(t.Context(), goodID)
			wantError(t, err, dropcap.ExitError, "cannot read the engine's answer to GET /")
		})
	}
}

func TestListHostileAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"an object": `{}`,
		"garbage":   "nonsense",
		"one bad":   `[{"Id":"` + goodID + `","Names":["/a"]},{"Id":"..","Names":["/b"]}]`,
		"numbers":   `[1,2]`,
	} {
		t.Run(name, func(t *testing.T) {
			e := fake.Start(t, fake.Options{})
			c := mustOpen(t, e)
			e.Misbehave(fake.Fault{Path: "/containers/", Body: body})
			_, err := c.List(t.Context(), nil)
			wantError(t, err, dropcap.ExitError, "cannot read the engine's answer to GET /")
		})
	}
}

func TestListName(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := mustOpen(t, e)
	e.Misbehave(fake.Fault{Path: "/containers/", Body: `[{"Id":"` + goodID +
		`","Names":["/web/db","/db"]},{"Id":"` + elseID + `","Names":null}]`})
	list, err := c.List(t.Context(), nil)
	if err != nil || len(list) != 2 || list[0].Name != "db" || list[1].Name != "" {
		t.Errorf("%+v, %v: a legacy link's name is not the container's", list, err)
	}
}

func TestRefusals(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := mustOpen(t, e)
	e.Misbehave(fake.Fault{Path: "/containers/json", Status: 403,
		Body: `{"message":"authorization denied by plugin: \u001b[31mno"}`})
	_, err := c.List(t.Context(), nil)
	wantError(t, err, dropcap.ExitHost, "authorization denied by plugin")
	e.Misbehave(fake.Fault{Path: "/containers/", Status: 500, Body: strings.Repeat("long ", 1000)})
	_, err = c.Inspect(t.Context(), goodID)
	wantError(t, err, dropcap.ExitError, "long long")
	_, err = c.List(t.Context(), []string{"nonsense"})
	wantError(t, err, dropcap.ExitUsage, `"nonsense"`)
}

// TestInfoForbidden: proxies that guard the socket often block /info.
func TestInfoForbidden(t *testing.T) {
	e := fake.Start(t, fake.Options{Version: "26.1.5", API: "1.45"})
	c := mustOpen(t, e)
	e.Misbehave(fake.Fault{Path: "/info", Status: 403})
	h, err := c.Host(t.Context())
	if err != nil || h.Engine.Version != "26.1.5" || h.Kernel == "" || h.ID != "" ||
		h.Cgroup != "" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestHang(t *testing.T) {
	for name, fault := range map[string]fake.Fault{
		"no answer":         {Path: "/containers/", Hang: true},
		"half an answer":    {Path: "/containers/", Hang: true, Body: `{"Id":`},
		"a late answer":     {Path: "/containers/", Delay: 10 * time.Second},
		"hangs on an image": {Path: "/images/", Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := fake.Start(t, fake.Options{})
			id := e.Add(fake.Container{Labels: map[string]string{"com.docker.compose.project": "a",
				"com.docker.compose.service": "b"}})
			c, err := docker.Open(t.Context(), docker.Options{Host: e.Host, Getenv: noEnv,
				ConfigDir: t.TempDir(), Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			e.Misbehave(fault)
			start := time.Now()
			got, err := c.Inspect(t.Context(), id)
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
			if fault.Path == "/images/" {
				if err != nil || got.EngineLabels.ImageKnown || len(got.EngineLabels.Own) != 2 {
					t.Errorf("%+v, %v: what the image says is not known", got.EngineLabels, err)
				}
				return
			}
			wantError(t, err, dropcap.ExitHost, "within 1s")
		})
	}
}

func TestInterrupt(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "c", Labels: labels{"com.docker.compose.project": "a",
		"com.docker.compose.service": "b"}})
	for path, ask := range map[string]func(context.Context, *docker.Client) error{
		"/containers/json": func(ctx context.Context, c *docker.Client) error {
			_, err := c.List(ctx, nil)
			return err
		},
		"/containers/c": func(ctx context.Context, c *docker.Client) error {
			_, err := c.Inspect(ctx, "c")
			return err
		},
		"/images/": func(ctx context.Context, c *docker.Client) error {
			_, err := c.Inspect(ctx, "c")
			return err
		},
		"/info": func(ctx context.Context, c *docker.Client) error {
			_, err := c.Host(ctx)
			return err
		},
	} {
		e.Behave()
		c := mustOpen(t, e)
		e.Misbehave(fake.Fault{Path: path, Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		start := time.Now()
		err := ask(ctx, c)
		wantError(t, err, dropcap.ExitInterrupt, "cannot finish")
		if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
			t.Errorf("%s: after %v: %v", path, time.Since(start), err)
		}
	}
}

// TestVanish: between the list and the inspect, and between the inspect and its execs.
func TestVanish(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	id := e.Add(fake.Container{Name: "brief", State: "running"})
	e.VanishAfterList("brief")
	c := mustOpen(t, e)
	list, err := c.List(t.Context(), nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err := c.Inspect(t.Context(), id); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	id = e.Add(fake.Container{Name: "lasting", State: "running"})
	gone := e.AddExec(id, fake.Exec{})
	stays := e.AddExec(id, fake.Exec{Privileged: true, User: "0"})
	e.ForgetExec(gone)
	got, err := c.Inspect(t.Context(), id)
	if err != nil || len(got.Execs) != 1 || got.Execs[0].ID != stays || !got.Execs[0].Privileged {
		t.Errorf("%+v, %v", got.Execs, err)
	}
}

// Podman 4.3 answers 500 if a container goes away while it is described.
func TestVanishInMidAnswerOfPodman(t *testing.T) {
	for _, message := range []string{"container ID does not exist in database: no such container",
		"inspecting ID: container has already been removed"} {
		e := fake.Start(t, fake.Options{Podman: true})
		id := e.Add(fake.Container{State: "running"})
		c := mustOpen(t, e)
		e.Misbehave(fake.Fault{Path: "/libpod/containers/", Status: 500,
			Body: `{"cause":"x","message":"` + strings.ReplaceAll(message, "ID", id) +
				`","response":500}`})
		if _, err := c.Inspect(t.Context(), id); !errors.Is(err, dropcap.ErrNotFound) {
			t.Errorf("%s: got %v, want it not found", message, err)
		}
		e.Behave()
		e.Misbehave(fake.Fault{Path: "/libpod/containers/", Status: 500,
			Body: `{"message":"database is locked","response":500}`})
		if _, err := c.Inspect(t.Context(), id); err == nil || errors.Is(err, dropcap.ErrNotFound) {
			t.Errorf("a locked database: got %v", err)
		}
	}
}

func TestDoOwnDeadline(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c, err := docker.Open(t.Context(), docker.Options{Host: e.Host, Getenv: noEnv,
		ConfigDir: t.TempDir(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	e.Misbehave(fake.Fault{Path: "/info", Delay: 200 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if status, _, err := c.Do(ctx, http.MethodGet, "/info", nil, nil); err != nil || status != 200 {
		t.Errorf("the caller's own deadline does not count: %d, %v", status, err)
	}
}
