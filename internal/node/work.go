package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// worker does one request. It holds the lock from before the receipt says running until after it
// says done: a running receipt without a lock holder is of a dead process.
type worker struct {
	node     *Node
	store    *store.Store
	request  wire.Request
	receipt  dropcap.Receipt
	observer *observer
}

// Work runs in its own process: it does a request, or ends one whose process died. Its first word
// tells the starting process whether it could begin.
func (n *Node) Work(ctx context.Context, q wire.Request, first func(word string)) error {
	s, err := n.open()
	if err != nil {
		return cannotBegin(first, err)
	}
	defer s.Close()
	held, ok, err := lockSoon(s, q.ID)
	switch {
	case err != nil:
		return cannotBegin(first, err)
	case !ok:
		first(wordBusy)
		return nil
	}
	defer store.Release(held)
	w := &worker{node: n, store: s, request: q, observer: &observer{log: n.Log}}
	begun, err := w.begin(ctx)
	if err != nil {
		return cannotBegin(first, err)
	}
	first(wordBegun)
	switch {
	case begun:
		w.do(ctx)
	case w.receipt.State.Over(), !w.mayEnd():
		return nil
	case !w.interrupted(ctx):
		// Still running: the next request tries again.
		return s.SaveReceipt(context.WithoutCancel(ctx), w.receipt)
	}
	return w.end(context.WithoutCancel(ctx))
}

func cannotBegin(first func(string), err error) error {
	text, _ := json.Marshal(failing(err)) // of strings
	first(wordError + string(text))
	return err
}

// lockSoon takes the lock of a request, which others hold for a moment to see whether it is free.
func lockSoon(s *store.Store, id string) (held *os.File, ok bool, err error) {
	for range 20 {
		if held, ok, err = s.LockRequest(id); ok || err != nil {
			return held, ok, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, false, nil
}

// begin records that the request begins.
func (w *worker) begin(ctx context.Context) (begun bool, err error) {
	if w.request.Verb.Asks {
		w.receipt, err = w.store.Receipt(ctx, w.request.ID)
		return false, err
	}
	w.receipt, begun, err = w.store.BeginReceipt(ctx, w.node.newReceipt(w.request))
	return begun, err
}

// mayEnd reports whether this worker may end the dead request that it found: a verb that only reads
// must not recover what another changed.
func (w *worker) mayEnd() bool {
	verb := w.request.Verb
	return verb.Recovers || verb.Name == w.receipt.Verb || !wire.Changes(w.receipt.Verb)
}

// do does the verb and records the result.
func (w *worker) do(ctx context.Context) {
	result, err := w.request.Verb.Do(doer{w}, ctx, w.request.Args)
	canceled := err == nil || errors.Is(err, context.Canceled)
	if ctx.Err() != nil && !w.observer.begun && canceled {
		err = dropcap.Errorf(dropcap.CodeInterrupt, "",
			"cannot finish: interrupted; nothing was changed")
	}
	r := &w.receipt
	r.State, r.Status, r.Summary = dropcap.ReceiptDone, result.Status, result.Summary
	if tooLarge := w.document(result.Document); err == nil {
		err = tooLarge
	}
	if err != nil {
		r.Error, r.Status = failing(err), dropcap.Worst(r.Status, dropcap.ExitOf(err))
	}
	r.Host.Docker = w.node.engineVersion(context.WithoutCancel(ctx))
}

// document puts the result into the receipt.
func (w *worker) document(v any) error {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err == nil && len(text) > maxDocument {
		err = dropcap.Errorf(dropcap.CodeError, "name fewer containers",
			"cannot take the result of %s: it is larger than %d MiB", w.receipt.Verb,
			maxDocument>>20)
	}
	if err != nil {
		w.receipt.Summary = ""
		return err
	}
	w.receipt.Document = text
	return nil
}

// end stores the receipt, without the document if there is no space for it.
func (w *worker) end(ctx context.Context) error {
	r := &w.receipt
	r.Ended, r.Messages, r.Warnings = now(), last(w.observer.messages), last(w.observer.warnings)
	if r.Summary == "" && r.Error != nil {
		r.Summary = printable.Cut(r.Error.Message, mostSummary)
	}
	err := w.store.SaveReceipt(ctx, *r)
	if err != nil {
		r.Document, r.Messages, r.Warnings = nil, []string{}, []string{}
		r.Error, r.Status = failing(err), dropcap.Worst(r.Status, dropcap.ExitOf(err))
		if again := w.store.SaveReceipt(ctx, *r); again != nil {
			return errors.Join(err, again)
		}
	}
	if path, err := w.store.RequestFile(w.request.ID, "log"); err == nil {
		os.Remove(path)
	}
	_, trimmed := w.store.TrimReceipts(ctx, time.Now())
	return errors.Join(err, trimmed)
}
