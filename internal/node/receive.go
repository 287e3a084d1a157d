package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// Limits of evidence that comes in parts.
const (
	mostReceived = 4 << 20
	partsKept    = 24 * time.Hour
)

// Receive stores a part of evidence, and imports it when all parts are there.
func (d doer) Receive(ctx context.Context, args wire.Args) (wire.Result, error) {
	part := args.Part
	held, err := d.alone(part.Sum[:32])
	if err != nil {
		return wire.Result{}, err
	}
	defer store.Release(held)
	d.sweep()
	path, err := d.partFile(part, part.Number)
	if err != nil {
		return wire.Result{}, err
	}
	if err := writePart(path, part.Data); err != nil {
		return wire.Result{}, err
	}
	whole, all, err := d.joined(part)
	if err != nil {
		return wire.Result{}, err
	}
	if !all {
		return wire.Result{Summary: fmt.Sprintf("part %d of %d", part.Number, part.Count)}, nil
	}
	defer d.forget(part)
	if got := fmt.Sprintf("%x", sha256.Sum256(whole)); got != part.Sum {
		return wire.Result{}, dropcap.Errorf(dropcap.CodeError, "send all parts again",
			"cannot take the evidence: its digest is %s and not %s", got, part.Sum)
	}
	return d.imported(ctx, whole)
}

func (w *worker) imported(ctx context.Context, whole []byte) (wire.Result, error) {
	doc, err := evidence.Import(whole)
	if err == nil {
		err = w.host().Import(ctx, doc)
	}
	if err != nil {
		e := dropcap.AsError(err)
		return wire.Result{}, dropcap.Errorf(dropcap.CodeError, e.Hint,
			"cannot take the evidence in: %s", strings.TrimPrefix(e.Message, "cannot "))
	}
	took := "took in the evidence of " + printable.Count(len(doc.Workloads), "workload")
	w.observer.Progress(host.Note{Text: took})
	return wire.Result{Summary: took}, nil
}

// alone waits until no other request joins the same evidence.
func (w *worker) alone(name string) (*os.File, error) {
	for range 100 {
		held, ok, err := w.store.LockRequest(name)
		if err != nil || ok {
			return held, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, dropcap.Errorf(dropcap.CodeIncomplete, "send it again",
		"cannot take a part: another request puts the same evidence together")
}

func (w *worker) partFile(p wire.Part, number int) (string, error) {
	return w.store.RequestFile(p.Sum[:32], fmt.Sprintf("%d-of-%d", number, p.Count))
}

// writePart writes a part completely or not at all.
func writePart(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err == nil {
		_, err = f.Write(data)
		err = cmp.Or(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		os.Remove(path + ".new")
		return dropcap.Errorf(dropcap.CodeError, "is there space, and may you write there?",
			"cannot write %s: %w", path, host.Cause(err))
	}
	return nil
}

// joined joins the parts, if all are there.
func (w *worker) joined(p wire.Part) (whole []byte, all bool, err error) {
	for k := 1; k <= p.Count; k++ {
		path, err := w.partFile(p, k)
		if err != nil {
			return nil, false, err
		}
		piece, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, dropcap.Errorf(dropcap.CodeError, "", "cannot read a part: %w",
				host.Cause(err))
		}
		if whole = append(whole, piece...); len(whole) > mostReceived {
			w.forget(p)
			return nil, false, dropcap.Errorf(dropcap.CodeError,
				"send the evidence of fewer workloads",
				"cannot take evidence of more than %d MiB", mostReceived>>20)
		}
	}
	return whole, true, nil
}

func (w *worker) forget(p wire.Part) {
	for k := 1; k <= p.Count; k++ {
		if path, err := w.partFile(p, k); err == nil {
			os.Remove(path)
		}
	}
}

// sweep removes parts of incomplete evidence, and the logs of dead processes.
func (w *worker) sweep() {
	old, _ := filepath.Glob(filepath.Join(w.store.Folder(), "requests", "*"))
	for _, path := range old {
		i, err := os.Lstat(path)
		stale := err == nil && time.Since(i.ModTime()) > partsKept
		if stale && !strings.HasSuffix(path, ".lock") {
			os.Remove(path)
		}
	}
}
