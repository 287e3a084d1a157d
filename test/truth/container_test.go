package truth_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// container is a container on the private engine. Its methods return errors, since tests here often
// look for a failure.
type container struct {
	e  *dockertest.Engine
	id string
}

// grant is what a container may use: the engine's defaults with additions, or exactly a set.
type grant struct {
	add   []string
	exact bool
	set   caps.Set
}

func exactly(set caps.Set) grant { return grant{exact: true, set: set} }

// create creates a container of a workload without starting it.
func create(e *dockertest.Engine, w workload, name string, g grant) (*container, error) {
	host := map[string]any{"NetworkMode": "none", "CapAdd": g.add,
		"Tmpfs": map[string]string{"/scratch": ""}}
	if g.exact {
		host["CapDrop"], host["CapAdd"] = []string{caps.All}, g.set.Names()
	}
	maps.Copy(host, w.host)
	if w.fresh != nil {
		own, err := w.fresh()
		if err != nil {
			return nil, err
		}
		maps.Copy(host, own)
	}
	body := map[string]any{"Image": w.image, "Cmd": w.cmd, "Env": w.env, "Volumes": w.volumes,
		"HostConfig": host}
	var made struct{ Id string }
	if err := request(e, http.MethodPost, "/containers/create?name="+url.QueryEscape(name),
		encode(body), &made); err != nil {
		return nil, err
	}
	return &container{e, made.Id}, nil
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func request(e *dockertest.Engine, method, path, body string, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	status, answer, err := e.Raw(ctx, method, path, body)
	if err == nil && status >= 400 {
		err = fmt.Errorf("%s %s: %d: %s", method, path, status, strings.TrimSpace(string(answer)))
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (c *container) do(method, path, body string, out any) error {
	return request(c.e, method, "/containers/"+c.id+path, body, out)
}

func (c *container) start() error  { return c.do(http.MethodPost, "/start", "", nil) }
func (c *container) remove() error { return c.do(http.MethodDelete, "?force=1&v=1", "", nil) }

func (c *container) signal(name string) error {
	return c.do(http.MethodPost, "/kill?signal="+name, "", nil)
}

// stop stops it as docker stop does. If it had to be killed, that is an error.
func (c *container) stop() error {
	if err := c.do(http.MethodPost, "/stop?t=10", "", nil); err != nil {
		return err
	}
	s, err := c.state()
	if err == nil && s.ExitCode == 137 {
		err = fmt.Errorf("it had to be killed; %s", c.logs())
	}
	return err
}

func (c *container) state() (dockertest.State, error) {
	var i struct{ State dockertest.State }
	err := c.do(http.MethodGet, "/json", "", &i)
	return i.State, err
}

// exit waits for the end, which must be a success.
func (c *container) exit() error {
	var end struct{ StatusCode int }
	if err := c.do(http.MethodPost, "/wait", "", &end); err != nil {
		return err
	}
	if end.StatusCode != 0 {
		return fmt.Errorf("exit status %d: %s", end.StatusCode, c.logs())
	}
	return nil
}

// logs returns the end of its output, without the stream's frames.
func (c *container) logs() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, text, err := c.e.Raw(ctx, http.MethodGet, "/containers/"+c.id+
		"/logs?stdout=1&stderr=1&tail=5", "")
	if err != nil {
		return err.Error()
	}
	printable := func(r rune) rune {
		if r == '\n' {
			return ' '
		}
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(printable, string(text)))
}

// exec runs a command in it as docker exec does, and returns its output.
func (c *container) exec(user string, command ...string) (string, error) {
	var made struct{ Id string }
	body := encode(map[string]any{"Cmd": command, "User": user, "AttachStdout": true,
		"AttachStderr": true, "Tty": true})
	if err := c.do(http.MethodPost, "/exec", body, &made); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, out, err := c.e.Raw(ctx, http.MethodPost, "/exec/"+made.Id+"/start",
		`{"Detach":false,"Tty":true}`)
	if err != nil {
		return "", err
	}
	var end struct{ ExitCode int }
	if err := request(c.e, http.MethodGet, "/exec/"+made.Id+"/json", "", &end); err != nil {
		return "", err
	}
	if end.ExitCode != 0 {
		return "", fmt.Errorf("%s: exit status %d: %.300s", command[0], end.ExitCode, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// accompany starts a process of another user in it, which keeps running.
func (c *container) accompany(user string, command ...string) error {
	var made struct{ Id string }
	if err := c.do(http.MethodPost, "/exec", encode(map[string]any{"Cmd": command, "User": user}),
		&made); err != nil {
		return err
	}
	return request(c.e, http.MethodPost, "/exec/"+made.Id+"/start", `{"Detach":true}`, nil)
}

// put writes a file of root into it; the engine does, not a process in the container.
func (c *container) put(dir, name, content string) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644,
		Size: int64(len(content))}); err != nil {
		return err
	}
	w.Write([]byte(content))
	w.Close()
	return c.do(http.MethodPut, "/archive?path="+url.QueryEscape(dir), b.String(), nil)
}

// dial connects to a port of its loopback, from within its network namespace.
func (c *container) dial(port int) (net.Conn, error) {
	s, err := c.state()
	if err != nil {
		return nil, err
	}
	if s.Pid == 0 {
		return nil, fmt.Errorf("it does not run; %s", c.logs())
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		conn, err := dialIn(fmt.Sprintf("/proc/%d/ns/net", s.Pid), port)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func dialIn(namespace string, port int) (net.Conn, error) {
	fd, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp4", "127.0.0.1:"+strconv.Itoa(port), 5*time.Second)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return conn, err
}

// eventually repeats a check until it passes, and returns the last error otherwise. It gives up at
// once if the container has ended.
func (c *container) eventually(what string, check func() error) error {
	var err, ended error
	if testenv.Within(15*time.Second, func() bool {
		if err = check(); err == nil {
			return true
		}
		if s, broken := c.state(); broken == nil && !s.Running {
			ended = fmt.Errorf("%s: it ended with status %d: %s", what, s.ExitCode, c.logs())
		}
		return ended != nil
	}) {
		return ended
	}
	return fmt.Errorf("%s: %w; %s", what, err, c.logs())
}
