package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/apply"
)

const (
	// execTimeout is how long a docker exec may run before its container is left as it is.
	execTimeout = 30 * time.Second
	execPoll    = 250 * time.Millisecond
)

// awaitExecs waits for the docker execs in the jobs' containers, for all of them together, since
// they end with the container. It returns the jobs in whose containers none runs any more, and
// reports whether that leaves some out.
func (h *Host) awaitExecs(ctx context.Context, s *Session,
	jobs []apply.Job) (quiet []apply.Job, left bool, err error) {
	told := false
	for end := time.Now().Add(execTimeout); ; {
		var busy []apply.Job
		quiet = nil
		for _, j := range jobs {
			runs, err := s.execsIn(ctx, j)
			switch {
			case err != nil:
				return nil, true, err
			case runs:
				busy = append(busy, j)
			default:
				quiet = append(quiet, j)
			}
		}
		if len(busy) == 0 || time.Now().After(end) {
			h.leaveBusy(busy)
			return quiet, len(busy) > 0, nil
		}
		if !told {
			told = true
			h.observer.Progress(
				Note{fmt.Sprintf("waiting for what docker exec runs in %s to end, at most %.0f s",
					namesOf(busy), execTimeout.Seconds())})
		}
		select {
		case <-ctx.Done():
			return nil, true, dropcap.Errorf(dropcap.CodeInterrupt, "",
				"cannot finish: interrupted; nothing was changed")
		case <-time.After(execPoll):
		}
	}
}

// leaveBusy warns of the jobs that are not done since a docker exec goes on.
func (h *Host) leaveBusy(jobs []apply.Job) {
	for _, j := range jobs {
		h.observer.Warn(fmt.Errorf("%s is left as it is: a docker exec still runs in it after "+
			"%.0f s, and would end with it "+
			"(wait for it to end, or end it: `docker top` lists it)", j.Step.Container.Name,
			execTimeout.Seconds()))
	}
}

// execsIn reports whether a docker exec runs in a container that the job stops. One that is gone is
// the job's own affair.
func (s *Session) execsIn(ctx context.Context, j apply.Job) (bool, error) {
	for _, id := range stoppedBy(j) {
		raw, err := s.RawContainer(ctx, id)
		if errors.Is(err, dropcap.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if live, err := s.UserExecs(ctx, raw); err != nil || len(live) > 0 {
			return len(live) > 0, err
		}
	}
	return false, nil
}

// stoppedBy returns the ids of the containers that a job stops.
func stoppedBy(j apply.Job) []string {
	ids := []string{j.Step.Container.ID}
	for _, m := range j.Members {
		ids = append(ids, m.Step.Container.ID)
	}
	for _, o := range j.Others {
		ids = append(ids, o.Before)
	}
	if j.Source == nil || j.Source.Compose == nil {
		return ids
	}
	for _, service := range j.Source.Compose.Services {
		for _, raw := range service.Members {
			var b struct{ ID string }
			if json.Unmarshal(raw, &b) == nil && b.ID != "" && !slices.Contains(ids, b.ID) {
				ids = append(ids, b.ID)
			}
		}
	}
	return ids
}
