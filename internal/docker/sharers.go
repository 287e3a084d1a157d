package docker

import (
	"context"
	"errors"
	"strings"

	"dropcap"
)

// sharing is the part of a container's description that names containers whose namespaces, volumes or names it uses.
type sharing struct {
	HostConfig struct {
		NetworkMode, PidMode, IpcMode, UTSMode string
		Links                                  []string
	}
}

// Sharers gives, for each container, those that use one of its namespaces (network, pid or ipc "container:<id>") or have a legacy link to it,
// running or not. They would go on pointing to the old one.
func (c *Client) Sharers(ctx context.Context) (map[string][]dropcap.Ref, error) {
	refs, err := c.List(ctx, nil)
	if err != nil {
		return nil, err
	}
	byName := map[string]string{}
	for _, r := range refs {
		byName[r.Name] = r.ID
		byName[r.ID] = r.ID
	}
	sharers := map[string][]dropcap.Ref{}
	for _, r := range refs {
		var b sharing
		err := c.get(ctx, "/containers/"+r.ID+"/json", nil, maxOne, &b)
		if errors.Is(err, dropcap.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, id := range b.uses(byName) {
			sharers[id] = append(sharers[id], r)
		}
	}
	return sharers, nil
}

// uses gives the ids of the containers that one points to, each once. The engine turns names into ids at create (moby daemon/create.go,
// adaptContainerSettings), but for links, which stand as "/name:/own/alias".
func (b sharing) uses(byName map[string]string) []string {
	var ids []string
	seen := map[string]bool{}
	add := func(name string) {
		if id := byName[name]; id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, mode := range []string{b.HostConfig.NetworkMode, b.HostConfig.PidMode, b.HostConfig.IpcMode, b.HostConfig.UTSMode} {
		if name, ok := strings.CutPrefix(mode, "container:"); ok {
			add(name)
		}
	}
	for _, link := range b.HostConfig.Links {
		name, _, _ := strings.Cut(link, ":")
		add(strings.TrimPrefix(name, "/"))
	}
	return ids
}
