package truth_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

const (
	oneImage     = "one:1"
	serversImage = "servers:1"
)

// importOne creates the image of our own programs: one binary, and files of several owners.
func importOne(t *testing.T, e *dockertest.Engine) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "one")
	build := exec.Command("go", "build", "-o", program, "./testdata/one")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the programs: %v\n%s", err, out)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range []string{"etc", "tmp", "dev", "proc", "sys", "scratch"} {
		add(t, w, tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	add(t, w, tar.Header{Typeflag: tar.TypeDir, Name: "data/", Mode: 0o755}, nil)
	add(t, w, tar.Header{Name: "one", Mode: 0o755}, binary)
	add(t, w, tar.Header{Name: "data/owned", Mode: 0o644, Uid: 1000, Gid: 1000}, nil)
	add(t, w, tar.Header{Name: "data/closed", Mode: 0}, nil)
	add(t, w, tar.Header{Name: "data/grouped", Mode: 0o755, Gid: 1000}, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	importImage(t, e, oneImage, &b)
}

func add(t *testing.T, w *tar.Writer, h tar.Header, content []byte) {
	t.Helper()
	h.Size = int64(len(content))
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
}

// importServers creates the image of the servers from the component's tar.
func importServers(t *testing.T, e *dockertest.Engine) {
	t.Helper()
	f, err := os.Open(filepath.Join(testenv.Cache(), "workloads/root.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	importImage(t, e, serversImage, f)
}

func importImage(t *testing.T, e *dockertest.Engine, name string, content io.Reader) {
	t.Helper()
	repo, tag, _ := strings.Cut(name, ":")
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {tag},
		"changes": {"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}.Encode()
	text, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	status, answer, err := e.Raw(ctx, http.MethodPost, path, string(text))
	if err != nil || status != http.StatusOK || strings.Contains(string(answer), `"error"`) {
		t.Fatalf("cannot import %s: %v, %d, %s", name, err, status, answer)
	}
}

// learn runs the real program over containers while their lives run, and returns the evidence by
// name.
func learn(t *testing.T, e *dockertest.Engine, names []string,
	during func()) map[string]dropcap.WorkloadEvidence {
	t.Helper()
	// Its command ends with its input, so the recording covers just the lives.
	args := append([]string{"learn", "--complete", "--format", "json", "--store", t.TempDir()},
		names...)
	cmd := exec.Command(testenv.Binary(t),
		append(args, "--", "sh", "-c", "echo watching; exec cat")...)
	cmd.Env = append(os.Environ(), e.Env()...)
	var out bytes.Buffer
	cmd.Stdout = &out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	watch := follow(said)
	if err := watch.wait("watching"); err != nil {
		t.Fatal(err)
	}
	during()
	in.Close()
	<-watch.ended
	if err := cmd.Wait(); err != nil {
		t.Fatalf("dropcap learn: %v: %s", err, watch.text())
	}
	if strings.Contains(watch.text(), "warning") {
		t.Errorf("dropcap learn warns: %s", watch.text())
	}
	return byName(t, out.Bytes())
}

func byName(t *testing.T, document []byte) map[string]dropcap.WorkloadEvidence {
	t.Helper()
	var e dropcap.Evidence
	if err := json.Unmarshal(document, &e); err != nil {
		t.Fatalf("dropcap learn printed no document: %v: %.300s", err, document)
	}
	found := map[string]dropcap.WorkloadEvidence{}
	for _, w := range e.Workloads {
		found[strings.TrimPrefix(w.Workload, "docker:")] = w
	}
	return found
}

// follower keeps a program's output.
type follower struct {
	ended chan struct{}
	mu    sync.Mutex
	lines []string
}

func follow(r io.Reader) *follower {
	f := &follower{ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for s := bufio.NewScanner(r); s.Scan(); {
			f.mu.Lock()
			f.lines = append(f.lines, s.Text())
			f.mu.Unlock()
		}
	}()
	return f
}

func (f *follower) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "\n")
}

// wait waits until a line is printed.
func (f *follower) wait(line string) error {
	said, ended := false, false
	testenv.Within(time.Minute, func() bool {
		select {
		case <-f.ended:
			ended = true
		default:
		}
		said = strings.Contains(f.text(), line)
		return said || ended
	})
	switch {
	case said:
		return nil
	case ended:
		return fmt.Errorf("dropcap learn ended: %s", f.text())
	}
	return errors.New("dropcap learn does not begin: " + f.text())
}
