package host

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
	observer Observer
	client   *docker.Client
	names    map[string]string // by id
}

// restartTimeout is how long an engine may take to stop and start a container, beyond the
// container's grace period.
const restartTimeout = 2 * time.Minute

// run restarts the containers, and warns at once of each that does not come back. The error names
// them all.
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
		r.observer.Warn(fmt.Errorf("%s did not come back: %w", m.Name, err))
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

// members finds out which of the containers use others, and warns of those outside that a restart
// cuts off.
func (r restarting) members(ctx context.Context) ([]learn.Member, error) {
	all, err := r.client.List(ctx, []string{"status=running"})
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
		raw, err := r.client.RawContainer(ctx, ref.ID)
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
				r.observer.Warn(
					fmt.Errorf("%s uses the %s namespace of %s and loses it: restart it too",
						ref.Name, u.Kind, list[other].Name))
			}
		}
	}
	byName := func(a, b learn.Member) int { return strings.Compare(a.Name, b.Name) }
	return slices.SortedFunc(maps.Values(list), byName), nil
}

// announce tells what is about to be stopped, and for how long each may be down.
func (r restarting) announce(ctx context.Context, members []learn.Member) error {
	for _, m := range members {
		raw, err := r.client.RawContainer(ctx, m.ID)
		if err != nil {
			return err
		}
		grace, err := gracePeriod(raw)
		if err != nil {
			return err
		}
		var now struct{ State struct{ Running bool } }
		if err := json.Unmarshal(raw, &now); err != nil {
			return fmt.Errorf("read whether it runs: %w", err)
		}
		text := fmt.Sprintf("  %s is stopped, in at most %s, and is down until it has started "+
			"again", m.Name, grace)
		if !now.State.Running {
			text = fmt.Sprintf("  %s does not run, and is started", m.Name)
		}
		var after []string
		for _, id := range m.After {
			after = append(after, r.names[id])
		}
		if len(after) > 0 {
			text += "; it follows " + strings.Join(after, ", ") +
				", whose namespaces or links it uses"
		}
		r.observer.Progress(Note{text})
	}
	return nil
}

// restart returns once the container is up again, or is known not to be.
func (r restarting) restart(ctx context.Context, m learn.Member) error {
	raw, err := r.client.RawContainer(ctx, m.ID)
	if err != nil {
		return err
	}
	grace, err := gracePeriod(raw)
	if err != nil {
		return err
	}
	call := dropcap.Call{
		Method: http.MethodPost, Path: "/containers/" + m.ID + "/restart",
		Timeout: grace + restartTimeout,
	}
	if _, err := r.client.Perform(ctx, call); err != nil {
		return err
	}
	raw, err = r.client.RawContainer(ctx, m.ID)
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

// gracePeriod returns how long a container may take to stop.
func gracePeriod(inspect json.RawMessage) (time.Duration, error) {
	var c struct{ Config struct{ StopTimeout *int } }
	if err := json.Unmarshal(inspect, &c); err != nil {
		return 0, fmt.Errorf("read how long it may take to stop: %w", err)
	}
	switch t := c.Config.StopTimeout; {
	case t == nil:
		return 10 * time.Second, nil // moby container/container.go, defaultStopTimeout
	case *t < 0: // for ever
		return time.Hour, nil
	default:
		return time.Duration(*t) * time.Second, nil
	}
}

// notStarted returns the named containers whose start was not observed, and warns of them.
func (l *learning) notStarted(list []dropcap.WorkloadEvidence) []string {
	left := maps.Clone(l.named)
	for _, w := range list {
		for _, s := range w.Sources {
			if s.StartsCold+s.StartsWarm > 0 {
				delete(left, s.Container)
			}
		}
	}
	names := slices.Sorted(maps.Values(left))
	if len(names) > 0 {
		l.host.observer.Warn(fmt.Errorf("not seen starting: %s; a need that shows only then is "+
			"missing",
			strings.Join(names, ", ")))
	}
	return names
}
