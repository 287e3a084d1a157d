package host

import (
	"context"
	"errors"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/deny"
	"dropcap/internal/harden"
	"dropcap/internal/printable"
	"dropcap/internal/trial"
)

// hardenTrials are the trials that hardenings have begun, all in one place of this process. What
// denies is in the kernel only while there is one.
type hardenTrials struct {
	host    *Host
	why     string              // this host cannot try; empty if it can
	trying  *Trying             // nil: nothing is tried
	begun   map[string][]string // containers, by workload
	emptied time.Time           // when the last one was over
}

// idleTrials is how long what denies stays in the kernel with nothing to deny.
const idleTrials = 5 * time.Minute

// newHardenTrials finds out whether this host can try.
func newHardenTrials(h *Host) *hardenTrials {
	t := &hardenTrials{host: h, begun: map[string][]string{}}
	d, err := deny.Open(deny.Options{})
	if err != nil {
		t.why, _ = sentence(err)
		return t
	}
	d.Close()
	return t
}

// cannot says why this host cannot try; empty if it can.
func (t *hardenTrials) cannot() string { return t.why }

// running reports whether a trial of this process runs for the workload.
func (t *hardenTrials) running(workload string) bool { return len(t.begun[workload]) > 0 }

// look forgets the trials that are over.
func (t *hardenTrials) look(ctx context.Context) error {
	if t.trying == nil {
		return nil
	}
	list, err := t.trying.Running(ctx)
	if err != nil { // what runs the trials has ended, and lifted all
		closed := t.close()
		return errors.Join(err, closed)
	}
	still := map[string][]string{}
	for _, one := range list {
		still[one.Workload] = append(still[one.Workload], one.Container)
	}
	if len(still) > 0 || len(t.begun) > 0 {
		t.emptied = time.Now()
	}
	if t.begun = still; time.Since(t.emptied) > idleTrials {
		return t.close()
	}
	return nil
}

// begin denies to containers of a workload.
func (t *hardenTrials) begin(ctx context.Context, workload string, ids []string, drop caps.Set,
	span time.Duration) error {
	if t.trying == nil {
		trying, err := t.host.Try(context.WithoutCancel(ctx), "")
		if err != nil {
			return passing(err)
		}
		t.trying, t.emptied = trying, time.Now()
	}
	for _, id := range ids {
		_, err := t.trying.Begin(ctx, trial.Request{Container: id, Drop: drop, For: span})
		if err != nil {
			return errors.Join(err, t.end(context.WithoutCancel(ctx), workload))
		}
		t.begun[workload] = append(t.begun[workload], id)
	}
	return nil
}

// end lifts what is denied to a workload's containers by this process.
func (t *hardenTrials) end(ctx context.Context, workload string) (err error) {
	for _, id := range t.begun[workload] {
		err = errors.Join(err, t.trying.Stop(ctx, id, "hardening ended it"))
	}
	delete(t.begun, workload)
	return err
}

// close lifts all.
func (t *hardenTrials) close() error {
	if t.trying == nil {
		return nil
	}
	err := t.trying.Close()
	t.trying, t.begun = nil, map[string][]string{}
	return err
}

// Try begins a trial of the workload's running containers.
func (w *hardening) Try(ctx context.Context, h dropcap.Hardening, drop caps.Set) error {
	if w.trials.running(h.Workload) {
		return nil
	}
	var ids []string
	for _, id := range w.by[h.Workload] {
		if w.facts[id].state == "running" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return dropcap.Errorf(dropcap.CodeIncomplete, "", "cannot try %s: it does not run",
			printable.Line(h.Workload))
	}
	left := time.Duration(h.Settings.Trial-h.Tried) * time.Second
	return w.trials.begin(ctx, h.Workload, ids, drop, max(left, time.Second))
}

// EndTrial ends the workload's trial.
func (w *hardening) EndTrial(ctx context.Context, h dropcap.Hardening) error {
	return w.trials.end(ctx, h.Workload)
}

var _ harden.World = (*hardening)(nil)
