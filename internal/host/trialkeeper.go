package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/store"
	"dropcap/internal/trial"
)

var execID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// trialKeeper keeps the trials of this process in the store.
type trialKeeper struct {
	Keeper
	process string // as processOf names it
}

func newTrialKeeper(s *store.Store, host string) (trialKeeper, error) {
	self, err := processOf(os.Getpid())
	return trialKeeper{Keeper{s, host}, self}, err
}

func (k trialKeeper) Begin(ctx context.Context, t dropcap.Trial) error {
	if err := buryTrials(ctx, k.Store); err != nil {
		return err
	}
	err := k.BeginTrial(ctx, store.KeptTrial{Trial: t, Process: k.process}, alive)
	if errors.Is(err, store.ErrBusy) {
		return dropcap.Errorf(CodeOf(err), "`dropcap trial --stop` ends it",
			"%w", err)
	}
	return err
}

func (k trialKeeper) Save(ctx context.Context, t dropcap.Trial) error {
	return k.SaveTrial(ctx, store.KeptTrial{Trial: t, Process: k.process})
}

func (k trialKeeper) Stops(ctx context.Context) (map[string]string, error) {
	return k.StopsAsked(ctx)
}

func (k trialKeeper) Keep(ctx context.Context, w dropcap.WorkloadEvidence) error {
	return k.Keeper.Keep(ctx, w)
}

func (k trialKeeper) Known(ctx context.Context, workload string) (trial.Known, error) {
	list, err := Stored(ctx, k.Store, "")
	return trial.Known(evidence.DenialsOf(list, workload).Knows), err
}

// buryTrials marks the trials whose process has ended without a word: the kernel has let go.
func buryTrials(ctx context.Context, s *store.Store) error {
	list, err := s.RunningTrials(ctx)
	if err != nil {
		return err
	}
	for _, t := range list {
		if died(&t) {
			if err := s.SaveTrial(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// died changes a trial that is kept as running, and whose process is gone, to what it is.
func died(t *store.KeptTrial) bool {
	if t.Kind != dropcap.KindTrial || t.State.Over() || alive(t.Process) {
		return false
	}
	t.State, t.Denied = dropcap.TrialDied, 0
	t.Because = "its process ended without a word, and the kernel let go"
	t.Ended = t.Since
	if since, err := time.Parse(time.RFC3339, t.Since); err == nil { // not earlier
		t.Ended = since.Add(time.Duration(t.Seconds) * time.Second).UTC().Format(time.RFC3339)
	}
	return true
}

// Trials returns the trials of this host, running and over, the newest first. No engine is asked.
func (h *Host) Trials(ctx context.Context) (dropcap.Trials, error) {
	doc := dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	if !store.Exists(h.config.Store) {
		return doc, nil
	}
	err := h.withStore(func(s *store.Store) error {
		list, err := s.Trials(ctx)
		for _, t := range list {
			if t.Kind == dropcap.KindTrial {
				died(&t)
				doc.Trials = append(doc.Trials, t.Trial)
			}
		}
		return err
	})
	return doc, err
}

// stopPatience is how long the process of a trial may take to end it, and stopPoll how often that
// is looked for.
const (
	stopPatience = 20 * time.Second
	stopPoll     = 100 * time.Millisecond
)

// StopTrial ends the running trials of these containers, by name, id, beginning of an id, or the
// trial's own id; of all if none is named. It returns when the kernel has let go.
func (h *Host) StopTrial(ctx context.Context, names []string) (dropcap.Trials, error) {
	doc := dropcap.Trials{Schema: dropcap.SchemaTrial, Trials: []dropcap.Trial{}}
	err := h.withStore(func(s *store.Store) error {
		if err := buryTrials(ctx, s); err != nil {
			return err
		}
		list, err := s.RunningTrials(ctx)
		if err != nil {
			return err
		}
		chosen, err := chooseTrials(list, names)
		if err != nil {
			return err
		}
		doc.Trials, err = h.stopTrials(ctx, s, chosen, "a person ended it (dropcap trial --stop)")
		return err
	})
	return doc, err
}

// chooseTrials returns the running trials that are named.
func chooseTrials(list []store.KeptTrial, names []string) (chosen []store.KeptTrial, err error) {
	taken := map[string]bool{}
	for _, t := range list {
		if t.Kind != dropcap.KindTrial {
			continue
		}
		for _, n := range names {
			if n == t.Name || n == t.ID || len(n) >= 4 && len(n) <= len(t.Container) &&
				t.Container[:len(n)] == n || n == t.Workload {
				taken[n] = true
				if !taken[t.ID+"\x00"] {
					taken[t.ID+"\x00"] = true
					chosen = append(chosen, t)
				}
			}
		}
		if len(names) == 0 {
			chosen = append(chosen, t)
		}
	}
	for _, n := range names {
		if !taken[n] {
			return nil, dropcap.Errorf(dropcap.CodeError, "`dropcap trial --list` shows them",
				"cannot find a running trial of %q", n)
		}
	}
	return chosen, nil
}

// stopTrials asks the processes to end these trials, and waits until they are over.
func (h *Host) stopTrials(ctx context.Context, s *store.Store, list []store.KeptTrial,
	because string) (over []dropcap.Trial, err error) {
	for _, t := range list {
		if err := s.StopTrial(ctx, t.ID, because); err != nil {
			return nil, err
		}
	}
	over = []dropcap.Trial{}
	for _, t := range list {
		ended, err := awaitTrial(ctx, s, t.ID)
		if err != nil {
			return over, err
		}
		over = append(over, ended)
	}
	return over, nil
}

func awaitTrial(ctx context.Context, s *store.Store, id string) (dropcap.Trial, error) {
	for end := time.Now().Add(stopPatience); ; {
		if err := buryTrials(ctx, s); err != nil {
			return dropcap.Trial{}, err
		}
		all, err := s.Trials(ctx)
		if err != nil {
			return dropcap.Trial{}, err
		}
		for _, t := range all {
			if t.ID == id && t.State.Over() {
				return t.Trial, nil
			}
		}
		if time.Now().After(end) {
			return dropcap.Trial{}, dropcap.Errorf(dropcap.CodeError,
				"end that process: the kernel lets go then",
				"cannot end trial %s: its process does not answer", id)
		}
		select {
		case <-ctx.Done():
			return dropcap.Trial{}, ctx.Err()
		case <-time.After(stopPoll):
		}
	}
}

// endTrials ends the trials of containers that are about to be changed, and says so.
func (h *Host) endTrials(ctx context.Context, s *store.Store, containers map[string]bool) error {
	if err := buryTrials(ctx, s); err != nil {
		return err
	}
	list, err := s.RunningTrials(ctx)
	if err != nil {
		return err
	}
	var mine []store.KeptTrial
	for _, t := range list {
		if t.Kind == dropcap.KindTrial && containers[t.Container] {
			mine = append(mine, t)
			h.observer.Progress(Note{fmt.Sprintf("trial %s of %s ends, since the container is "+
				"changed", t.ID, t.Name)})
		}
	}
	_, err = h.stopTrials(ctx, s, mine, "the container was about to be changed")
	return err
}
