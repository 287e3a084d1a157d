package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/learn"
	"dropcap/internal/recreate"
)

// restarting restarts the named containers for a recording.
type restarting struct {
	app   *app
	c     *docker.Client
	names map[string]string // by id
}

// restartPatience is what an engine may take to stop and start a container beyond its grace period.
const restartPatience = 2 * time.Minute

// run restarts them, says of each at once that it has not come back, and gives an error then.
func (r restarting) run(ctx context.Context, members []learn.Member) error {
	var mu sync.Mutex
	var failed []string
	learn.Restart(ctx, members, r.restart, func(m learn.Member, err error) {
		if err == nil || ctx.Err() != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		failed = append(failed, m.Name)
		r.app.warn(fmt.Errorf("%s did not come back: %w", m.Name, err))
	})
	if len(failed) == 0 {
		return nil
	}
	slices.Sort(failed)
	return dropcap.Errorf(dropcap.CodeError,
		"see `docker ps --all` for their state and `docker logs` for why; what was recorded is "+
			"kept all the same",
		"cannot restart %s", strings.Join(failed, ", "))
}

// members finds out which of them use others, and tells whom a restart cuts off who is not among
// them.
func (r restarting) members(ctx context.Context) ([]learn.Member, error) {
	all, err := r.c.List(ctx, []string{"status=running"})
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, ref := range all {
		ids[ref.ID], ids[ref.Name] = ref.ID, ref.ID
	}
	list := map[string]learn.Member{}
	for id, name := range r.names {
		list[id] = learn.Member{ID: id, Name: name}
	}
	for _, ref := range all {
		raw, err := r.c.RawContainer(ctx, ref.ID)
		if err != nil {
			continue // it is gone: then it uses nothing
		}
		uses, err := recreate.Uses(raw)
		if err != nil {
			return nil, err
		}
		for _, u := range uses {
			other := ids[u.Container]
			m, ours := list[ref.ID]
			switch {
			case list[other].ID == "" || u.Kind == "volumes":
			case ours:
				m.After = append(m.After, other)
				list[ref.ID] = m
			case u.Namespace():
				r.app.warn(fmt.Errorf("%s uses the %s namespace of %s and loses it: restart it too",
					ref.Name, u.Kind, list[other].Name))
			}
		}
	}
	return slices.SortedFunc(maps.Values(list), func(a, b learn.Member) int {
		return strings.Compare(a.Name, b.Name)
	}), nil
}

// restart returns once the container is up again, or is known not to be.
func (r restarting) restart(ctx context.Context, m learn.Member) error {
	raw, err := r.c.RawContainer(ctx, m.ID)
	if err != nil {
		return err
	}
	var was struct{ Config struct{ StopTimeout *int } }
	if err := json.Unmarshal(raw, &was); err != nil {
		return fmt.Errorf("read how long it may take to stop: %w", err)
	}
	grace := 10 * time.Second // moby container/container.go, defaultStopTimeout
	switch t := was.Config.StopTimeout; {
	case t != nil && *t < 0: // for ever
		grace = time.Hour
	case t != nil:
		grace = time.Duration(*t) * time.Second
	}
	if _, err := r.c.Perform(ctx, dropcap.Call{Method: http.MethodPost, Path: "/containers/" +
		m.ID + "/restart", Timeout: grace + restartPatience}); err != nil {
		return err
	}
	raw, err = r.c.RawContainer(ctx, m.ID)
	if err != nil {
		return err
	}
	var now struct {
		State struct {
			Running, Restarting bool
			ExitCode            int
		}
	}
	switch err := json.Unmarshal(raw, &now); {
	case err != nil:
		return fmt.Errorf("read whether it runs: %w", err)
	case !now.State.Running || now.State.Restarting:
		return fmt.Errorf("it was started, and ended with exit status %d", now.State.ExitCode)
	}
	return nil
}

// unstarted names those of the named containers whose start the recording has not seen, also on
// standard error.
func (a *app) unstarted(names map[string]string, list []dropcap.WorkloadEvidence) []string {
	left := maps.Clone(names)
	for _, w := range list {
		for _, s := range w.Sources {
			if s.StartsCold+s.StartsWarm > 0 {
				delete(left, s.Container)
			}
		}
	}
	missing := slices.Sorted(maps.Values(left))
	if len(missing) > 0 {
		a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
		a.warn(fmt.Errorf("not seen starting: %s; a need that shows only then is missing",
			strings.Join(missing, ", ")))
	}
	return missing
}
