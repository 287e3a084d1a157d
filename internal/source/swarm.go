package source

import (
	"encoding/json"
	"fmt"
	"strings"

	"dropcap"
)

// Service is a swarm service from GET /services/ID.
type Service struct {
	ID      string
	Version uint64
	Spec    json.RawMessage // the whole specification
	// State and Message are of its last update: "", "updating", "paused", "completed",
	// "rollback_started", "rollback_paused", "rollback_completed".
	State, Message string
}

// ReadService parses GET /services/ID.
func ReadService(body json.RawMessage) (Service, error) {
	var b struct {
		ID           string
		Version      struct{ Index uint64 }
		Spec         json.RawMessage
		UpdateStatus *struct{ State, Message string }
	}
	if err := json.Unmarshal(body, &b); err != nil || b.ID == "" || len(b.Spec) == 0 ||
		b.Version.Index == 0 {
		return Service{}, fmt.Errorf("cannot understand the engine's description of a service")
	}
	s := Service{ID: b.ID, Version: b.Version.Index, Spec: b.Spec}
	if b.UpdateStatus != nil {
		s.State, s.Message = b.UpdateStatus.State, b.UpdateStatus.Message
	}
	return s, nil
}

// Declares is what the service declares for its containers. A service has no privileged.
func (s Service) Declares() (dropcap.Grant, error) {
	var b struct {
		TaskTemplate struct {
			ContainerSpec struct{ CapabilityAdd, CapabilityDrop []string }
		}
	}
	err := json.Unmarshal(s.Spec, &b)
	return dropcap.Grant{CapAdd: b.TaskTemplate.ContainerSpec.CapabilityAdd,
		CapDrop: b.TaskTemplate.ContainerSpec.CapabilityDrop}, err
}

// With returns the whole specification with other capabilities; every other field stays as the
// engine told it, also those that nobody here has heard of.
func (s Service) With(g dropcap.Grant) (json.RawMessage, error) {
	return within(s.Spec, []string{"TaskTemplate", "ContainerSpec"},
		func(spec map[string]json.RawMessage) error {
			for key, list := range map[string][]string{"CapabilityAdd": g.CapAdd,
				"CapabilityDrop": g.CapDrop} {
				if len(list) == 0 {
					delete(spec, key)
					continue
				}
				text, err := json.Marshal(list)
				if err != nil {
					return err
				}
				spec[key] = text
			}
			return nil
		})
}

// within changes an object inside an object.
func within(raw json.RawMessage, path []string,
	change func(map[string]json.RawMessage) error) (json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, fmt.Errorf("cannot understand the specification of a service: it has no %s",
			strings.Join(path, "."))
	}
	if len(path) == 0 {
		if err := change(m); err != nil {
			return nil, err
		}
		return json.Marshal(m)
	}
	inner, err := within(m[path[0]], path[1:], change)
	if err != nil {
		return nil, err
	}
	m[path[0]] = inner
	return json.Marshal(m)
}
