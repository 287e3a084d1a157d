package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/store"
)

// Limits of evidence that comes in parts.
const (
	mostReceived = 4 << 20
	partsKept    = 24 * time.Hour
)

// receive keeps a part of evidence, and imports it when all have come.
func (w *worker) receive(ctx context.Context) error {
	sum, data := w.q.value("sum"), w.q.value("data")
	k, n := partOf(w.q.value("part"))
	if k > n {
		return usageError("for example --part=1/3", "cannot take part %d of %d", k, n)
	}
	piece, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(data, "="))
	if err != nil {
		return usageError("base64 of RFC 4648, section 5", "cannot read the data of the part: %w",
			err)
	}
	held, err := w.alone(sum[:32])
	if err != nil {
		return err
	}
	defer store.Release(held)
	w.sweep()
	path, err := w.partFile(sum, k, n)
	if err != nil {
		return err
	}
	if err := writeFile(path, func(to io.Writer) error {
		_, err := to.Write(piece)
		return err
	}); err != nil {
		return err
	}
	whole, all, err := w.joined(sum, n)
	if err != nil {
		return err
	}
	w.r.Summary = fmt.Sprintf("part %d of %d", k, n)
	if !all {
		return nil
	}
	defer w.forget(sum, n)
	if got := fmt.Sprintf("%x", sha256.Sum256(whole)); got != sum {
		return dropcap.Errorf(dropcap.CodeError, "send all parts again",
			"cannot take the evidence: its digest is %s and not %s", got, sum)
	}
	return w.imported(ctx, whole)
}

func (w *worker) imported(ctx context.Context, whole []byte) error {
	path, err := w.s.RequestFile(w.q.id, "evidence.json")
	if err != nil {
		return err
	}
	if err := writeFile(path, func(to io.Writer) error {
		_, err := to.Write(whole)
		return err
	}); err != nil {
		return err
	}
	r, err := w.run(ctx, "evidence", "import", path)
	w.take(r)
	switch {
	case err != nil:
		return err
	case r.status != 0:
		return dropcap.Errorf(dropcap.CodeError, "", "cannot take the evidence in: %s",
			w.lastWord())
	}
	w.r.Summary = strings.Join(r.said, "; ")
	return nil
}

// lastWord is what a command that prints no JSON said of its error.
func (w *worker) lastWord() string {
	path, err := w.s.RequestFile(w.q.id, "log")
	if err != nil {
		return "it says not why"
	}
	text, _ := os.ReadFile(path)
	_, after, found := strings.Cut(string(text), "dropcap: error: ")
	line, _, _ := strings.Cut(after, "\n")
	if !found {
		return "it says not why"
	}
	return printable.Cut(strings.TrimPrefix(line, "cannot "), mostMessage)
}

// alone waits until no other request puts the same evidence together.
func (w *worker) alone(name string) (*os.File, error) {
	for range 100 {
		held, ok, err := w.s.LockRequest(name)
		if err != nil || ok {
			return held, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, dropcap.Errorf(dropcap.CodeIncomplete, "send it again",
		"cannot take a part: another request puts the same evidence together")
}

func (w *worker) partFile(sum string, k, n int) (string, error) {
	return w.s.RequestFile(sum[:32], fmt.Sprintf("%d-of-%d", k, n))
}

// joined puts the parts together, if all have come.
func (w *worker) joined(sum string, n int) (whole []byte, all bool, err error) {
	for k := 1; k <= n; k++ {
		path, err := w.partFile(sum, k, n)
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
			w.forget(sum, n)
			return nil, false, dropcap.Errorf(dropcap.CodeError,
				"send the evidence of fewer workloads", "cannot take evidence of more than %d MiB",
				mostReceived>>20)
		}
	}
	return whole, true, nil
}

func (w *worker) forget(sum string, n int) {
	for k := 1; k <= n; k++ {
		if path, err := w.partFile(sum, k, n); err == nil {
			os.Remove(path)
		}
	}
}

// sweep removes parts whose others never came, and the logs of processes that died.
func (w *worker) sweep() {
	old, _ := filepath.Glob(filepath.Join(w.s.Folder(), "requests", "*"))
	for _, path := range old {
		if i, err := os.Lstat(path); err == nil && !strings.HasSuffix(path, ".lock") &&
			time.Since(i.ModTime()) > partsKept {
			os.Remove(path)
		}
	}
}

// partOf reads "K/N", which the form has checked.
func partOf(word string) (k, n int) {
	a, b, _ := strings.Cut(word, "/")
	k, _ = strconv.Atoi(a)
	n, _ = strconv.Atoi(b)
	return k, n
}
