package page_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// systemd opens the socket and starts the program when somebody comes (sd_listen_fds(3)).
func TestASocketThatSystemdPasses(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	path := filepath.Join(testenv.ShortFolder(t), "page.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh",
		testenv.Binary(t), "serve", "--store", filepath.Join(t.TempDir(), "store"))
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.Host)
	cmd.ExtraFiles = []*os.File{file} // becomes 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
	var text []byte
	if !testenv.Within(30*time.Second, func() bool {
		answer, err := client.Get("http://localhost/")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, _ = io.ReadAll(answer.Body)
		return strings.Contains(string(text), `<a href="/container/web">`)
	}) {
		t.Errorf("nobody answers with the page: %s\n%s", text, said.String())
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v\n%s", err, said.String())
	}
}

// What is asked of serve and cannot be is refused in one sentence, before anything listens.
func TestServeRefusesWhatItMustNotDo(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, short := write("open", strings.Repeat("x", 40), 0o644), write("short", "secret", 0o600)
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"beyond this machine": {[]string{"--listen", "0.0.0.0:0"}, 2, "there is no TLS"},
		"no address":          {[]string{"--listen", "here"}, 2, "no address and port"},
		"half of TLS": {[]string{"--listen", "127.0.0.1:0", "--tls-cert", open}, 2,
			"belong together"},
		"a token for everyone": {[]string{"--token-file", open}, 2, "others may read it"},
		"a short token":        {[]string{"--token-file", short}, 2, "fewer than 20"},
		"no such token":        {[]string{"--token-file", dir + "/none"}, 1, "cannot read"},
		"a file for a socket":  {[]string{"--socket", short}, 1, "no socket"},
		"a bad level":          {[]string{"--level", "most"}, 2, "cis and least"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(testenv.Binary(t), append([]string{"serve", "--store",
				filepath.Join(dir, "store")}, c.args...)...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(out), c.says) ||
				!strings.HasPrefix(string(out), "dropcap: error: cannot ") {
				t.Errorf("%v, want status %d and %q: %s", err, c.status, c.says, out)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "store")); err == nil {
		t.Error("a refusal has made a store")
	}
}
