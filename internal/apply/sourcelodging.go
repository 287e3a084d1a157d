package apply

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// Services that live in the namespaces of another service are made again with it, each pointing at
// the new one. Compose does so by itself, since the id of the container is part of what it
// compares.

// composeNumber is the label that tells the containers of a service apart.
const composeNumber = "com.docker.compose.container-number"

// partners are the containers that stand in the places of those in whose namespaces a former one
// lived, by the ids of these, as far as the one in its place lives in them.
func (s composing) partners(ctx context.Context, c *change, was formerOne,
	now *containerState) (recreate.Partners, error) {
	out := recreate.Partners{Namespaces: map[string]string{}}
	then, err := recreate.Uses(was.raw)
	if err != nil {
		return out, err
	}
	uses, err := recreate.Uses(now.raw)
	if err != nil {
		return out, err
	}
	var list []serviceMember
	for _, t := range then {
		for _, u := range uses {
			if !t.Namespace() || t.Kind != u.Kind || t.Container == u.Container {
				continue
			}
			if list == nil {
				if list, err = s.list(ctx, c); err != nil {
					return out, err
				}
			}
			if s.succeeds(list, t.Container, u.Container) {
				out.Namespaces[t.Container] = u.Container
			}
		}
	}
	return out, nil
}

// succeeds reports whether a container is of the service and number of a former one.
func (s composing) succeeds(list []serviceMember, former, id string) bool {
	for _, f := range s.formerOnes() {
		for _, m := range list {
			if f.id == former && m.ID == id && m.of.hasID(former) &&
				m.Labels[composeNumber] == f.labels[composeNumber] {
				return true
			}
		}
	}
	return false
}

func (s *Service) hasID(id string) bool {
	for _, f := range s.former() {
		if f.id == id {
			return true
		}
	}
	return false
}

// keepJoined has a service that is only made again keep what it declares by now, whatever that was
// when the change was made: it may have been changed by itself since. The journal is told with the
// next note.
func (s composing) keepJoined(ctx context.Context, c *change, m serviceMember) error {
	if !m.of.joined() {
		return nil
	}
	now, err := s.look(ctx, c, "look-member", m.ID)
	if err != nil || now == nil {
		return err
	}
	if m.of.Was, err = now.declared(); err != nil {
		return err
	}
	m.of.Is = m.of.Was
	c.keep[keepSource], err = json.Marshal(c.source)
	return err
}

// keepPlaces has the former ones of a backout live in what their successors live in by now, where
// that is none of the services: another change, or somebody, may have made it again since.
func (s composing) keepPlaces(ctx context.Context, c *change, list []serviceMember) error {
	for _, one := range s.from.Services {
		for i, f := range one.former() {
			at := slices.IndexFunc(list, func(m serviceMember) bool {
				return m.of == one && m.Labels[composeNumber] == f.labels[composeNumber]
			})
			if at < 0 {
				continue
			}
			now, err := s.look(ctx, c, "look-member", list[at].ID)
			if err != nil || now == nil {
				return err
			}
			if one.Members[i], err = s.placed(f, now); err != nil {
				return err
			}
		}
	}
	var err error
	c.keep[keepSource], err = json.Marshal(c.source)
	return err
}

// placed is the description of a former one in the places of its successor.
func (s composing) placed(f formerOne, now *containerState) (json.RawMessage, error) {
	then, err := recreate.Uses(f.raw)
	if err != nil {
		return nil, err
	}
	uses, err := recreate.Uses(now.raw)
	if err != nil {
		return nil, err
	}
	p := recreate.Partners{Namespaces: map[string]string{}}
	for _, t := range then {
		for _, u := range uses {
			if t.Namespace() && t.Kind == u.Kind && !s.former(t.Container) {
				p.Namespaces[t.Container] = u.Container
			}
		}
	}
	return recreate.Original{Inspect: f.raw}.Pointing(p).Inspect, nil
}

// apart are the containers of the services that run since before what they live in was started: in
// the namespace of a life that is over.
func (s composing) apart(ctx context.Context, c *change) (out []serviceMember, err error) {
	list, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	since, uses := map[string]time.Time{}, map[string][]recreate.Use{}
	for _, m := range list {
		now, err := s.patiently(ctx, c, "look-member", m.ID)
		if err != nil {
			return nil, err
		}
		if !now.alive() {
			continue
		}
		since[m.ID] = now.State.StartedAt
		if uses[m.ID], err = recreate.Uses(now.raw); err != nil {
			return nil, err
		}
	}
	for range list { // what lives in one that will be restarted is apart as well
		for _, m := range list {
			if !slices.ContainsFunc(out, func(o serviceMember) bool { return o.ID == m.ID }) &&
				slices.ContainsFunc(uses[m.ID], func(u recreate.Use) bool {
					provider, ok := since[u.Container]
					return ok && u.Namespace() && provider.After(since[m.ID])
				}) {
				out, since[m.ID] = append(out, m), s.now()
			}
		}
	}
	return out, nil
}

// reach restarts those that are apart, once all are as they should be.
func (s composing) reach(ctx context.Context, c *change) error {
	apart, err := s.apart(ctx, c)
	if err != nil {
		return s.lost(c, err)
	}
	for _, m := range apart {
		if _, err := s.do(ctx, c, restart(m.name(), m.ID)); err != nil {
			return s.lost(c, err)
		}
	}
	return nil
}

// restart takes a container out of a namespace that is gone.
func restart(name, id string) dropcap.Effect {
	return post("restart-old", "restart "+name+", which was left in a namespace that is gone",
		"/containers/"+id+"/restart", nil, nil, 30*time.Minute)
}
