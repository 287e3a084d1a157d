package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/store"
)

// executor performs the effects of changes: the engine's, the journal's, and this host's.
type executor struct {
	engine *docker.Client
	store  *store.Store
	lock   *composeLock // inherited by compose; nil: no lock
	layers *carriers
}

// Do does one effect.
func (w executor) Do(ctx context.Context, e dropcap.Effect) (dropcap.Result, error) {
	switch action := e.Action.(type) {
	case *dropcap.Call:
		call := *action
		call.Timeout = 0 // the context carries it
		result, err := w.engine.Perform(ctx, call)
		return result, named(err, e.Says)
	case *dropcap.Note:
		return dropcap.Result{}, w.store.Write(ctx, *action)
	case *dropcap.Run:
		return w.run(ctx, *action)
	case *dropcap.File:
		return dropcap.Result{}, replaceFile(*action)
	case *dropcap.Reload:
		return dropcap.Result{}, w.reload(*action)
	case *dropcap.Carry:
		return w.layers.carry(ctx, *action)
	case *dropcap.Compare:
		return w.layers.compare(ctx, *action)
	case *dropcap.Sync:
		return w.layers.sync(ctx, *action)
	}
	return dropcap.Result{}, fmt.Errorf("the effect %q does nothing", e.Name)
}

// named returns the engine's refusal with the effect's description instead of the request, whose
// path means little to people. errors.Is and errors.As see the same error.
func named(err error, says string) error {
	var e *dropcap.Error
	words, ok := docker.RefusalMessage(err)
	if !ok || says == "" || !errors.As(err, &e) {
		return err
	}
	return &dropcap.Error{Code: e.Code, Message: "cannot " + says + ": the engine says: " + words,
		Hint: e.Hint, Err: err}
}

// lastOutput is how much of a program's output is kept.
const lastOutput = 64 << 10

// RunProgram runs a program in its own process group, so that Ctrl-C does not reach it and no child
// is left behind. A status other than 0 is no error. The program inherits the files.
func RunProgram(ctx context.Context, r dropcap.Run, files ...*os.File) (dropcap.Result, error) {
	if len(r.Args) == 0 {
		return dropcap.Result{}, errors.New("no program to run")
	}
	out := &Tail{}
	cmd := exec.CommandContext(ctx, r.Args[0], r.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = r.Dir, r.Env, out, out, files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	text, _ := json.Marshal(string(out.Text)) // of a string
	result := dropcap.Result{Body: text}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return result, fmt.Errorf("run %s: it took too long", r.Args[0])
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		result.Status = exit.ExitCode()
	case err != nil:
		return result, fmt.Errorf("run %s: %w", r.Args[0], Cause(err))
	}
	return result, nil
}

// Tail keeps the end of what is written to it.
type Tail struct{ Text []byte }

func (t *Tail) Write(p []byte) (int, error) {
	t.Text = append(t.Text, p...)
	if len(t.Text) > 2*lastOutput {
		t.Text = append(t.Text[:0], t.Text[len(t.Text)-lastOutput:]...)
	}
	return len(p), nil
}
