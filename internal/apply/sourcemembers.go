package apply

import (
	"context"
	"encoding/json"
	"fmt"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
	"dropcap/internal/source"
)

// serviceMember is a container of one of the services that are changed.
type serviceMember struct {
	member
	of *Service
}

// service is the service of the project by that name that is changed; nil if there is none.
func (s *Compose) service(name string) *Service {
	for _, one := range s.Services {
		if one.Service == name {
			return one
		}
	}
	return nil
}

// listAll returns the services' containers, the names of those of services that are only named
// beside them, and the name of one that only its image's labels make one of them: compose would
// take it for one.
func (s composing) listAll(ctx context.Context,
	c *change) (list []serviceMember, beside []string, imposter string, err error) {
	project := s.from.Project.Name
	all, err := s.members(ctx, c, "com.docker.compose.project="+project)
	if err != nil {
		return nil, nil, "", err
	}
	for _, m := range all {
		for _, one := range s.from.Services {
			switch {
			case owner.OfService(m.believed, project, one.Service):
				list = append(list, serviceMember{m, one})
			case owner.OfService(m.Labels, project, one.Service):
				imposter = m.name()
			}
		}
		for _, other := range s.from.Beside {
			if owner.OfService(m.Labels, project, other.Service) {
				beside = append(beside, m.name())
			}
		}
	}
	return list, beside, imposter, nil
}

func (s composing) list(ctx context.Context, c *change) ([]serviceMember, error) {
	list, _, _, err := s.listAll(ctx, c)
	return list, err
}

// membersOf are those of one service.
func membersOf(list []serviceMember, one *Service) (out []serviceMember) {
	for _, m := range list {
		if m.of == one {
			out = append(out, m)
		}
	}
	return out
}

// running returns the names of the services' containers, which must be as many as were planned for,
// and run, and of those of the services named beside them.
func (s composing) running(ctx context.Context, c *change) (names, beside []string, err error) {
	list, beside, imposter, err := s.listAll(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if imposter != "" {
		return nil, nil, dropcap.Errorf(dropcap.CodeError,
			"remove it, or make it without those labels",
			"cannot change %s: %w", c.Title(), source.Imposter(imposter))
	}
	for _, m := range list {
		if m.State != "running" {
			return nil, nil, dropcap.Errorf(dropcap.CodeError,
				"start it, or edit the file and leave it",
				"cannot change %s: its container %s does not run, and compose would start it",
				c.Title(), m.name())
		}
		names = append(names, m.name())
	}
	for _, one := range s.from.Services {
		if n := len(membersOf(list, one)); n != one.Replicas {
			return nil, nil, dropcap.Errorf(dropcap.CodeError, "plan again",
				"cannot change %s: the service %s has %s now, and had %d", c.Title(), one.Service,
				printable.Count(n, "container"), one.Replicas)
		}
	}
	return names, beside, nil
}

// made checks that the services' containers all run with what the files say, edited or as they
// were, and learns their ids.
func (s composing) made(ctx context.Context, c *change, back bool) error {
	list, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	for _, one := range s.from.Services {
		if n := len(membersOf(list, one)); n != one.Replicas {
			return fmt.Errorf("compose has left %s of the service %s, not %d",
				printable.Count(n, "container"),
				one.Service, one.Replicas)
		}
	}
	for _, m := range list {
		now, err := s.look(ctx, c, "inspect-made", m.ID)
		switch {
		case err != nil:
			return err
		case now == nil:
			return fmt.Errorf("the container %s is gone again", m.name())
		case !now.declares(m.of.grant(back)):
			return fmt.Errorf("compose has not given %s the capabilities that the file says",
				m.name())
		case !now.alive():
			return fmt.Errorf("%s has ended with exit status %d%s", m.name(), now.State.ExitCode,
				ofError(now.State.Error))
		}
		if !s.former(m.ID) {
			if err := s.differing(ctx, c, now, back, true); err != nil {
				return err
			}
		}
	}
	if err := s.finalNames(ctx, c, list); err != nil {
		return err
	}
	s.learn(c, list, back)
	return nil
}

// learn writes down the ids of the containers: by name, and of a service whose containers have
// other names now, the first.
func (s composing) learn(c *change, list []serviceMember, back bool) {
	set := func(o *dropcap.ChangedContainer) {
		id := ""
		for _, m := range list {
			if m.name() == o.Name || id == "" && m.of.has(o.Name, o.Before) {
				id = m.ID
			}
		}
		switch {
		case id == "":
		case back:
			o.Before = id
		default:
			o.After = id
		}
	}
	own := c.Containers()[0]
	set(&own)
	c.Before, c.After = own.Before, own.After
	for i := range c.Others {
		set(&c.Others[i])
	}
}

// formerOne is one of a service's containers as it was when the change was planned.
type formerOne struct {
	id, name string
	labels   map[string]string
	raw      json.RawMessage
}

// former are the service's containers as they were.
func (s *Service) former() (list []formerOne) {
	for _, raw := range s.Members {
		var b struct {
			ID     string `json:"Id"`
			Name   string
			Config struct{ Labels map[string]string }
		}
		if json.Unmarshal(raw, &b) == nil && len(b.Name) > 0 {
			list = append(list, formerOne{b.ID, b.Name[1:], b.Config.Labels, raw})
		}
	}
	return list
}

// has reports whether a container was one of the service's.
func (s *Service) has(name, id string) bool {
	for _, f := range s.former() {
		if f.id == id || f.name == name {
			return true
		}
	}
	return len(s.Members) == 0 // of a change that an older dropcap began, which had one service
}

func (s composing) formerOnes() (list []formerOne) {
	for _, one := range s.from.Services {
		list = append(list, one.former()...)
	}
	return list
}

func (s composing) former(id string) bool {
	for _, f := range s.formerOnes() {
		if f.id == id {
			return true
		}
	}
	return false
}

// asBefore reports whether the services' containers are the former ones, and run: then nothing is
// to be made.
func (s composing) asBefore(ctx context.Context, c *change) bool {
	list, err := s.list(ctx, c)
	if err != nil || len(list) == 0 || len(list) != len(s.formerOnes()) {
		return false
	}
	for _, m := range list {
		if m.State != "running" || !s.former(m.ID) {
			return false
		}
	}
	return true
}
