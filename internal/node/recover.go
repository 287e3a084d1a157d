package node

import (
	"context"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// recoverWait is how long a recovery waits for the engine, and for another dropcap.
const recoverWait = 15 * time.Second

// recover finishes what a dead process has left.
func (w *worker) recover(ctx context.Context) error {
	r, err := w.host().Recover(ctx, host.RecoverRequest{
		Wait: recoverWait, Busy: true, CallTimeout: host.DefaultCallTimeout,
	})
	if err == nil && len(r.Changes.Changes) == 0 {
		w.observer.Progress(host.Note{Text: "nothing to recover"})
	}
	return err
}

// interrupted ends a request whose process died: it recovers what was left unfinished, and records
// what was changed. It reports whether that was possible now.
func (w *worker) interrupted(ctx context.Context) bool {
	r := &w.receipt
	r.Document, r.Messages, r.Warnings = nil, []string{}, []string{}
	r.State, r.Status, r.Summary = dropcap.ReceiptInterrupted, dropcap.ExitInterrupt, "interrupted"
	r.Host.Docker = w.node.engineVersion(context.WithoutCancel(ctx))
	what := "cannot tell what came of it: dropcap ended amid the request"
	if wire.Changes(r.Verb) {
		list, err := w.recovered(ctx)
		if err != nil {
			r.State, r.Error = dropcap.ReceiptRunning, failing(err)
			r.Summary = printable.Cut("interrupted; waits for a recovery: "+r.Error.Message,
				mostSummary)
			return false
		}
		result := changesResult(dropcap.Changes{Schema: dropcap.SchemaChange, Changes: list})
		if w.document(result.Document) == nil {
			r.Summary = "interrupted; " + result.Summary
		}
		what = "cannot finish: dropcap ended amid the request; nothing was changed"
		if len(list) > 0 {
			r.Status = interruptedStatus(list)
			what =
				"cannot finish: dropcap ended amid the request; the changes that it began were " +
					"brought to an end"
		}
	}
	r.Error = failing(&dropcap.Error{
		Code: dropcap.CodeInterrupt, Message: what, Hint: "send it again as a new request",
	})
	return true
}

// recovered recovers, and returns the changes of the request afterwards.
func (w *worker) recovered(ctx context.Context) ([]dropcap.Change, error) {
	failed := w.recover(ctx)
	list, err := w.changesOfDead(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if unfinished(c) {
			return nil, dropcap.Errorf(dropcap.CodeError, "dropcap recover, on the host, tells why",
				"cannot end change %s of %s (%s)", c.ID, c.Name, c.State)
		}
	}
	if ended := endedAll(failed); !ended && len(list) == 0 {
		return nil, failed // it is unknown whether anything is unfinished
	}
	return list, nil
}

// changesOfDead returns the changes of the request that this worker ends.
func (w *worker) changesOfDead(ctx context.Context) ([]dropcap.Change, error) {
	args, _ := wire.ParseArgs(w.receipt.Verb, w.receipt.Args) // as it was when it began
	if len(args.Of) > 0 {
		return w.changesOf(ctx, args.Of)
	}
	all, err := w.store.Changes(ctx)
	return changesFor(w.receipt, all), err
}

// endedAll reports whether a recovery left nothing unfinished, even if a container was rolled back
// or needs a person.
func endedAll(err error) bool {
	switch dropcap.ExitOf(err) {
	case dropcap.ExitOK, dropcap.ExitRolledBack, dropcap.ExitPerson:
		return true
	}
	return false
}

// interruptedStatus returns the exit status of the changes after an interruption; at best it says
// that not all was done.
func interruptedStatus(list []dropcap.Change) int {
	status := dropcap.ExitIncomplete
	for _, c := range list {
		switch c.State {
		case dropcap.RolledBack:
			status = dropcap.Worst(status, dropcap.ExitRolledBack)
		case dropcap.NeedsPerson:
			status = dropcap.Worst(status, dropcap.ExitPerson)
		}
	}
	return status
}
