package everyday

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"dropcap"
)

// Host is an engine with the corpus on it.
type Host struct {
	Env     []string // for docker, docker compose and dropcap
	Program string   // dropcap
	Store   string
	Folder  string // where projects and what containers mount lie; root's alone
	Socket  string // of the engine

	Containers []Container
	Projects   []Project

	checks map[string]string // name of a running container → its check
}

// sideBySide is how many docker commands run at a time.
const sideBySide = 4

// Learn makes everything while dropcap learns, exercises it, restarts it and exercises it again:
// so that a first start, a second one and a stop are seen of each.
func (h *Host) Learn(ctx context.Context) error {
	cmd := h.dropcap(ctx, "learn", "--complete", "--", "sh", "-c", "echo watching >&2; exec cat")
	var said watchedOutput
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer in.Close()
	if err := said.wait(ctx, "watching"); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	err = h.live(ctx)
	in.Close()
	if ended := cmd.Wait(); ended != nil && cmd.ProcessState.ExitCode() != dropcap.ExitIncomplete {
		err = errors.Join(err, fmt.Errorf("dropcap learn: %w: %s", ended, said.String()))
	}
	return err
}

func (h *Host) live(ctx context.Context) error {
	if err := h.Make(ctx); err != nil {
		return err
	}
	if err := h.Check(ctx); err != nil {
		return err
	}
	if err := h.restart(ctx); err != nil {
		return err
	}
	return h.Check(ctx)
}

// Make brings up all containers and projects.
func (h *Host) Make(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(h.Folder, "pages"), 0o755); err != nil {
		return err
	}
	page := filepath.Join(h.Folder, "pages", "index.html")
	if err := os.WriteFile(page, []byte("hello\n"), 0o644); err != nil {
		return err
	}
	if _, err := h.shell(ctx, "docker network create --subnet 10.78.0.0/24 front"); err != nil {
		return err
	}
	h.checks = map[string]string{}
	for _, c := range h.Containers {
		h.checks[c.Name] = c.Check
	}
	for _, after := range []bool{false, true} {
		var wave []Container
		for _, c := range h.Containers {
			if c.After() == after {
				wave = append(wave, c)
			}
		}
		if err := each(wave, func(c Container) error {
			run := "docker run -d --stop-timeout 1 --name " + c.Name + " " + c.Run
			_, err := h.shell(ctx, run)
			return err
		}); err != nil {
			return err
		}
	}
	return each(h.Projects, func(p Project) error { return h.up(ctx, p) })
}

func (h *Host) up(ctx context.Context, p Project) error {
	dir := filepath.Join(h.Folder, p.Name)
	for name, content := range p.Files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "docker", slices.Concat([]string{"compose"}, p.Up,
		[]string{"up", "-d"})...)
	cmd.Env, cmd.Dir = h.env(), dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compose up %s: %w: %s", p.Name, err, out)
	}
	if p.Gone {
		return os.RemoveAll(dir)
	}
	return nil
}

// restart restarts those first whose namespaces others use.
func (h *Host) restart(ctx context.Context) error {
	running, err := h.shell(ctx, "docker ps --format '{{.ID}} {{.Names}}'")
	if err != nil {
		return err
	}
	after := map[string]bool{"sidecar-app-1": true}
	for _, c := range h.Containers {
		after[c.Name] = c.After()
	}
	for _, late := range []bool{false, true} {
		var wave []string
		for line := range strings.Lines(running) {
			id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			if after[name] == late && id != "" {
				wave = append(wave, id)
			}
		}
		if err := each(wave, func(id string) error {
			_, err := h.shell(ctx, "docker restart -t 3 "+id)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// Check waits until every container of the corpus runs and passes its check.
func (h *Host) Check(ctx context.Context) error {
	names, err := h.Names(ctx)
	if err != nil {
		return err
	}
	return each(names, func(name string) error {
		if why := h.broken(ctx, name); why != "" {
			return fmt.Errorf("%s does not work: %s", name, why)
		}
		return nil
	})
}

// broken returns why a container does not work within a minute; empty if it does.
func (h *Host) broken(ctx context.Context, name string) string {
	check := h.check(name)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		cmd := exec.CommandContext(ctx, "docker", "exec", name, "sh", "-c", check)
		cmd.Env = h.env()
		out, err := cmd.CombinedOutput()
		if err == nil {
			return ""
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Sprintf("%s: %v: %.300s", check, err, out)
		}
	}
}

func (h *Host) check(name string) string {
	if c, found := h.checks[name]; found {
		return c
	}
	for _, p := range h.Projects {
		for service, c := range p.Checks {
			if strings.HasPrefix(name, p.Name+"-"+service+"-") {
				return c
			}
		}
	}
	return "true"
}

// Names returns the names of all containers that were made, by name; not those that changes left.
func (h *Host) Names(ctx context.Context) ([]string, error) {
	out, err := h.shell(ctx, "docker ps -a --format '{{.Names}}'")
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(strings.Fields(out), func(n string) bool {
		return strings.Contains(n, "-dropcap-")
	})
	slices.Sort(names)
	return names, nil
}

// Verdicts returns each container's verdict at a level.
func (h *Host) Verdicts(ctx context.Context, level string) (map[string]dropcap.Verdict, error) {
	var a dropcap.Audit
	if err := h.document(ctx, &a, "audit", "--level", level); err != nil {
		return nil, err
	}
	out := map[string]dropcap.Verdict{}
	for _, c := range a.Containers {
		if !strings.Contains(c.Name, "-dropcap-") {
			out[c.Name] = c.Verdict
		}
	}
	return out, nil
}

// Plan returns the plan for the least set.
func (h *Host) Plan(ctx context.Context) (dropcap.Plan, error) {
	var p dropcap.Plan
	err := h.document(ctx, &p, "plan", "--level", "least")
	return p, err
}

// document runs dropcap for a document. Any exit status that comes with one will do.
func (h *Host) document(ctx context.Context, into any, args ...string) error {
	cmd := h.dropcap(ctx, append(args, "--format", "json")...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if broken := json.Unmarshal(out, into); broken != nil {
		return fmt.Errorf("dropcap %s: %v: %w: %s", args[0], err, broken, problem.String())
	}
	return nil
}

// Apply changes all that is ready; Backout takes all of it back. They return what was printed.
func (h *Host) Apply(ctx context.Context) (string, int) {
	return h.run(ctx, "apply", "--all-ready", "--yes", "--level", "least", "--soak", "500ms")
}

// Backout takes back all changes.
func (h *Host) Backout(ctx context.Context) (string, int) {
	return h.run(ctx, "backout", "--all", "--yes")
}

func (h *Host) run(ctx context.Context, args ...string) (string, int) {
	cmd := h.dropcap(ctx, args...)
	out, _ := cmd.CombinedOutput() // the status says it
	return string(out), cmd.ProcessState.ExitCode()
}

func (h *Host) dropcap(ctx context.Context, args ...string) *exec.Cmd {
	i := slices.Index(args, "--")
	if i < 0 {
		i = len(args)
	}
	cmd := exec.CommandContext(ctx, h.Program, slices.Insert(args, i, "--store", h.Store)...)
	cmd.Env = h.env()
	return cmd
}

func (h *Host) env() []string {
	return append(slices.Clone(h.Env), "DIR="+h.Folder, "SOCKET="+h.Socket)
}

func (h *Host) shell(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Env = h.env()
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", script, err, problem.String())
	}
	return string(out), nil
}

// each does something with all of a list, a few at a time, and returns all errors.
func each[T any](list []T, do func(T) error) error {
	errs := make([]error, len(list))
	slots := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for i, x := range list {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = do(x)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// watchedOutput is what a program prints, for somebody who waits for a word of it.
type watchedOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watchedOutput) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watchedOutput) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watchedOutput) wait(ctx context.Context, word string) error {
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(w.String(), word); {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("it does not say %q: %s", word, w.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}
