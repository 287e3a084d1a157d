package recreate

import (
	"maps"
	"slices"
	"strings"
)

// Warnings returns the visible side effects of a re-creation: contents of tmpfs, logs,
// addresses.
func (r *Recipe) Warnings() []string {
	out := []string{"logs start afresh: what docker logs shows of the old container stays with " +
		"the old one, until that is pruned"}
	add := func(so bool, format string, args ...any) {
		if text := when(so, format, args...); text != "" {
			out = append(out, text)
		}
	}
	add(len(r.memory()) > 0, "what is in memory (tmpfs) is lost, as at every restart: %s",
		strings.Join(quoted(r.memory()), ", "))
	add(r.ephemeral(), "published ports that the engine chooses will be others")
	add(len(r.dynamic()) > 0, "the address may change in %s", strings.Join(r.dynamic(), ", "))
	add(r.moved(), "the name %s means another image by now, or none; the new container is made "+
		"from the same image as the old one, by its digest", quoted([]string{r.config.Image})[0])
	add(len(r.sources()) < len(r.host.VolumesFrom),
		"a container of --volumes-from is gone; its mounts are made this container's own")
	add(len(r.o.MountInfo) == 0 && r.readOnlyBinds() && !older(r.o.API, apiManyNetworks),
		"mounts inside of its read-only binds become read-only too, if the container was made by "+
			"a client of Docker before 25")
	add(len(r.pinned()) > 0, "volumes without a name are kept, by their ids: %s",
		strings.Join(quoted(r.pinned()), ", "))
	add(r.host.ContainerIDFile != "", "its id changes, and the file of --cidfile with it")
	add(r.swarm() != "", "an address that was given to it by hand in the swarm's network %s is "+
		"not kept", r.swarm())
	return out
}

// memory returns the destinations of mounts in memory.
func (r *Recipe) memory() []string {
	out := slices.Collect(maps.Keys(r.host.Tmpfs))
	for _, m := range r.in.Mounts {
		if m.Type == "tmpfs" {
			out = append(out, m.Destination)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ephemeral reports whether the engine chooses a published port at each start.
func (r *Recipe) ephemeral() bool {
	for _, bindings := range r.host.PortBindings {
		for _, b := range bindings {
			if b.HostPort == "" || b.HostPort == "0" || strings.Contains(b.HostPort, "-") {
				return true
			}
		}
		if len(bindings) == 0 {
			return true
		}
	}
	return r.host.PublishAllPorts
}

// dynamic returns the networks in which the engine chooses the address.
func (r *Recipe) dynamic() []string {
	var out []string
	for _, name := range r.mainFirst() {
		if name != "host" && name != "none" && !r.sharesNetwork() &&
			(nothing(r.in.NetworkSettings.Networks[name]["IPAMConfig"]) || r.swarmScoped(name)) {
			out = append(out, name)
		}
	}
	return out
}

func (r *Recipe) swarm() string {
	for _, name := range r.mainFirst() {
		if r.swarmScoped(name) {
			return name
		}
	}
	return ""
}

func (r *Recipe) readOnlyBinds() bool {
	return slices.ContainsFunc(r.in.Mounts, func(m mount) bool {
		return m.Type == "bind" && !m.RW && !r.saysRecursion(cleaned(m.Destination))
	})
}

// pinned returns the destinations of anonymous volumes.
func (r *Recipe) pinned() []string {
	var out []string
	for _, m := range r.in.Mounts {
		if m.Type == "volume" && fullID().MatchString(m.volume()) {
			out = append(out, cleaned(m.Destination))
		}
	}
	return out
}

// IDFile returns the file with the container's id (docker run --cidfile), to be rewritten after a
// change; empty if there is none. The path is untrusted: whoever created the container chose it.
func (r *Recipe) IDFile() string { return r.host.ContainerIDFile }
