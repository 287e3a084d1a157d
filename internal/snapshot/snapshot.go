// Package snapshot joins what the engine declares and what the kernel reports of each container. It
// only reads.
package snapshot

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/owner"
)

// Engine is the part of a container engine that Take uses.
type Engine interface {
	// Host describes the engine and its host as the engine does.
	Host(ctx context.Context) (dropcap.Host, error)
	// List returns the containers that pass the filters (docker's key=value), in the engine's
	// order, running or not.
	List(ctx context.Context, filters []string) ([]dropcap.Ref, error)
	// Inspect returns one container by id, id prefix or name. Kernel is empty, and Predicted too
	// unless the engine itself reports it. The error is ErrNotFound if there is no such container.
	Inspect(ctx context.Context, name string) (dropcap.Container, error)
}

// Kernel is the part of the host's kernel that Take uses.
type Kernel interface {
	// Look reads the sets of every process of a running container. The result states what is not
	// readable. The error is ErrGone if the container's first process does not exist; the result
	// then says so, for an engine that insists on it.
	Look(ctx context.Context, c dropcap.Container) (dropcap.Kernel, error)
}

// Query says which containers to describe.
type Query struct {
	Names   []string // ids, id prefixes or names; none means all
	Filters []string // docker's key=value
	// IfPresent lists names that no container has in Snapshot.Missing, instead of failing.
	IfPresent bool
	Parallel  int // concurrent requests at most; 0 means 16
	// HostUnseen means that nobody will see the host's description: without containers it may stay
	// empty.
	HostUnseen bool
	// Progress, if set, is called after each container, possibly from several goroutines at once.
	Progress func(done, total int)
}

// Take describes the host and its containers. here describes this machine, in case the engine runs
// on it; Take calls it while the engine answers. A container that vanishes meanwhile is left out. A
// name in the query that no container has is an error with the nearest name, unless IfPresent is
// set.
func Take(ctx context.Context, e Engine, k Kernel, here func() Machine,
	q Query) (dropcap.Snapshot, error) {
	host, machine, refs, missing, err := ask(ctx, e, here, q)
	if err != nil {
		return dropcap.Snapshot{}, err
	}
	host = Settle(host, machine)
	l := &looker{engine: e, kernel: k, host: host, limit: machine.limit(host)}
	list, err := l.all(ctx, refs, q)
	if err != nil {
		return dropcap.Snapshot{}, err
	}
	return dropcap.Snapshot{
		Schema: dropcap.SchemaSnapshot, Created: time.Now().UTC().Format(time.RFC3339), Host: host,
		Containers: list, Missing: missing,
	}, nil
}

// ask describes the host and chooses the containers at the same time: each takes some milliseconds.
// Without containers it does not wait for the host unless that will be shown: Docker takes longest
// for it, since it asks its runtimes for their versions.
func ask(ctx context.Context, e Engine, here func() Machine,
	q Query) (dropcap.Host, Machine, []dropcap.Ref, []string, error) {
	type described struct {
		host dropcap.Host
		err  error
	}
	hosts, machines := make(chan described, 1), make(chan Machine, 1)
	go func() {
		h, err := e.Host(ctx)
		hosts <- described{h, err}
	}()
	go func() { machines <- here() }()
	refs, missing, err := choose(ctx, e, q)
	if err == nil && len(refs) == 0 && q.HostUnseen {
		return dropcap.Host{}, Machine{}, nil, missing, nil
	}
	d, m := <-hosts, <-machines
	if d.err != nil {
		err = d.err
	}
	return d.host, m, refs, missing, err
}

// all inspects the containers, several at a time, and keeps the engine's order.
func (l *looker) all(ctx context.Context, refs []dropcap.Ref,
	q Query) ([]dropcap.Container, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	found := make([]*dropcap.Container, len(refs))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var gone atomic.Bool
	done := 0
	work := func() {
		for i := range next {
			c, err := l.one(ctx, refs[i])
			switch {
			case err == nil:
				found[i] = &c
			case errors.Is(err, dropcap.ErrNotFound):
				gone.Store(true)
			default:
				cancel(err)
				continue
			}
			if q.Progress != nil {
				mu.Lock()
				done++
				q.Progress(done, len(refs))
				mu.Unlock()
			}
		}
	}
	feed(ctx, next, len(refs), parallel(q), func() { wg.Go(work) })
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if gone.Load() {
		if err := l.stillThere(ctx, refs, found); err != nil {
			return nil, err
		}
	}
	list := make([]dropcap.Container, 0, len(refs))
	for _, c := range found {
		if c != nil {
			list = append(list, *c)
		}
	}
	return list, nil
}

// stillThere marks a container as unread if the engine still lists it while it denies that it
// exists.
func (l *looker) stillThere(ctx context.Context, refs []dropcap.Ref,
	found []*dropcap.Container) error {
	now, err := l.engine.List(ctx, nil)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, r := range now {
		listed[r.ID] = true
	}
	for i, r := range refs {
		if found[i] == nil && listed[r.ID] {
			c := unread(r, errors.New("the engine lists it, and says that there is no such "+
				"container"))
			found[i] = &c
		}
	}
	return nil
}

// unread returns a container that cannot be described. Nothing of it is guessed.
func unread(r dropcap.Ref, err error) dropcap.Container {
	why := strings.ReplaceAll(err.Error(), r.ID, r.ID[:min(len(r.ID), 12)])
	if _, cause, ok := strings.Cut(why, "/json: "); ok {
		why = cause
	}
	return dropcap.Container{
		ID: r.ID, Name: r.Name, Unread: why, WhyNot: why, Labels: []string{},
		Execs:  []dropcap.Exec{},
		Kernel: dropcap.Kernel{WhyNot: why, Processes: []dropcap.Process{}},
	}
}

// maxTimeouts is how many containers an engine may fail to describe in time before it has described
// any. Beyond that, the engine hangs.
const maxTimeouts = 16

// hopeless reports whether an error about one container concerns the whole engine, so that further
// requests are useless.
func (l *looker) hopeless(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, dropcap.ErrUnreachable) ||
		dropcap.ExitOf(err) == dropcap.ExitInterrupt {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) && l.silent.Add(1) > maxTimeouts &&
		!l.heard.Load()
}

// patience is how long all workers may be busy before there is one more.
const patience = 20 * time.Millisecond

// feed hands out numbers to workers. It starts with as many as the processors can feed, since an
// engine on this host keeps those busy, and more only wait for each other; one that is far away, or
// does not answer for some containers, gets more and more of them, up to most.
func feed(ctx context.Context, next chan<- int, n, most int, start func()) {
	defer close(next)
	workers := min(2*runtime.NumCPU(), most, n)
	for range workers {
		start()
	}
	for i := range n {
		for handed := false; !handed; {
			var late <-chan time.Time
			if workers < most {
				late = time.After(patience)
			}
			select {
			case next <- i:
				handed = true
			case <-late:
				workers++
				start()
			case <-ctx.Done():
				return
			}
		}
	}
}

func parallel(q Query) int {
	if q.Parallel > 0 {
		return q.Parallel
	}
	return max(16, 2*runtime.NumCPU())
}

// looker examines containers one by one.
type looker struct {
	engine Engine
	kernel Kernel
	host   dropcap.Host
	limit  *caps.Set // what the engine's process itself has; nil if unknown
	// met is set once a container's processes were found here, lost once some were not. lost alone
	// means that the engine is elsewhere, and then waiting is useless.
	met, lost atomic.Bool
	heard     atomic.Bool  // the engine has described a container
	silent    atomic.Int32 // how many it has not described in time
}

// one examines one container. A container whose description is not understood is unread. If its
// first process is gone, one inspects it again: it may have been restarted, and the engine learns
// of an end some time after the end. If the engine insists on a process that is not here, the
// engine is elsewhere, or the container is not visible.
func (l *looker) one(ctx context.Context, r dropcap.Ref) (dropcap.Container, error) {
	for attempt := 0; ; attempt++ {
		c, err := l.engine.Inspect(ctx, r.ID)
		switch {
		case err == nil:
			l.heard.Store(true)
		case errors.Is(err, dropcap.ErrNotFound) || l.hopeless(ctx, err):
			return c, err
		default:
			return unread(r, err), nil
		}
		owner.ResolveLabels(&c, l.host.Engine.Name)
		predict(&c, l.host, l.limit)
		c.Revision = evidence.MakingsOf(c, c.Entrypoint, c.Command).Revision()
		if !c.Running() {
			c.Kernel = dropcap.Kernel{WhyNot: dropcap.NotRunning, Processes: []dropcap.Process{}}
			return c, nil
		}
		c.Kernel, err = steady(ctx, l.kernel, c)
		if !errors.Is(err, dropcap.ErrGone) {
			l.met.Store(l.met.Load() || c.Kernel.Visible)
			return c, err
		}
		if attempt == len(settling) || l.lost.Load() && !l.met.Load() {
			l.lost.Store(true)
			return c, nil // the Kernel says why nothing is visible
		}
		if err := pause(ctx, settling[attempt]); err != nil {
			return c, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settling are the pauses before what looks like drift is read again. While a container or an exec
// starts, the runtime's own process is in the container's cgroup, and those of its threads that do
// not become the program keep every capability until execve ends them (runc drops the bounding set
// of one thread only). That passes within milliseconds; drift stays. The same pauses let an engine
// learn that a process has ended.
var settling = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	100 * time.Millisecond}

// maxRetries is how often a container is read again while a process in it is named like a starting
// runtime. On a busy host a start takes longer, and in a container with one exec after the other
// each look may meet another one. A program with such a name gains two seconds and no more.
const maxRetries = 24

func steady(ctx context.Context, k Kernel, c dropcap.Container) (dropcap.Kernel, error) {
	sets, err := k.Look(ctx, c)
	for i := 0; err == nil && unsettled(c, sets, i); i++ {
		if err := pause(ctx, settling[min(i, len(settling)-1)]); err != nil {
			return sets, err
		}
		sets, err = k.Look(ctx, c)
	}
	return sets, err
}

// unsettled reports whether a result after so many pauses is worth another try.
func unsettled(c dropcap.Container, k dropcap.Kernel, pauses int) bool {
	held := k.Holds()
	if !k.Visible || held == nil || c.Predicted == nil || held.Minus(*c.Predicted).Empty() {
		return false
	}
	return pauses < len(settling) || pauses < maxRetries && starting(k, *c.Predicted)
}

// starting reports whether all processes that hold more than is granted have the names of runc's
// own (libcontainer/nsenter/nsexec.c).
func starting(k dropcap.Kernel, granted caps.Set) bool {
	for _, p := range k.Processes {
		if p.UserNS == dropcap.UserNSNested { // what it holds does not count
			continue
		}
		held, err := p.Holds()
		if (err != nil || !held.Minus(granted).Empty()) && !strings.HasPrefix(p.Comm, "runc:[") {
			return false
		}
	}
	return len(k.Processes) > 0
}

// predict fills in what the engine grants, unless the engine reported it. Nobody can pass on more
// than they have: a host may lack what an engine's arithmetic grants, and then its containers lack
// it too, if they start at all.
func predict(c *dropcap.Container, host dropcap.Host, limit *caps.Set) {
	if c.Predicted == nil && c.WhyNot == "" {
		compute(c, host)
	}
	if c.Predicted != nil && limit != nil {
		within := *c.Predicted & *limit
		c.Predicted = &within
	}
}

func compute(c *dropcap.Container, host dropcap.Host) {
	if host.Defaults == nil {
		c.WhyNot = "the engine's default capabilities are not known"
		return
	}
	if host.Grantable == nil && usesAll(c.Declared) {
		c.WhyNot = "what ALL means to this engine is not known"
		return
	}
	g := caps.Grants{Defaults: *host.Defaults}
	if host.Grantable != nil {
		g.All = *host.Grantable
	}
	set, err := g.Predict(c.Declared)
	if err != nil {
		c.WhyNot = err.Error()
		return
	}
	c.Predicted = &set
}

func usesAll(d dropcap.Declared) bool {
	if d.Privileged {
		return true
	}
	for _, n := range d.Add {
		if strings.EqualFold(n, caps.All) {
			return true
		}
	}
	return false
}
