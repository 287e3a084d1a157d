package hold

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

var (
	raw   = caps.Of(caps.NetRaw)
	mknod = caps.Of(caps.Mknod)
	noon  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

// world is a kernel, an engine and a store in one.
type world struct {
	mu     sync.Mutex
	denied map[string]caps.Set
	until  map[string]time.Time
	holds  []dropcap.Trial
	there  map[string]Container
	events chan Event
	now    time.Time
	broken error // of the store
	log    []string
	turn   sync.Mutex
}

func newWorld(holds ...dropcap.Trial) *world {
	return &world{denied: map[string]caps.Set{}, until: map[string]time.Time{}, holds: holds,
		there: map[string]Container{}, events: make(chan Event, 9), now: noon}
}

func held(id, workload string, s caps.Set, until string, containers ...string) dropcap.Trial {
	return dropcap.Trial{ID: id, Kind: dropcap.KindHold, Workload: workload, Asked: s, Denied: s,
		State: dropcap.TrialRunning, Since: "2026-05-01T11:00:00Z", Until: until,
		Containers: containers}
}

func (w *world) ExpectUntil(id string, s caps.Set, until time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s == 0 {
		delete(w.denied, id)
	} else {
		w.denied[id], w.until[id] = s, until
	}
	w.log = append(w.log, fmt.Sprintf("%s without %s", id, s.Short()))
	return nil
}

func (w *world) Expected() (map[string]caps.Set, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.denied), nil
}

func (w *world) Exclusively(f func() error) error {
	w.turn.Lock()
	defer w.turn.Unlock()
	return f()
}

func (w *world) Running(context.Context) (list []dropcap.Trial, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.holds {
		if !t.State.Over() {
			t.Containers = slices.Clone(t.Containers)
			list = append(list, t)
		}
	}
	return list, nil
}

func (w *world) Edit(_ context.Context, id string, edit func(*dropcap.Trial)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	for i := range w.holds {
		if w.holds[i].ID == id && !w.holds[i].State.Over() {
			edit(&w.holds[i])
		}
	}
	return nil
}

func (w *world) Events(context.Context) (<-chan Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events, nil
}

func (w *world) All(context.Context) ([]Container, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.there)), nil
}

func (w *world) See(_ context.Context, id string) (Container, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.there[id]
	if !ok {
		return c, dropcap.ErrNotFound
	}
	return c, nil
}

// add makes a container.
func (w *world) add(id, workload string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.there[id] = Container{ID: id, Name: "name-" + id, Workload: workload}
}

func (w *world) runner(t *testing.T) *Runner {
	return &Runner{Kernel: w, Keeper: w, Now: func() time.Time { return w.now },
		Warn: func(err error) { t.Log(err) }, Say: t.Logf}
}

// is waits until exactly this is denied.
func (w *world) is(t *testing.T, want map[string]caps.Set) {
	t.Helper()
	if !testenv.Within(5*time.Second, func() bool {
		got, _ := w.Expected()
		return maps.Equal(got, want)
	}) {
		got, _ := w.Expected()
		t.Errorf("denied %v, want %v", got, want)
	}
}

func TestTheKernelIsToldWhatTheStoreSays(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, "", "a", "b"),
		held("2", "docker:db", mknod, "2026-05-01T13:00:00Z", "c"))
	w.denied = map[string]caps.Set{"a": raw | mknod, "old": raw}
	if err := w.runner(t).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.is(t, map[string]caps.Set{"a": raw, "b": raw, "c": mknod})
	if !w.until["a"].IsZero() || !w.until["c"].Equal(noon.Add(time.Hour)) {
		t.Errorf("until %v", w.until)
	}
	last := w.log[len(w.log)-1]
	if last != "old without none" { // what is too much goes last
		t.Errorf("%q", w.log)
	}
	w.log = nil
	if err := w.runner(t).Apply(t.Context()); err != nil || len(w.log) > 0 {
		t.Errorf("told again: %q, %v", w.log, err)
	}
}

func TestAHoldEndsAtItsTime(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, "2026-05-01T12:00:00Z", "a"),
		held("2", "docker:web", mknod, "2026-05-01T12:00:01Z", "a"))
	w.denied["a"] = raw | mknod
	if err := w.runner(t).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.is(t, map[string]caps.Set{"a": mknod})
	got := w.holds[0]
	if got.State != dropcap.TrialExpired || got.Ended != "2026-05-01T12:00:00Z" ||
		got.Seconds != 3600 || got.Denied != 0 || got.Asked != raw || got.Because == "" ||
		w.holds[1].State.Over() {
		t.Errorf("%+v", w.holds)
	}
}

func TestNothingIsDeniedThatIsNotWrittenDown(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, ""))
	w.broken = errors.New("disk full")
	if err := w.runner(t).Adopt(t.Context(),
		Container{ID: "a", Workload: "docker:web"}); !errors.Is(err, w.broken) {
		t.Errorf("got %v", err)
	}
	w.is(t, map[string]caps.Set{})
}

// serve runs the service until the test ends; it returns once it is ready.
func serve(t *testing.T, w *world, connect func(context.Context) (Engine, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- w.runner(t).Serve(ctx, connect, func() { close(ready) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
}

func TestWhatIsHeldIsDeniedBeforeThereIsAnEngine(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, "", "a"))
	tried := make(chan struct{}, 100)
	serve(t, w, func(context.Context) (Engine, error) {
		tried <- struct{}{}
		return nil, errors.New("no engine yet")
	})
	w.is(t, map[string]caps.Set{"a": raw})
	<-tried
	<-tried // it is asked again
}

func TestNewContainersOfTheWorkloadAreHeldAndNoOthers(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, "", "gone"))
	w.add("made-meanwhile", "docker:web")
	w.add("other", "docker:db")
	serve(t, w, func(context.Context) (Engine, error) { return w, nil })
	w.is(t, map[string]caps.Set{"made-meanwhile": raw}) // and what is gone is forgotten

	w.add("replica", "docker:web")
	w.add("neighbour", "docker:db")
	w.events <- Event{Created, "replica"}
	w.events <- Event{Created, "neighbour"}
	w.events <- Event{Created, "vanished"}
	w.is(t, map[string]caps.Set{"made-meanwhile": raw, "replica": raw})
	if list, _ := w.Running(t.Context()); list[0].Container != "replica" ||
		list[0].Name != "name-replica" {
		t.Errorf("%+v", list)
	}
	w.events <- Event{Destroyed, "made-meanwhile"}
	w.is(t, map[string]caps.Set{"replica": raw})

	w.add("unheard", "docker:web") // while the engine could not be heard
	w.events <- Event{Reconnected, ""}
	w.is(t, map[string]caps.Set{"made-meanwhile": raw, "replica": raw, "unheard": raw})
}

func TestALostEngineIsConnectedAgain(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, ""))
	connections := make(chan struct{}, 9)
	serve(t, w, func(context.Context) (Engine, error) {
		connections <- struct{}{}
		return w, nil
	})
	w.add("first", "docker:web")
	w.events <- Event{Created, "first"}
	w.is(t, map[string]caps.Set{"first": raw}) // it listens
	w.mu.Lock()
	old := w.events
	w.events = make(chan Event, 9)
	w.there["a"] = Container{ID: "a", Workload: "docker:web"}
	w.mu.Unlock()
	close(old)
	w.is(t, map[string]caps.Set{"first": raw, "a": raw})
	if n := len(connections); n != 2 {
		t.Errorf("connected %d times", n)
	}
}

func TestAReleasedHoldIsNotExtended(t *testing.T) {
	w := newWorld(held("1", "docker:web", raw, "", "a"))
	r := w.runner(t)
	if err := errors.Join(w.Edit(t.Context(), "1", func(t *dropcap.Trial) {
		Over(t, dropcap.TrialReleased, "a person released it", noon)
	}), r.Adopt(t.Context(), Container{ID: "b", Workload: "docker:web"}),
		r.Apply(t.Context())); err != nil {
		t.Fatal(err)
	}
	w.is(t, map[string]caps.Set{})
}
