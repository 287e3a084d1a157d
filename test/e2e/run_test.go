package e2e_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// program is one way to run dropcap. The zero value runs it with only PATH from the tester's
// environment.
type program struct {
	env    []string
	wrap   []string // a command prefix
	before func(*exec.Cmd)
}

type result struct {
	status   int
	out, err string
	took     time.Duration
	peak     int64 // KiB
}

func on(e *fake.Engine) program { return program{env: []string{"DOCKER_HOST=" + e.Host}} }

func (p program) with(env ...string) program {
	p.env = append(append([]string(nil), p.env...), env...)
	return p
}

func (p program) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	line := append(append(append([]string(nil), p.wrap...), testenv.Binary(t)), args...)
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}, p.env...)
	if p.before != nil {
		p.before(cmd)
	}
	return cmd
}

// run waits for the end. The output must be fit for a terminal, and must not be a stack trace.
func (p program) run(t *testing.T, args ...string) (r result) {
	t.Helper()
	cmd := p.command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	err := cmd.Start()
	if err == nil {
		peak := testenv.Peak(cmd)
		err = cmd.Wait()
		defer func() { r.peak = peak() }()
	}
	r = result{out: out.String(), err: errs.String(), took: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r.status = cmd.ProcessState.ExitCode()
	wantHarmless(t, strings.Join(args, " ")+": stdout", strings.ReplaceAll(r.out, "\r\n", "\n"))
	wantHarmless(t, strings.Join(args, " ")+": stderr", r.err)
	return r
}

func wantHarmless(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && r != ' ' && !unicode.IsPrint(r) {
			t.Errorf("%s has %q: %.300q", what, r, text)
			return
		}
	}
	for _, trace := range []string{"goroutine ", "panic:", "runtime error", ".go:"} {
		if strings.Contains(text, trace) {
			t.Errorf("%s has a stack trace: %.300q", what, text)
		}
	}
}

var (
	sentence = regexp.MustCompile(`\Adropcap: error: cannot [^\n]+\n(dropcap: hint: [^\n]+\n)?\z`)
	noHint   = regexp.MustCompile(`\Adropcap: error: cannot [^\n]+\n\z`)
)

// wantError checks for one sentence, at most one remedy, and the status.
func (r result) wantError(t *testing.T, status int, says string) {
	t.Helper()
	if r.status != status || !sentence.MatchString(r.err) || !strings.Contains(r.err, says) {
		t.Errorf("status %d, want %d; stderr %.600q, want one sentence with %q", r.status, status,
			r.err, says)
	}
}

func (r result) want(t *testing.T, status int) {
	t.Helper()
	if r.status != status || r.err != "" {
		t.Errorf("status %d, want %d; stderr %.600q", r.status, status, r.err)
	}
}

// pair is an engine with a container that fails and one that passes, neither running.
func pair(t *testing.T) *fake.Engine {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web", Image: "nginx:1"})
	e.Add(fake.Container{Name: "hard", HostConfig: fake.HostConfig{CapDrop: []string{"ALL"}}})
	return e
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
