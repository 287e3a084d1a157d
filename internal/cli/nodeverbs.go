package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
)

// nodeVerbs do a request: its document, status, messages and summary go into the receipt.
var nodeVerbs = map[string]func(*worker, context.Context) error{
	"audit": (*worker).audit, "plan": (*worker).plan, "apply": (*worker).apply,
	"backout": (*worker).backout, "learn": (*worker).learn,
	"evidence": (*worker).evidence, "receive": (*worker).receive, "history": (*worker).history,
}

// ourself is a command of this very program, also when its file was replaced meanwhile. An end that
// is asked for is left to the command: it finishes its step or takes it back.
func ourself(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "dropcap"
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// flags gives those of the request's arguments that the command takes as they are.
func (w *worker) flags(names ...string) []string {
	var out []string
	for _, name := range names {
		for _, v := range w.q.values[name] {
			if v == "" {
				out = append(out, "--"+name)
				continue
			}
			out = append(out, "--"+name+"="+v)
		}
	}
	return out
}

func (w *worker) command(ctx context.Context, args ...string) error {
	r, err := w.run(ctx, args...)
	w.take(r)
	return err
}

func (w *worker) audit(ctx context.Context) error {
	args := append([]string{"audit", "--if-present", "--format", "json"}, w.flags("level")...)
	if err := w.command(ctx, append(args, w.q.values["container"]...)...); err != nil {
		return err
	}
	var d struct{ Summary dropcap.Summary }
	if w.read(&d) {
		w.r.Summary = printable.Count(d.Summary.Containers, "container") + ": " +
			several("pass", d.Summary.Pass, "fail", d.Summary.Fail, "waived", d.Summary.Waived,
				"unknown", d.Summary.Unknown)
	}
	return nil
}

func (w *worker) plan(ctx context.Context) error {
	args := append([]string{"plan", "--if-present", "--no-source-files", "--format", "json"},
		w.flags("level", "accept", "strategy")...)
	if err := w.command(ctx, append(args, w.q.values["container"]...)...); err != nil {
		return err
	}
	var p dropcap.Plan
	if w.read(&p) {
		change, refused := 0, 0
		for _, s := range p.Steps {
			if s.Refused != "" {
				refused++
			} else if s.Changes() {
				change++
			}
		}
		w.r.Summary = "plan " + printable.Cut(p.ID, 20) + ", " + printable.Count(len(p.Steps),
			"container") + ": " + several("to change", change, "refused", refused)
	}
	return nil
}

func (w *worker) apply(ctx context.Context) error {
	plan, err := w.planned(ctx)
	if err != nil {
		return err
	}
	going := w.r
	going.State = dropcap.ReceiptRunning
	if err := w.s.SaveReceipt(ctx, going); err != nil {
		// whoever ends this one knows which plan it was
		return err
	}
	path, err := w.s.RequestFile(w.q.id, "plan.json")
	if err != nil {
		return err
	}
	err = writeFile(path, func(to io.Writer) error {
		_, err := to.Write(plan)
		return err
	})
	if err != nil {
		return err
	}
	args := append([]string{"apply", path, "--yes", "--no-source-files", "--format", "json"},
		w.flags("soak", "timeout", "all")...)
	return w.changed(ctx, args...)
}

// changed runs a command that changes something and counts its changes.
func (w *worker) changed(ctx context.Context, args ...string) error {
	err := w.command(ctx, args...)
	if w.r.Document == nil && w.r.Error == nil && err == nil {
		w.document(dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{}})
	}
	w.countChanges()
	return err
}

// planned finds the one plan that this host has made and kept.
func (w *worker) planned(ctx context.Context) (json.RawMessage, error) {
	all, err := w.s.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Verb != "plan" || !r.State.Over() {
			continue
		}
		var p struct{ Schema, ID string }
		if err := json.Unmarshal(r.Document, &p); err != nil || p.Schema != dropcap.SchemaPlan {
			continue
		}
		word := fmt.Sprintf("%s:%x", p.ID, sha256.Sum256(r.Document))
		for _, one := range strings.Split(w.q.value("plans"), ",") {
			if one == word {
				w.r.Plan = word
				return r.Document, nil
			}
		}
	}
	return nil, dropcap.Errorf(dropcap.CodeNoPlan,
		"plan again; a host keeps its plans for seven days",
		"cannot apply: this host has made and kept none of the plans")
}

func (w *worker) learn(ctx context.Context) error {
	if err := w.command(ctx, append([]string{"learn", "--format", "json"},
		w.flags("for")...)...); err != nil {
		return err
	}
	w.countWorkloads()
	return nil
}

func (w *worker) evidence(ctx context.Context) error {
	if err := w.command(ctx, "evidence", "--format", "json"); err != nil {
		return err
	}
	var d dropcap.Evidence
	if names := w.q.values["workload"]; len(names) > 0 && w.read(&d) {
		d.Workloads, d.Absent = host.Choose(d.Workloads, names)
		w.document(d)
	}
	w.countWorkloads()
	return nil
}

func (w *worker) history(ctx context.Context) error {
	err := w.command(ctx, "history", "--format", "json")
	w.countChanges()
	return err
}

func (w *worker) countWorkloads() {
	var d dropcap.Evidence
	if w.read(&d) {
		w.r.Summary = "evidence of " + printable.Count(len(d.Workloads), "workload")
	}
}

func (w *worker) countChanges() {
	var d dropcap.Changes
	if !w.read(&d) {
		return
	}
	if len(d.Changes) == 0 {
		w.r.Summary = "no changes"
		return
	}
	var pairs []any
	for _, state := range []dropcap.ChangeState{dropcap.Applied, dropcap.BackedOut,
		dropcap.RolledBack, dropcap.NeedsPerson} {
		n := 0
		for _, c := range d.Changes {
			if c.State == state {
				n++
			}
		}
		pairs = append(pairs, string(state), n)
	}
	w.r.Summary = printable.Count(len(d.Changes), "change") + ": " + several(pairs...)
}

// read reads the receipt's document.
func (w *worker) read(into any) bool {
	return w.r.Document != nil && json.Unmarshal(w.r.Document, into) == nil
}

func (w *worker) document(v any) {
	text, err := json.Marshal(v)
	if err == nil {
		w.r.Document = text
	}
}

// several lists what there is of each kind, given as name and number; "none" if there is nothing.
func several(pairs ...any) string {
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if n, _ := pairs[i+1].(int); n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, pairs[i]))
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}

// nextJSON reads one value and gives what comes behind it; no value where only space is left. The
// value is compacted, as it is kept.
func nextJSON(text []byte, into *json.RawMessage) (rest []byte, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if *into, err = json.Marshal(raw); err != nil {
		return nil, err
	}
	return text[d.InputOffset():], nil
}
