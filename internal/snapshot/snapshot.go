// Package snapshot puts together what the engine declares and what the kernel says of each
// container. It looks and changes nothing.
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

// Engine is what Take asks of a container engine.
type Engine interface {
	// Host describes the engine and its host by the engine's own word.
	Host(ctx context.Context) (dropcap.Host, error)
	// List gives the containers that pass the filters (docker's key=value), in the engine's order,
	// running or not.
	List(ctx context.Context, filters []string) ([]dropcap.Ref, error)
	// Inspect gives one container by id, id prefix or name; Kernel is left empty, and Predicted too
	// unless the engine itself tells it. The error is ErrNotFound when it is not there.
	Inspect(ctx context.Context, name string) (dropcap.Container, error)
}

// Kernel is what Take asks of the host's kernel.
type Kernel interface {
	// Look reads the sets of every process of a running container. What it may not or cannot see is
	// said in the result; the error is ErrGone when the container's first process does not exist,
	// and the result says so for an engine that insists on it.
	Look(ctx context.Context, c dropcap.Container) (dropcap.Kernel, error)
}

// Query says what to look at.
type Query struct {
	Names   []string // ids, id prefixes or names; none means all
	Filters []string // docker's key=value
	// IfPresent makes it no error that no container has a name: it is told in Snapshot.Absent.
	IfPresent bool
	Parallel  int // requests at once; 0 means 16
	// HostUnseen says that nobody will look at the host's description: where there is no container
	// it may be left empty.
	HostUnseen bool
	// Progress, if set, is called after each container, possibly from several goroutines at once.
	Progress func(done, total int)
}

// Take looks at the host. here describes this machine, for the case that the engine runs on it; it
// is asked while the engine answers. A container that vanishes meanwhile is left out; one named in
// the query that is not there is an error with the nearest name, but for IfPresent.
func Take(ctx context.Context, e Engine, k Kernel, here func() Machine,
	q Query) (dropcap.Snapshot, error) {
	host, machine, refs, absent, err := ask(ctx, e, here, q)
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
		Containers: list, Absent: absent,
	}, nil
}

// ask describes the host and chooses the containers at the same time: each takes some milliseconds.
// Without containers nobody needs to wait for the host, unless it will be shown: Docker takes
// longest for that, since it asks its runtimes for their versions.
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
	refs, absent, err := choose(ctx, e, q)
	if err == nil && len(refs) == 0 && q.HostUnseen {
		return dropcap.Host{}, Machine{}, nil, absent, nil
	}
	d, m := <-hosts, <-machines
	if d.err != nil {
		err = d.err
	}
	return d.host, m, refs, absent, err
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
	for range min(parallel(q), max(len(refs), 1)) {
		wg.Go(func() {
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
		})
	}
	feed(ctx, next, len(refs))
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

// stillThere marks as unread what the engine goes on to list, although it says that there is no
// such container.
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

// unread is a container that cannot be described. Nothing of it is guessed.
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

// mostSilent is how many containers an engine may fail to describe in time before it has described
// any: then it is the engine that hangs.
const mostSilent = 16

// hopeless tells whether an error about one container is about the engine, so that asking it on
// would help nobody.
func (l *looker) hopeless(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, dropcap.ErrUnreachable) ||
		dropcap.ExitOf(err) == dropcap.ExitInterrupt {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) && l.silent.Add(1) > mostSilent &&
		!l.heard.Load()
}

func feed(ctx context.Context, next chan<- int, n int) {
	defer close(next)
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			return
		}
	}
}

func parallel(q Query) int {
	if q.Parallel > 0 {
		return q.Parallel
	}
	return max(16, 2*runtime.NumCPU())
}

// looker looks at one container after the other.
type looker struct {
	engine Engine
	kernel Kernel
	host   dropcap.Host
	limit  *caps.Set // what the engine's process has itself; nil if it is not known
	// met is set once a container's processes were found here, lost once some were not: lost alone
	// means an engine that is elsewhere, and then there is nothing to wait for.
	met, lost atomic.Bool
	heard     atomic.Bool  // the engine has described a container
	silent    atomic.Int32 // how many it has not described in time
}

// one looks at one container; one that the engine does not describe in a way that can be understood
// is unread. If its first process is gone it is inspected again: it may have been restarted, and
// when one ends for good the engine learns of it some time later. An engine that insists on a
// process that is not here is elsewhere, or its container cannot be seen.
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
		owner.Settle(&c, l.host.Engine.Name)
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
			return c, nil // the Kernel says why nothing was seen
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

// settling are the pauses before what looks like drift is looked at again. While a container or an
// exec starts, the runtime's own process stands in the container's cgroup, and the threads of it
// that do not become the program keep every capability until execve ends them (runc drops the
// bounding set of one thread only). That passes within milliseconds; drift stays. The same pauses
// give an engine the time to learn that a process has ended.
var settling = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	100 * time.Millisecond}

// patience is how often what is called like a starting runtime is looked at again: on a busy host
// it takes longer, and in a container that gets one exec after the other each look may meet another
// one. A program that calls itself so gains two seconds and no more.
const patience = 24

func steady(ctx context.Context, k Kernel, c dropcap.Container) (dropcap.Kernel, error) {
	seen, err := k.Look(ctx, c)
	for i := 0; err == nil && unsettled(c, seen, i); i++ {
		if err := pause(ctx, settling[min(i, len(settling)-1)]); err != nil {
			return seen, err
		}
		seen, err = k.Look(ctx, c)
	}
	return seen, err
}

// unsettled tells whether what was seen after so many pauses is worth another.
func unsettled(c dropcap.Container, k dropcap.Kernel, pauses int) bool {
	held := k.Holds()
	if !k.Visible || held == nil || c.Predicted == nil || held.Minus(*c.Predicted).Empty() {
		return false
	}
	return pauses < len(settling) || pauses < patience && starting(k, *c.Predicted)
}

// starting tells whether all that holds more than is granted is called as runc's own processes are
// (libcontainer/nsenter/nsexec.c).
func starting(k dropcap.Kernel, granted caps.Set) bool {
	for _, p := range k.Processes {
		if p.UserNS == dropcap.UserNSNested { // what it holds is not counted
			continue
		}
		held, err := p.Holds()
		if (err != nil || !held.Minus(granted).Empty()) && !strings.HasPrefix(p.Comm, "runc:[") {
			return false
		}
	}
	return len(k.Processes) > 0
}

// predict fills what the engine grants, unless the engine told it itself. Nobody can hand on more
// than he has: a host may lack what an engine's arithmetic grants, and then its containers lack it
// too, if they start at all.
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
