// Package change_test checks that a container can be changed and put back without losing anything:
// on real engines, with containers of every kind (corpus), and with everything going wrong at every
// step (crashes).
package change_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

const image = "app:1"

var full = os.Getenv("DROPCAP_TEST_FULL") != ""

// stage is an engine with the image, and dropcap with a store of its own.
type stage struct {
	*dockertest.Engine
	program string
	store   string
	env     []string
}

func newStage(t *testing.T, kind dockertest.Kind, opts ...dockertest.Option) *stage {
	t.Helper()
	s := &stage{Engine: dockertest.Start(t, kind, opts...), program: testenv.Binary(t),
		store: filepath.Join(t.TempDir(), "store")}
	s.env = append(os.Environ(), append(s.Env(), "NO_COLOR=1", "HOME="+t.TempDir())...)
	s.importImage(t, image, `CMD ["/serve"]`, "ENV PATH=/bin")
	return s
}

// importImage creates an image of busybox and the program serve. Changes are Dockerfile lines.
func (s *stage) importImage(t *testing.T, name string, changes ...string) {
	t.Helper()
	repo, tag, _ := strings.Cut(name, ":")
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {tag},
		"changes": changes}.Encode()
	// also in a cleanup, when the test's own context has ended
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	status, answer, err := s.Raw(ctx, http.MethodPost, path, string(rootfs(t)))
	if err != nil || status != http.StatusOK || strings.Contains(string(answer), `"error"`) {
		t.Fatalf("cannot import %s: %v, %d, %s", name, err, status, answer)
	}
}

var root struct {
	sync.Mutex
	tar []byte
}

// rootfs is the image's content, built once.
func rootfs(t *testing.T) []byte {
	t.Helper()
	root.Lock()
	defer root.Unlock()
	if root.tar == nil {
		root.tar = makeRootfs(t)
	}
	return root.tar
}

func makeRootfs(t *testing.T) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "serve")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./serve")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build serve: %v\n%s", err, out)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, dir := range []string{"bin", "etc", "root", "var", "dev", "proc", "sys", "srv"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	for _, name := range []string{"pictures/", "pictures/old/"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, nil)
	}
	for _, name := range []string{"pictures/a", "pictures/b", "pictures/old/c"} {
		add(tar.Header{Name: name, Mode: 0o644}, []byte(name))
	}
	add(tar.Header{Name: "serve", Mode: 0o755}, read(program))
	add(tar.Header{Name: "bin/busybox", Mode: 0o755},
		read(filepath.Join(testenv.Cache(), "base/bin/busybox")))
	for _, name := range append(slices.Clone(dockertest.Applets), "nslookup", "sort", "stat",
		"ulimit", "awk", "printf", "cut", "tr", "pwd", "wc", "sync") {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox",
			Mode: 0o777}, nil)
	}
	add(tar.Header{Name: "etc/passwd", Mode: 0o644},
		[]byte("root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n"))
	add(tar.Header{Name: "etc/group", Mode: 0o644},
		[]byte("root:x:0:\nweb:x:1000:\nextra:x:2000:web\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ended is how a program ended.
type ended struct {
	args     []string
	status   int
	out, err string
}

func (e ended) String() string {
	return fmt.Sprintf("dropcap %s: status %d\n%s%s", strings.Join(e.args, " "), e.status, e.out,
		e.err)
}

// command returns dropcap on this engine and store.
func (s *stage) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.program, append(slices.Clone(args), "--store", s.store)...)
	cmd.Env = s.env
	return cmd
}

// dropcap runs it. Every test includes that it ends at all.
func (s *stage) dropcap(t *testing.T, args ...string) ended {
	t.Helper()
	return s.wait(t, s.command(args...), args)
}

const endsWithin = 3 * time.Minute

func (s *stage) wait(t *testing.T, cmd *exec.Cmd, args []string) ended {
	t.Helper()
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if cmd.Process == nil {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	timer := time.AfterFunc(endsWithin, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.Errorf("dropcap %v does not end within %v", args, endsWithin)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ended{args: args, status: cmd.ProcessState.ExitCode(), out: out.String(),
		err: problem.String()}
}

// shell runs a script of docker commands against the engine, and returns its output.
func (s *stage) shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Env = s.env
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v in %s\n%s%s", err, script, out, problem.String())
	}
	return strings.TrimSpace(string(out))
}

// history returns the store's changes, newest first.
func (s *stage) history(t *testing.T) []dropcap.Change {
	t.Helper()
	r := s.dropcap(t, "history", "--format", "json")
	var list dropcap.Changes
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		t.Fatalf("history is no document: %v: %v", err, r)
	}
	return list.Changes
}

// inspect returns the engine's raw answer, at a version of its API ("" for the highest).
func (s *stage) inspect(t *testing.T, id, api string) json.RawMessage {
	t.Helper()
	path := "/containers/" + id + "/json"
	if api != "" {
		path = "/v" + api + path
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	status, answer, err := s.Raw(ctx, http.MethodGet, path, "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("inspect %s: %v, %d, %s", id, err, status, answer)
	}
	return answer
}

// sweep removes what a sample has created: the engine is ours alone.
func (s *stage) sweep(t *testing.T) {
	t.Helper()
	s.shell(t, `c=$(docker ps -aq); [ -z "$c" ] || docker rm -fv $c; docker network prune -f
		v=$(docker volume ls -q); [ -z "$v" ] || docker volume rm -f $v`)
}
