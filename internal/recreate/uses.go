package recreate

import (
	"encoding/json"
	"strings"
)

// Use is a container's use of another container.
type Use struct {
	// "network", "pid", "ipc" (namespaces), "link" (legacy), "volumes" (--volumes-from)
	Kind      string
	Container string // the other's id or name, without the slash
}

// Namespace reports whether it is the use of a namespace, which ends with the other container.
func (u Use) Namespace() bool { return u.Kind == "network" || u.Kind == "pid" || u.Kind == "ipc" }

// Uses returns what a container (GET /containers/ID/json) uses of others.
func Uses(inspect json.RawMessage) ([]Use, error) {
	var c struct {
		HostConfig struct {
			NetworkMode, PidMode, IpcMode string
			Links, VolumesFrom            []string
		}
	}
	if err := json.Unmarshal(inspect, &c); err != nil {
		return nil, unreadable("what the engine says of a container", err)
	}
	var out []Use
	add := func(kind, container string) {
		if container = strings.TrimPrefix(container, "/"); container != "" {
			out = append(out, Use{Kind: kind, Container: container})
		}
	}
	for _, m := range []struct{ kind, mode string }{{"network", c.HostConfig.NetworkMode},
		{"pid", c.HostConfig.PidMode}, {"ipc", c.HostConfig.IpcMode}} {
		if other, ok := strings.CutPrefix(m.mode, "container:"); ok {
			add(m.kind, other)
		}
	}
	for _, l := range c.HostConfig.Links {
		name, _, _ := strings.Cut(l, ":")
		add("link", name)
	}
	for _, v := range c.HostConfig.VolumesFrom {
		name, _, _ := strings.Cut(v, ":")
		add("volumes", name)
	}
	return out, nil
}
