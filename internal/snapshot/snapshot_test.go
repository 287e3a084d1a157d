package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// engine is scripted: it has containers by id, and what Inspect returns for each of them, call by
// call.
type engine struct {
	host    dropcap.Host
	order   []string
	replies map[string][]dropcap.Container // the last one is repeated
	fails   map[string]error               // what Inspect returns instead
	stays   map[string]bool                // still listed although Inspect denies that it exists
	mu      sync.Mutex
	asked   int
}

func (e *engine) Host(context.Context) (dropcap.Host, error) { return e.host, nil }

func (e *engine) List(context.Context, []string) ([]dropcap.Ref, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var l []dropcap.Ref
	for _, id := range e.order {
		l = append(l, dropcap.Ref{ID: id, Name: "name-" + id})
	}
	return l, nil
}

func (e *engine) Inspect(_ context.Context, id string) (dropcap.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	id = strings.TrimPrefix(id, "name-")
	if err := e.fails[id]; err != nil {
		return dropcap.Container{}, err
	}
	l := e.replies[id]
	if len(l) == 0 {
		if !e.stays[id] {
			e.order = slices.DeleteFunc(slices.Clone(e.order), func(o string) bool {
				return o == id
			})
		}
		return dropcap.Container{}, fmt.Errorf("inspect: %w", dropcap.ErrNotFound)
	}
	if len(l) > 1 {
		e.replies[id] = l[1:]
	}
	return l[0], nil
}

// eyes returns, for each process by pid, the sets of one look after the other; a pid without any is
// gone.
type eyes struct {
	seen  map[int][]caps.Set
	comm  string // of all of them
	bound bool   // they have given up their bounding set
	mu    sync.Mutex
	looks int
}

func (k *eyes) Look(_ context.Context, c dropcap.Container) (dropcap.Kernel, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	l := k.seen[c.PID]
	if len(l) == 0 {
		return dropcap.Kernel{WhyNot: "it does not exist here"}, dropcap.ErrGone
	}
	if len(l) > 1 {
		k.seen[c.PID] = l[1:]
	}
	set := l[0]
	p := dropcap.Process{PIDs: []int{c.PID}, Comm: k.comm, Bounding: set.Mask()}
	out := dropcap.Kernel{Visible: true, Held: &set, Bounding: &set}
	if k.bound {
		p.Bounding, p.Permitted = caps.Set(0).Mask(), set.Mask()
		out.Bounding, out.Permitted = new(caps.Set), &set
	}
	out.Processes = []dropcap.Process{p}
	return out, nil
}

func running(id string, pid int) dropcap.Container {
	return dropcap.Container{ID: id, State: "running", PID: pid}
}

func take(t *testing.T, e *engine, k *eyes, q Query) []dropcap.Container {
	t.Helper()
	e.host.Engine.Name, e.host.Engine.Version, e.host.Kernel = "docker", "24.0.1", "6.1.0"
	s, err := Take(t.Context(), e, k, nowhere, q)
	if err != nil {
		t.Fatal(err)
	}
	return s.Containers
}

const defaults = caps.DockerDefaults

func nowhere() Machine { return Machine{} }

func TestOrderIsTheEnginesAndTheVanishedAreLeftOut(t *testing.T) {
	e := &engine{order: []string{"c", "a", "gone", "b"}, replies: map[string][]dropcap.Container{
		"a": {running("a", 1)}, "b": {running("b", 2)}, "c": {running("c", 3)},
	}}
	k := &eyes{seen: map[int][]caps.Set{1: {defaults}, 2: {defaults}, 3: {defaults}}}
	var got []string
	for _, c := range take(t, e, k, Query{Parallel: 3}) {
		got = append(got, c.ID)
	}
	if strings.Join(got, "") != "cab" {
		t.Errorf("got %v, want c a b", got)
	}
}

func TestARestartedContainerIsLookedAtAgain(t *testing.T) {
	e := &engine{order: []string{"a"},
		replies: map[string][]dropcap.Container{"a": {running("a", 1), running("a", 2)}}}
	c := take(t, e, &eyes{seen: map[int][]caps.Set{2: {defaults}}}, Query{})[0]
	if !c.Kernel.Visible || c.PID != 2 {
		t.Errorf("pid %d, visible %v; want the second process", c.PID, c.Kernel.Visible)
	}
}

func TestAContainerThatEndsMeanwhileIsNotRunning(t *testing.T) {
	e := &engine{order: []string{"a"},
		replies: map[string][]dropcap.Container{"a": {running("a", 1), {ID: "a", State: "exited"}}}}
	c := take(t, e, &eyes{}, Query{})[0]
	if c.Kernel.Visible || c.Kernel.WhyNot != dropcap.NotRunning || c.Predicted == nil {
		t.Errorf("got %+v", c.Kernel)
	}
}

func TestAnEngineMayLearnLateThatAContainerHasEnded(t *testing.T) {
	late := []dropcap.Container{running("a", 1), running("a", 1), running("a", 1),
		{ID: "a", State: "exited"}}
	e := &engine{order: []string{"a"}, replies: map[string][]dropcap.Container{"a": late}}
	if c := take(t, e, &eyes{}, Query{})[0]; c.Kernel.WhyNot != dropcap.NotRunning {
		t.Errorf("got %+v, want it known to have ended", c.Kernel)
	}
}

func TestAProcessThatCannotBeFoundIsUnseen(t *testing.T) {
	e := &engine{order: []string{"a"},
		replies: map[string][]dropcap.Container{"a": {running("a", 1)}}}
	c := take(t, e, &eyes{}, Query{})[0]
	if c.Kernel.Visible || c.Kernel.WhyNot == "" || c.Kernel.Bounding != nil {
		t.Errorf("got %+v, want unseen with a reason", c.Kernel)
	}
}

func TestAStartingRuntimeIsNoDriftAndRealDriftStays(t *testing.T) {
	all := caps.UpTo(caps.Last)
	e := &engine{order: []string{"a", "b"},
		replies: map[string][]dropcap.Container{"a": {running("a", 1)}, "b": {running("b", 2)}}}
	k := &eyes{seen: map[int][]caps.Set{1: {all, all, defaults}, 2: {all}}}
	l := take(t, e, k, Query{})
	if *l[0].Kernel.Bounding != defaults {
		t.Errorf("a runtime that was starting is reported: %s", l[0].Kernel.Bounding)
	}
	if *l[1].Kernel.Bounding != all {
		t.Errorf("drift that stayed is lost: %s", l[1].Kernel.Bounding)
	}
}

func TestMorePatienceWithWhatIsCalledLikeARuntime(t *testing.T) {
	all := caps.UpTo(caps.Last)
	long := append(slices.Repeat([]caps.Set{all}, 10), defaults)
	for _, x := range []struct {
		comm  string
		bound bool // it has given up its bounding set, but not yet the other sets
		seen  []caps.Set
		want  caps.Set
		most  int
	}{
		{"runc:[2:INIT]", false, long, defaults, 11}, {"runc:[2:INIT]", true, long, defaults, 11},
		{"runc:[2:INIT]", true, []caps.Set{all}, all, maxRetries + 1},
		{"tail", false, long, all, len(settling) + 1},
	} {
		e := &engine{order: []string{"a"},
			replies: map[string][]dropcap.Container{"a": {running("a", 1)}}}
		k := &eyes{comm: x.comm, bound: x.bound, seen: map[int][]caps.Set{1: x.seen}}
		if got := *take(t, e, k, Query{})[0].Kernel.Held; got != x.want || k.looks != x.most {
			t.Errorf("%s: %s after %d looks, want %s after %d", x.comm, got, k.looks, x.want,
				x.most)
		}
	}
}

func TestAnUnknownNameSuggestsTheNearest(t *testing.T) {
	e := &engine{order: []string{"frontend", "database"}, replies: map[string][]dropcap.Container{}}
	_, err := Take(t.Context(), e, &eyes{}, nowhere, Query{Names: []string{"name-frontned"}})
	var told *dropcap.Error
	if !errors.As(err, &told) || told.Hint != "did you mean name-frontend?" {
		t.Errorf("got %v, hint %q", err, told.Hint)
	}
}

func TestAFailingEngineIsAnErrorAndNoSnapshot(t *testing.T) {
	down := fmt.Errorf("nobody listens there: %w", dropcap.ErrUnreachable)
	e := &engine{order: []string{"a", "b"}, fails: map[string]error{"a": down, "b": down}}
	if _, err := Take(t.Context(), e, &eyes{}, nowhere, Query{}); !errors.Is(err,
		dropcap.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	silent := fmt.Errorf("it hangs: %w", context.DeadlineExceeded)
	e = &engine{fails: map[string]error{}}
	for i := range 200 {
		id := fmt.Sprintf("c%d", i)
		e.order, e.fails[id] = append(e.order, id), silent
	}
	if _, err := Take(t.Context(), e, &eyes{}, nowhere, Query{Parallel: 4}); !errors.Is(err,
		context.DeadlineExceeded) || e.asked > maxTimeouts+8 {
		t.Errorf("an engine that describes nothing in time was asked %d times: %v", e.asked, err)
	}
}

// A container that cannot be read, for whatever reason, is unread with its reason, named or not,
// and all others are examined.
func TestOneThatCannotBeReadIsUnreadAndTheOthersAreLookedAt(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		fails error
		says  string
	}{
		"size": {fmt.Errorf("cannot read the engine's answer to GET /containers/%s/json: it is "+
			"larger than 8 MiB", id), "it is larger than 8 MiB"},
		"hang": {fmt.Errorf("cannot get an answer to GET /containers/%s/json within 2s%.0w", id,
			context.DeadlineExceeded),
			"cannot get an answer to GET /containers/abababababab/json within 2s"},
		"it stays in the list": {nil, "says that there is no such container"},
	} {
		for _, names := range [][]string{nil, {"name-" + id, "a"}, {id[:12], "a"}} {
			e := &engine{order: []string{id, "a"},
				replies: map[string][]dropcap.Container{"a": {running("a", 1)}},
				stays:   map[string]bool{id: true}}
			if c.fails != nil {
				e.fails = map[string]error{id: c.fails, id[:12]: c.fails}
			} else if names != nil {
				continue // an unknown name is an error
			}
			l := take(t, e, &eyes{seen: map[int][]caps.Set{1: {defaults}}}, Query{Names: names})
			if len(l) != 2 || l[1].Unread != "" || !l[1].Kernel.Visible {
				t.Fatalf("%s, %v: got %+v", name, names, l)
			}
			x := l[0]
			if x.ID != id || x.Name != "name-"+id || !strings.Contains(x.Unread, c.says) ||
				x.Kernel.Visible || x.Kernel.WhyNot != x.Unread || x.Predicted != nil ||
				x.State != "" {
				t.Errorf("%s, %v: got %+v", name, names, x)
			}
		}
	}
}

func TestGrantableByVersionHostAndEngineProcess(t *testing.T) {
	own := caps.UpTo(caps.Last).Minus(caps.Of(caps.SysResource))
	here := Machine{Engine: true, Release: "6.18.1", Last: caps.Last, EngineCaps: &own}
	for _, x := range []struct {
		version, kernel string
		here            Machine
		want            caps.Set
		from            string
	}{
		{"29.0.0", "6.18.1", here, own, "engine"},
		{"20.10.24+dfsg1", "6.18.1", here, caps.DockerLegacyKnown, "engine"},
		{"29.0.0", "6.18.1", Machine{}, caps.UpTo(caps.Last), "assumed"},
		// the socket leads to another kernel
		{"29.0.0", "5.15.0-vm", here, caps.UpTo(caps.Last), "assumed"},
		{"24.0.7", "5.4.0", Machine{}, caps.UpTo(caps.AuditRead), "assumed"},
		{"24.0.7", "5.8.0", Machine{}, caps.UpTo(caps.BPF), "assumed"},
		{"20.10.24", "6.1.0", Machine{}, caps.DockerLegacyKnown, "assumed"},
	} {
		h := Settle(dropcap.Host{Kernel: x.kernel, Engine: dropcap.Engine{Name: "docker",
			Version: x.version}}, x.here)
		if h.Grantable == nil || *h.Grantable != x.want || h.GrantableFrom != x.from {
			t.Errorf("%s on %s: ALL is %v from %q, want %s from %q", x.version, x.kernel,
				h.Grantable, h.GrantableFrom, x.want, x.from)
		}
	}
}

func TestAnEngineOfUnknownVersionPredictsNothingForALL(t *testing.T) {
	h := Settle(dropcap.Host{Engine: dropcap.Engine{Name: "docker", Version: "dev"}}, Machine{})
	c := dropcap.Container{Declared: dropcap.Declared{Privileged: true}}
	predict(&c, h, nil)
	if c.Predicted != nil || c.WhyNot == "" {
		t.Errorf("predicted %v (%q), want nothing with a reason", c.Predicted, c.WhyNot)
	}
	plain := dropcap.Container{}
	predict(&plain, h, nil)
	if plain.Predicted == nil || *plain.Predicted != defaults {
		t.Errorf("predicted %v for a plain container, want the defaults", plain.Predicted)
	}
}

func TestAnEngineElsewhereIsNotWaitedForAgainAndAgain(t *testing.T) {
	e := &engine{replies: map[string][]dropcap.Container{}}
	for i := range 400 {
		id := fmt.Sprintf("c%d", i)
		e.order, e.replies[id] = append(e.order, id), []dropcap.Container{running(id, i+1)}
	}
	start := time.Now()
	for _, c := range take(t, e, &eyes{}, Query{Parallel: 4}) {
		if c.Kernel.Visible || c.Kernel.WhyNot == "" {
			t.Fatalf("got %+v", c.Kernel)
		}
	}
	if took := time.Since(start); took > 15*time.Second { // 26 s if it waited for each
		t.Errorf("took %s", took)
	}
}

func TestAnEngineHandsOnNoMoreThanItHas(t *testing.T) {
	own := caps.UpTo(caps.Last).Minus(caps.Of(caps.SysResource))
	here := Machine{Engine: true, Release: "6.18.1", Last: caps.Last, EngineCaps: &own}
	h := Settle(dropcap.Host{Kernel: "6.18.1", Engine: dropcap.Engine{Name: "docker",
		Version: "20.10.24"}}, here)
	c := dropcap.Container{Declared: dropcap.Declared{Add: []string{"SYS_RESOURCE", "SYS_TIME"}}}
	predict(&c, h, here.limit(h))
	if *c.Predicted != caps.DockerDefaults|caps.Of(caps.SysTime) {
		t.Errorf("predicted %s", c.Predicted)
	}
	if elsewhere := (Machine{}).limit(h); elsewhere != nil {
		t.Errorf("an engine elsewhere is limited to %s", elsewhere)
	}
}

// slow is an engine that takes long to describe its host.
type slow struct{ *engine }

func (s slow) Host(ctx context.Context) (dropcap.Host, error) {
	<-ctx.Done()
	return dropcap.Host{}, ctx.Err()
}

func TestWithoutContainersAHostThatNobodyLooksAtIsNotWaitedFor(t *testing.T) {
	s, err := Take(t.Context(), slow{&engine{}}, &eyes{}, nowhere, Query{HostUnseen: true})
	if err != nil || len(s.Containers) != 0 {
		t.Errorf("%v, %v", s.Containers, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Take(ctx, slow{&engine{}}, &eyes{}, nowhere, Query{}); err == nil {
		t.Error("a host that somebody looks at was left out")
	}
}
