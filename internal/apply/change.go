package apply

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// change is one change in progress.
type change struct {
	dropcap.Change
	job   *Job                       // nil when the journal is all that there is
	keep  map[string]json.RawMessage // what the journal keeps of it
	gate  Gate
	begun bool // it is in the journal
	// recipe is of the old one, once it was needed for what texts must not say.
	recipe *recreate.Recipe
	// stopped is when the request to stop went out; zero if nothing was stopped yet.
	stopped time.Time
	source  *Source // of StrategySource, once it was needed
	// others are the descriptions of further containers before the change, by id; their texts may
	// hold secrets.
	others map[string]json.RawMessage

	members  []*change        // the further containers of a re-creation, see group.go
	lead     *change          // of a member: the change that bears the name
	nth      int              // of a member: which it is, from 2 on
	pointing *recreate.Recipe // of a member: of the new one, in the new ones' namespaces
}

// The names under which a strategy keeps things.
const (
	keepOriginal = "original" // recreate.Original
	keepGate     = "gate"     // Gate
	// true: the old one's own layer held something, and it was said that such may be lost
	keepDiscard = "discard"
)

// begin builds the change of a job. Nothing is done yet.
func (r *Runner) begin(j *Job) *change {
	c := &change{job: j, gate: j.Gate, keep: map[string]json.RawMessage{}}
	c.carryIf(j.Carry, r.Boot)
	c.Change = dropcap.Change{
		ID: r.newID(), Plan: j.Plan, Host: j.Host, Workload: j.Step.Workload,
		Name: j.Step.Container.Name, Strategy: j.Step.Strategy,
		Before: j.Step.Container.ID, Was: j.Step.Before, Is: j.Step.After, State: dropcap.Preparing,
		Started:  r.now().UTC().Format(time.RFC3339),
		Timeline: []dropcap.Event{}, Others: slices.Clone(j.Others),
	}
	c.joinAll(j.Members, r.Boot)
	return c
}

// load loads a change from the journal.
func (r *Runner) load(ctx context.Context, known dropcap.Change) (*change, error) {
	c := &change{Change: known, begun: true}
	kept, err := r.Journal.Kept(ctx, known.ID)
	if err != nil {
		return nil, err
	}
	c.keep = kept
	if g, ok := kept[keepGate]; ok {
		if err := json.Unmarshal(g, &c.gate); err != nil {
			return nil, fmt.Errorf("read the gate of change %s: %w", c.ID, err)
		}
	}
	c.rejoin()
	return c, nil
}

// original reads back what was kept of the old container.
func (c *change) original() (recreate.Original, error) {
	var o recreate.Original
	if c.job != nil {
		return c.job.Original, nil
	}
	b, ok := c.keep[keepOriginal]
	if !ok {
		return o, dropcap.Errorf(dropcap.CodeError, "",
			"cannot find in the journal what %s was like", c.Name)
	}
	err := json.Unmarshal(b, &o)
	return o, err
}

// note records the current change and its state. Every note has a name, like every effect.
func (r *Runner) note(ctx context.Context, c *change, name string,
	state dropcap.ChangeState) error {
	c = c.first()
	c.gather()
	n := &dropcap.Note{Change: c.Change}
	n.Change.State = state
	n.Change.Timeline = append(n.Change.Timeline[:len(c.Timeline):len(c.Timeline)],
		dropcap.Event{At: r.stamp(), Event: name})
	switch {
	case !state.Over():
		n.Change.Ended = ""
	case n.Change.Ended == "":
		n.Change.Ended = r.now().UTC().Format(time.RFC3339)
	}
	switch {
	case name == "note-begin", name == "note-live-restore",
		name == "note-backing-out" && c.source != nil:
		n.Keep = c.kept()
	case state == dropcap.RolledBack || state == dropcap.BackedOut:
		// nothing is left to be restored, and it may hold secrets
		n.Keep = map[string]json.RawMessage{}
		if log := c.keep[KeepLog]; log != nil {
			n.Keep[KeepLog] = log
		}
	}
	// what is done next follows from the decision, also where it cannot be written
	c.Change = n.Change
	_, err := r.do(ctx, c, dropcap.Effect{Name: name, Says: "write to the journal: " +
		string(state), Action: n})
	c.begun = c.begun || err == nil
	return err
}

// do does one effect, within its time. An interrupt does not cut it short, but for a copy that may
// take hours and stops nothing: it is looked for between effects.
func (r *Runner) do(ctx context.Context, c *change, e dropcap.Effect) (dropcap.Result, error) {
	if _, carries := e.Action.(*dropcap.Carry); !carries || c.State != dropcap.Preparing {
		ctx = context.WithoutCancel(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, r.limit(e))
	defer cancel()
	e.Name = c.own(e.Name)
	began := r.now()
	r.tell(Progress{Container: c.Name, Effect: e})
	result, err := r.Executor.Do(limited, e)
	err = c.discreetly(err)
	took := r.now().Sub(began)
	r.tell(Progress{Container: c.Name, Effect: e, Took: took, Ended: true, Err: err})
	if !e.IsNote() && !e.Reads() {
		c.happened(began, e.Name)
		if err != nil {
			c.happened(r.now(), e.Name+" failed: "+err.Error())
		}
	}
	return result, err
}

// happened adds to the timeline; the next note writes it.
func (c *change) happened(at time.Time, event string) {
	c = c.first()
	const most = 500 // a crash loop of recoveries must not grow the journal without end
	if len(c.Timeline) < most {
		c.Timeline = append(c.Timeline, dropcap.Event{At: stamp(at), Event: event})
	}
}

// when returns the time of the latest event of that name; zero if there is none.
func (c *change) when(event string) time.Time {
	if c.lead != nil {
		if !strings.HasPrefix(event, "note-") {
			event = c.own(event)
		}
		return c.lead.when(event)
	}
	for i := len(c.Timeline) - 1; i >= 0; i-- {
		if c.Timeline[i].Event == event {
			t, _ := time.Parse(time.RFC3339Nano, c.Timeline[i].At)
			return t
		}
	}
	return time.Time{}
}

// limit returns how long an effect may take.
func (r *Runner) limit(e dropcap.Effect) time.Duration {
	var own time.Duration
	switch action := e.Action.(type) {
	case *dropcap.Call:
		own = action.Timeout
	case *dropcap.Run:
		own = action.Timeout
	case *dropcap.Carry, *dropcap.Compare, *dropcap.Sync:
		own = longest
	}
	return cmp.Or(max(own, 0), max(r.Usual, 0), 30*time.Second)
}

func (r *Runner) tell(p Progress) {
	if r.Tell != nil {
		r.Tell(p)
	}
}

func (r *Runner) log(format string, args ...any) {
	if r.Log != nil {
		r.Log(fmt.Sprintf(format, args...))
	}
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Runner) stamp() string { return stamp(r.now()) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (r *Runner) newID() string {
	if r.NewID != nil {
		return r.NewID()
	}
	b := make([]byte, 6)
	rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b)
}

// sleep waits, or until ctx ends.
func (r *Runner) sleep(ctx context.Context, d time.Duration) {
	if r.Sleep != nil {
		r.Sleep(ctx, d)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Runner) poll() time.Duration {
	if r.Poll > 0 {
		return r.Poll
	}
	return 200 * time.Millisecond
}

func (r *Runner) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	return 2 * time.Minute
}
