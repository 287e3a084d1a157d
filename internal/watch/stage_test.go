package watch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropcap"
	"dropcap/caps"
)

// world is a host of which a test says what there is.
type world struct {
	events chan Event

	mu      sync.Mutex
	there   map[string]dropcap.Judged
	files   map[string]FileExcess
	execs   map[string]dropcap.Exec
	policy  dropcap.Policy
	changes []dropcap.Change
	denials []Denial
	ended   []string
	down    error
	looks   [][]string
}

func newWorld(list ...dropcap.Judged) *world {
	w := &world{there: map[string]dropcap.Judged{},
		files: map[string]FileExcess{}, execs: map[string]dropcap.Exec{}}
	for _, c := range list {
		w.there[c.ID] = c
	}
	return w
}

// Events makes the channel, since it must belong to the bubble.
func (w *world) Events(context.Context) (<-chan Event, error) {
	w.events = make(chan Event, 10000)
	return w.events, nil
}

func (w *world) Answers(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down
}

func (w *world) Judge(_ context.Context, ids []string) (Judgement, error) {
	// Time is under test: a look takes some
	time.Sleep(20 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down != nil {
		return Judgement{}, w.down
	}
	w.looks = append(w.looks, slices.Clone(ids))
	all := caps.UpTo(caps.Last)
	j := Judgement{Policy: w.policy, Changes: w.changes, BeyondFile: w.files}
	j.Audit.Host = dropcap.Host{ID: "h", Name: "host", Grantable: &all}
	for id, c := range w.there {
		if ids == nil || slices.Contains(ids, id) {
			j.Audit.Containers = append(j.Audit.Containers, c)
		}
	}
	return j, nil
}

func (w *world) Exec(_ context.Context, id string) (dropcap.Exec, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x, ok := w.execs[id]
	if !ok {
		return x, dropcap.ErrNotFound
	}
	return x, nil
}

func (w *world) Denials(context.Context) ([]Denial, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.denials
	w.denials = nil
	return list, nil
}

func (w *world) Ended(context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.ended
	w.ended = nil
	return list, nil
}

// change changes the world.
func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// starts puts a container there and says that it has started.
func (w *world) starts(c dropcap.Judged) {
	w.change(func() { w.there[c.ID] = c })
	w.events <- Event{Action: "start", ID: c.ID, Name: c.Name}
}

// container returns a running one with findings of these rules.
func container(name string, rules ...dropcap.Rule) dropcap.Judged {
	granted := caps.DockerDefaults
	c := dropcap.Judged{Container: dropcap.Container{ID: "id-" + name, Name: name,
		Workload: "docker:" + name, State: "running", Predicted: &granted,
		Kernel: dropcap.Kernel{Visible: true, Held: &granted}}, Verdict: dropcap.Pass}
	for _, r := range rules {
		c.Verdict = dropcap.Fail
		c.Findings = append(c.Findings, dropcap.Finding{Rule: r, Severity: caps.High,
			Caps: caps.Of(caps.NetRaw), Because: "because of " + string(r), Fix: "mend " + name})
	}
	return c
}

// watched is a run within a bubble of its own time.
type watched struct {
	w      *world
	mu     sync.Mutex
	told   []dropcap.Occurrence
	state  State
	warned []string
}

// watchIn runs a watch, once all containers have been looked at, in a bubble.
func watchIn(t *testing.T, w *world, q Query, do func(*watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		got := &watched{w: w}
		q.Tell = func(o dropcap.Occurrence) {
			got.mu.Lock()
			defer got.mu.Unlock()
			got.told = append(got.told, o)
		}
		q.Report = func(s State) {
			got.mu.Lock()
			defer got.mu.Unlock()
			got.state = s
		}
		q.Warn = func(err error) {
			got.mu.Lock()
			defer got.mu.Unlock()
			got.warned = append(got.warned, err.Error())
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- Run(ctx, w, q) }()
		got.after(time.Second)
		do(got)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// after lets time pass and returns what has been told meanwhile.
func (g *watched) after(d time.Duration) []dropcap.Occurrence {
	// Time is under test: that of the bubble
	time.Sleep(d)
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.told
	g.told = nil
	return list
}

// known returns what is known now, and what was warned of.
func (g *watched) known() (State, []string) {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state, slices.Clone(g.warned)
}

// kinds are what was told, each as "kind name".
func kinds(list []dropcap.Occurrence) (out []string) {
	for _, o := range list {
		out = append(out, strings.TrimSpace(string(o.Kind)+" "+o.Name))
	}
	slices.Sort(out)
	return out
}

func wantKinds(t *testing.T, list []dropcap.Occurrence, want ...string) {
	t.Helper()
	if got := kinds(list); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
