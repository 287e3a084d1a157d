package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/store"
)

// mostResult bounds a verb's document, so that its receipt fits a frame.
const mostResult = frame.MaxWhole - 1<<20

// worker does one request. The lock is held from before the receipt says that it goes on until
// after it says that it is over: a receipt that says so without a holder is of a process that died.
type worker struct {
	app  *app
	s    *store.Store
	q    nodeRequest
	r    dropcap.Receipt
	held *os.File
}

// nodeWork is the process that does a request, or ends one whose process died. Its first line tells
// whoever started it whether it could begin.
func (a *app) nodeWork(ctx context.Context, q nodeRequest) error {
	a.finished = true
	s, err := store.Open(defaultStore())
	if err != nil {
		return a.cannotBegin(err)
	}
	defer s.Close()
	held, ok, err := lockSoon(s, q.id)
	switch {
	case err != nil:
		return a.cannotBegin(err)
	case !ok:
		a.firstSay("busy")
		return nil
	}
	defer store.Release(held)
	w := &worker{app: a, s: s, q: q, held: held}
	begun, err := w.begin(ctx)
	if err != nil {
		return a.cannotBegin(err)
	}
	a.firstSay("begun")
	switch {
	case begun:
		w.do(ctx)
	case w.r.State.Over(), !w.mayEnd():
		return nil
	case !w.interrupted(ctx):
		// still running: whoever asks next tries again
		return w.s.SaveReceipt(context.WithoutCancel(ctx), w.r)
	}
	return w.end(context.WithoutCancel(ctx))
}

func (a *app) cannotBegin(err error) error {
	text, _ := json.Marshal(failing(err)) // of strings
	a.firstSay("error " + string(text))
	return err
}

// lockSoon takes the lock of a request; others look for a moment whether it is free.
func lockSoon(s *store.Store, id string) (held *os.File, ok bool, err error) {
	for range 20 {
		if held, ok, err = s.LockRequest(id); ok || err != nil {
			return held, ok, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, false, nil
}

// begin records that the request begins. One that is only asked about is not begun.
func (w *worker) begin(ctx context.Context) (begun bool, err error) {
	if w.q.verb == "receipt" || w.q.verb == "recover" {
		w.r, err = w.s.Receipt(ctx, w.q.id)
		return false, err
	}
	w.r, begun, err = w.s.BeginReceipt(ctx, w.app.newReceipt(w.q))
	return begun, err
}

// mayEnd tells whether this worker may end the request that it found dead: one that came to look
// must not recover what another changed.
func (w *worker) mayEnd() bool {
	return w.q.verb == "recover" || w.q.verb == w.r.Verb || !changesContainers(w.r.Verb)
}

// do does the verb and notes how it ended.
func (w *worker) do(ctx context.Context) {
	w.r.State = dropcap.ReceiptDone
	if err := nodeVerbs[w.q.verb](w, ctx); err != nil {
		w.r.Error, w.r.Status, w.r.Summary = failing(err),
			dropcap.Worst(w.r.Status, dropcap.ExitOf(err)), ""
	}
	w.r.Host.Docker = w.app.engineVersion(context.WithoutCancel(ctx))
}

// end keeps the receipt; where there is no room for the document, without it.
func (w *worker) end(ctx context.Context) error {
	w.r.Ended = now()
	if w.r.Summary == "" && w.r.Error != nil {
		w.r.Summary = printable.Cut(w.r.Error.Message, mostSummary)
	}
	err := w.s.SaveReceipt(ctx, w.r)
	if err != nil {
		w.r.Document, w.r.Messages = nil, []string{}
		w.r.Error, w.r.Status = failing(err), dropcap.Worst(w.r.Status, dropcap.ExitOf(err))
		if again := w.s.SaveReceipt(ctx, w.r); again != nil {
			return errors.Join(err, again)
		}
	}
	for _, what := range []string{"log", "plan.json", "evidence.json"} {
		if path, err := w.s.RequestFile(w.q.id, what); err == nil {
			os.Remove(path)
		}
	}
	_, trimmed := w.s.TrimReceipts(ctx, time.Now())
	return errors.Join(err, trimmed)
}

// ran is what came of a command of ours.
type ran struct {
	document json.RawMessage
	failing  *dropcap.Failing
	status   int
	said     []string
}

// run runs a command of this program, as a person would, and reads what it printed as JSON. It
// inherits the lock: should this process die, the request is not free before the command has ended
// too.
func (w *worker) run(ctx context.Context, args ...string) (ran, error) {
	var out limited
	said := &host.Tail{}
	cmd := ourself(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(said, w.app.err)
	cmd.ExtraFiles = []*os.File{w.held}
	cmd.Env = append(os.Environ(), heldVariable+"=3")
	err := cmd.Run()
	r := ran{status: cmd.ProcessState.ExitCode(), said: messages(string(said.Text))}
	switch {
	case cmd.ProcessState == nil:
		return r, dropcap.Errorf(dropcap.CodeError, "", "cannot start dropcap %s: %w", args[0],
			host.Cause(err))
	case out.over:
		return r, dropcap.Errorf(dropcap.CodeError, "name fewer containers",
			"cannot take the result of %s: it is larger than %d MiB", args[0], mostResult>>20)
	case r.status < 0:
		return r, dropcap.Errorf(dropcap.CodeError, "", "cannot finish %s: %s", args[0],
			cmd.ProcessState)
	}
	return r, r.read(out.b)
}

// read takes the document and the error apart; a command may print both.
func (r *ran) read(out []byte) error {
	for len(out) > 0 {
		var value json.RawMessage
		rest, err := nextJSON(out, &value)
		if err != nil {
			return fmt.Errorf("cannot read what dropcap printed: %w", err)
		}
		out = rest
		if value == nil {
			return nil
		}
		var is struct {
			Schema string
			Error  *dropcap.Failing
		}
		if err := json.Unmarshal(value, &is); err == nil && is.Schema == "" && is.Error != nil {
			r.failing = is.Error
			continue
		}
		r.document = value
	}
	return nil
}

// take puts what came of a command into the receipt.
func (w *worker) take(r ran) {
	w.r.Document, w.r.Status, w.r.Messages = r.document, r.status, r.said
	if r.failing != nil {
		w.r.Error = failing(&dropcap.Error{Code: r.failing.Code, Message: r.failing.Message,
			Hint: r.failing.Hint})
	}
}

// heldVariable tells a command of ours the file that it holds for whoever started it.
const heldVariable = "DROPCAP_HELD"

// keepHeld sees to it that what this command starts in turn does not hold the file as well, and
// reports whether this one does.
func keepHeld() bool {
	if os.Getenv(heldVariable) != "3" {
		return false
	}
	syscall.CloseOnExec(3)
	_ = os.Unsetenv(heldVariable)
	return true
}

// limited keeps so much as a receipt can have.
type limited struct {
	b    []byte
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > mostResult {
		l.over, l.b = true, nil
	}
	if !l.over {
		l.b = append(l.b, p...)
	}
	return len(p), nil
}
