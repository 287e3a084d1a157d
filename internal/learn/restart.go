package learn

import (
	"context"
	"fmt"
	"sync"

	"dropcap"
)

// Member is a container to restart.
type Member struct {
	ID, Name string
	// ids of members whose namespaces or links it uses: they are up before it is restarted
	After []string
}

// restartsAtOnce is how many containers stop and start at the same time.
const restartsAtOnce = 16

// Restart restarts containers in parallel, except that a container that uses another's namespaces
// or links follows it, and is not restarted if the other does not come back. It calls tell as soon
// as a container is up, or has failed, possibly from several goroutines. Restart returns when all
// are done.
func Restart(ctx context.Context, members []Member, restart func(context.Context, Member) error,
	tell func(Member, error)) {
	slots := make(chan struct{}, restartsAtOnce)
	up := map[string]*outcome{}
	for _, m := range members {
		up[m.ID] = &outcome{name: m.Name, known: make(chan struct{})}
	}
	free := acyclic(members)
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			o := up[m.ID]
			defer close(o.known)
			o.err = after(ctx, m, free[m.ID], up)
			if o.err == nil {
				slots <- struct{}{}
				o.err = restart(ctx, m)
				<-slots
			}
			tell(m, o.err)
		})
	}
	all.Wait()
}

type outcome struct {
	name  string
	known chan struct{} // closed when err is set
	err   error
}

// after waits for the members that m depends on.
func after(ctx context.Context, m Member, on []string, up map[string]*outcome) error {
	for _, id := range on {
		o := up[id]
		select {
		case <-o.known:
		case <-ctx.Done():
			return ctx.Err()
		}
		if o.err != nil {
			return dropcap.Errorf(dropcap.CodeError, "",
				"cannot restart %s: it needs %s, which did not come back", m.Name, o.name)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("restart %s: %w", m.Name, err)
	}
	return nil
}

// acyclic returns the members that each one waits for. A member that would wait for itself does not
// wait.
func acyclic(members []Member) map[string][]string {
	free := map[string][]string{}
	var reaches func(from, to string, seen map[string]bool) bool
	reaches = func(from, to string, seen map[string]bool) bool {
		if from == to {
			return true
		}
		if seen[from] {
			return false
		}
		seen[from] = true
		for _, next := range free[from] {
			if reaches(next, to, seen) {
				return true
			}
		}
		return false
	}
	is := map[string]bool{}
	for _, m := range members {
		is[m.ID] = true
	}
	for _, m := range members {
		for _, id := range m.After {
			if is[id] && !reaches(id, m.ID, map[string]bool{}) {
				free[m.ID] = append(free[m.ID], id)
			}
		}
	}
	return free
}
