package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/source"
)

// Swarm is a service of a swarm that this engine manages.
type Swarm struct {
	ID   string          `json:"id"`
	Spec json.RawMessage `json:"spec"` // the whole former specification
}

// swarming changes the service; the swarm replaces its tasks, and takes the change back if it is
// configured so.
type swarming struct {
	nothingRetained
	*Runner
	from *Swarm
}

func (s swarming) update(name, says string, version uint64, spec json.RawMessage) dropcap.Effect {
	// The engine keeps the registry's credentials of the specification that it has
	// (api/types/swarm, RegistryAuthFromSpec).
	return post(name, says, "/services/"+s.from.ID+"/update",
		map[string]string{"version": strconv.FormatUint(version, 10), "registryAuthFrom": "spec"},
		spec, slow)
}

func (s swarming) effects(c *change) []dropcap.Effect {
	spec, err := source.Service{Spec: s.from.Spec}.With(c.Is)
	if err != nil {
		return nil
	}
	e := s.update("update-service", "update the service", 0, spec)
	delete(e.Call().Query, "version")
	return []dropcap.Effect{e}
}

func (s swarming) service(ctx context.Context, c *change) (source.Service, error) {
	result, err := s.do(ctx, c, dropcap.Effect{Name: "look-service", Says: "look at the service",
		Action: &dropcap.Call{Method: http.MethodGet, Path: "/services/" + s.from.ID}})
	if err != nil {
		return source.Service{}, err
	}
	return source.ReadService(result.Body)
}

func (s swarming) declares(v source.Service, g dropcap.Grant) bool {
	d, err := v.Declares()
	return err == nil && source.SameNames(d.CapAdd, g.CapAdd) && source.SameNames(d.CapDrop,
		g.CapDrop)
}

// busy are the states in which the swarm is at work on an update.
func busy(state string) bool { return state == "updating" || state == "rollback_started" }

func (s swarming) prepare(ctx context.Context, c *change) error {
	v, err := s.service(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case busy(v.State):
		return dropcap.Errorf(dropcap.CodeError, "wait for its end",
			"cannot change %s: an update of its service is under way", c.Name)
	case !s.declares(v, c.Was):
		return dropcap.Errorf(dropcap.CodeError, "plan again",
			"cannot change %s: its service declares other capabilities than the container has",
			c.Name)
	case string(v.Spec) != string(s.from.Spec):
		return dropcap.Errorf(dropcap.CodeError, "plan again",
			"cannot change %s: somebody has changed its service meanwhile", c.Name)
	}
	if err := s.note(ctx, c, "note-created", dropcap.Preparing); err != nil {
		return err
	}
	return interrupted(ctx)
}

func (s swarming) swap(ctx context.Context, c *change) error {
	v, err := s.service(ctx, c)
	if err != nil {
		return err
	}
	spec, err := v.With(c.Is)
	if err != nil {
		return err
	}
	c.stopped = s.now()
	if _, err := s.do(ctx, c, s.update("update-service", "update the service", v.Version,
		spec)); err != nil {
		return err
	}
	if err := s.ended(ctx, c, c.Is); err != nil {
		return err
	}
	c.DowntimeMS = s.elapsed(c.stopped)
	ids, err := s.made(ctx, c, c.Is)
	if err != nil {
		return err
	}
	c.After = ids[0]
	return s.gated(ctx, c, ids)
}

// ended waits until the swarm has ended its update: to what g declares.
func (s swarming) ended(ctx context.Context, c *change, g dropcap.Grant) error {
	for end := s.now().Add(s.long(c)); ; s.sleep(ctx, s.poll()) {
		if err := interrupted(ctx); err != nil {
			return err
		}
		v, err := s.service(ctx, c)
		switch {
		case err != nil && s.now().After(end):
			return err
		case err != nil:
		case s.declares(v, g) && (v.State == "completed" || v.State == "rollback_completed"):
			return nil
		case v.State == "paused" || v.State == "rollback_paused" ||
			v.State == "rollback_completed" && !s.declares(v, g):
			return fmt.Errorf("the swarm has ended the update as %s: %s", v.State,
				c.discreet(v.Message))
		}
		if s.now().After(end) {
			return fmt.Errorf("the swarm has not ended its update in time")
		}
	}
}

// long is how long an update may take: each task stops, starts and is watched in turn.
func (s swarming) long(c *change) time.Duration {
	var b struct {
		Mode         struct{ Replicated *struct{ Replicas int } }
		UpdateConfig *struct{ Delay, Monitor time.Duration }
		TaskTemplate struct {
			ContainerSpec struct{ StopGracePeriod *time.Duration }
		}
	}
	_ = json.Unmarshal(s.from.Spec, &b) // what cannot be read has the usual values
	tasks, each := 10, time.Minute
	if b.Mode.Replicated != nil {
		tasks = min(max(b.Mode.Replicated.Replicas, 1), 100)
	}
	if u := b.UpdateConfig; u != nil {
		each += u.Delay + u.Monitor
	}
	if g := b.TaskTemplate.ContainerSpec.StopGracePeriod; g != nil {
		each += *g
	}
	return min(time.Duration(tasks)*each+c.gate.Timeout, time.Hour)
}

// made returns the ids of this node's running containers of the service that were made with g.
func (s swarming) made(ctx context.Context, c *change, g dropcap.Grant) ([]string, error) {
	list, err := s.members(ctx, c, "com.docker.swarm.service.id="+s.from.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range list {
		if owner.SwarmID(m.believed) != s.from.ID {
			continue // its image says so, and nobody else
		}
		now, err := s.look(ctx, c, "inspect-made", m.ID)
		if err != nil {
			return nil, err
		}
		if now.alive() && now.declares(g) {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("none of its containers runs on this node any more, so that they " +
			"cannot be watched here")
	}
	return ids, nil
}

func (s swarming) stands(ctx context.Context, c *change) (bool, error) {
	v, err := s.service(ctx, c)
	if err != nil || !s.declares(v, c.Is) || v.State == "paused" {
		return false, err
	}
	if err := s.ended(ctx, c, c.Is); err != nil {
		return false, nil
	}
	ids, err := s.made(ctx, c, c.Is)
	if err != nil {
		return false, nil
	}
	c.After = ids[0]
	return true, nil
}

// back submits the former specification, unless it stands: what the swarm calls the previous one
// may be somebody else's.
func (s swarming) back(ctx context.Context, c *change) error {
	if c.State == dropcap.Preparing {
		return nil
	}
	var last error
	for i, end := 0, s.now().Add(s.patience()); i < most || s.now().Before(end); i++ {
		if last = s.backOnce(ctx, c); last == nil {
			return nil
		}
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	return dropcap.Errorf(dropcap.CodePerson,
		fmt.Sprintf("mend that, then `dropcap backout %s`; by hand: docker service rollback %s",
			c.ID, s.from.ID),
		"cannot put the former service of %s back: %w", c.Name, plain(last))
}

func (s swarming) backOnce(ctx context.Context, c *change) error {
	v, err := s.service(ctx, c)
	if err != nil {
		return err
	}
	if !s.declares(v, c.Was) {
		spec, err := v.With(c.Was)
		if err != nil {
			return err
		}
		if _, err := s.do(ctx, c, s.update("update-service-back",
			"give the service its former capabilities back", v.Version, spec)); err != nil {
			return err
		}
		if err := s.ended(ctx, c, c.Was); err != nil {
			return err
		}
	} else if busy(v.State) {
		if err := s.ended(ctx, c, c.Was); err != nil {
			return err
		}
	}
	ids, err := s.made(ctx, c, c.Was)
	if err == nil {
		c.Before = ids[0]
	}
	return err
}
