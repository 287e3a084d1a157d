package recreate

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"dropcap"
)

// API versions that change a meaning or add a field (moby
// daemon/server/router/container/container_routes.go, postContainersCreate).
const (
	apiAnyVersionOfSysctl = "1.47" // above it, net.*.eth0.* is refused there
	apiBeforeRecursive    = "1.43" // up to it, read-only binds are not recursive
	// below it, a create takes one network, and MacAddress belongs to the container
	apiManyNetworks = "1.44"
	apiPlatform     = "1.41"
)

// Grant returns the container's declaration of capabilities; Holds is not set.
func (r *Recipe) Grant() dropcap.Grant {
	return dropcap.Grant{Privileged: r.host.Privileged, CapAdd: r.host.CapAdd,
		CapDrop: r.host.CapDrop}
}

// Create returns the requests that create the same container under another name, with the
// capabilities of g.
func (r *Recipe) Create(name string, g dropcap.Grant) (Creation, error) {
	if g.Privileged && !r.host.Privileged {
		return Creation{}, r.cannot("it would become privileged")
	}
	if r.imageGone() {
		return Creation{}, r.cannot("its image is gone")
	}
	c := Creation{Query: map[string]string{"name": name}}
	if api := r.api(); api != r.o.API {
		c.API = api
		if why := r.unsaidAt(api); why != "" {
			return Creation{}, r.cannot(why)
		}
	}
	body, host := clone(r.in.Config), clone(r.in.HostConfig)
	if err := r.fixMounts(host); err != nil {
		return Creation{}, err
	}
	r.fixConfig(body)
	r.fixHost(host, g)
	endpoints, err := r.endpoints()
	if err != nil {
		return Creation{}, err
	}
	first := maps.Clone(endpoints)
	if older(r.api(), apiManyNetworks) {
		first = map[string]object{}
		for i, network := range r.mainFirst() {
			if i == 0 {
				first[network] = endpoints[network]
				continue
			}
			c.Connect = append(c.Connect,
				Connect{Network: network, Endpoint: join(endpoints[network])})
		}
	}
	body["HostConfig"] = join(host)
	body["NetworkingConfig"] = join(map[string]any{"EndpointsConfig": first})
	c.Body = join(body)
	if p := r.platform(); p != "" && !older(r.api(), apiPlatform) {
		c.Query["platform"] = p
	}
	return c, nil
}

// Exact returns the requests that re-create the container as it was.
func (r *Recipe) Exact(name string) (Creation, error) { return r.Create(name, r.Grant()) }

func (r *Recipe) cannot(why string) error {
	return dropcap.Errorf(dropcap.CodeError, "", "cannot make %s again: %w", r.name,
		errors.New(why))
}

func errOf(text string) error { return errors.New(text) }

// fixConfig changes what a create would refuse, or would not take as it is, in a container's
// configuration.
func (r *Recipe) fixConfig(body object) {
	// The image's entrypoint would replace none; [""] means none (moby
	// daemon/create.go, mergeAndVerifyConfig).
	if string(body["Entrypoint"]) == "null" || body["Entrypoint"] == nil {
		if len(r.image.Config.Entrypoint) > 0 {
			body["Entrypoint"] = json.RawMessage(`[""]`)
		}
	}
	// Both come from the container whose network it is, or from the host (moby
	// daemon/internal/runconfig/hostconfig_unix.go). Otherwise the name stays, even if it is the
	// old container's short id: RabbitMQ, for example, finds its data by it.
	if r.sharesNetwork() || r.host.UTSMode == "host" {
		delete(body, "Hostname")
		if r.sharesNetwork() {
			delete(body, "Domainname")
			delete(body, "ExposedPorts")
		}
	}
	body["Image"] = join(r.imageReference())
	if !older(r.api(), apiManyNetworks) { // then it is set on the network
		delete(body, "MacAddress")
	}
}

// fixHost does the same for HostConfig, and sets the new capabilities.
func (r *Recipe) fixHost(host object, g dropcap.Grant) {
	putList(host, "CapAdd", g.CapAdd)
	putList(host, "CapDrop", g.CapDrop)
	if r.host.Privileged && !g.Privileged {
		host["Privileged"] = join(false)
		r.deprivilege(host)
	}
	if links := r.links(); links != nil {
		for i, l := range links {
			name, alias, _ := strings.Cut(l, ":")
			if id := r.o.linked[name]; id != "" {
				links[i] = id + ":" + alias
			}
		}
		host["Links"] = join(links)
	}
	// Removed from the API in 1.42 and from newer kernels; the engine has stored 0 if it could not
	// be set.
	for _, name := range []string{"KernelMemory", "KernelMemoryTCP"} {
		if nothing(host[name]) || !older(r.api(), "1.42") {
			delete(host, name)
		}
	}
	// Stored by an engine before 20.10, and read as the host's by every later one (moby
	// daemon/oci_linux.go, WithNamespaces); a create would set its own default.
	if r.host.CgroupnsMode == "" {
		host["CgroupnsMode"] = join("host")
	}
}

// putList sets a list if it differs, so that null and [] stay as they are.
func putList(host object, name string, list []string) {
	var was []string
	if len(host[name]) > 0 && json.Unmarshal(host[name], &was) == nil && slices.Equal(was, list) {
		return
	}
	host[name] = join(slices.Concat([]string{}, list))
}

// links turns "/db:/web/alias" into "db:alias" (moby daemon/inspect.go does the reverse).
func (r *Recipe) links() []string {
	var out []string
	for _, l := range r.host.Links {
		name, alias, _ := strings.Cut(l, ":")
		out = append(out, strings.TrimPrefix(name, "/")+":"+alias[strings.LastIndex(alias, "/")+1:])
	}
	slices.Sort(out) // the engine keeps them in a map
	return out
}

// api returns the API version for the create: the negotiated one, unless it changes the meaning of
// what the container has.
func (r *Recipe) api() string {
	switch {
	case r.nonRecursive() && older(apiBeforeRecursive, r.o.API):
		return apiBeforeRecursive
	case r.interfaceSysctls() && older(apiAnyVersionOfSysctl, r.o.API):
		return apiAnyVersionOfSysctl
	}
	return r.o.API
}

// interfaceSysctls reports whether the container's own sysctls include net.*.*.eth0.*;
// engines before 27.1 kept them there.
func (r *Recipe) interfaceSysctls() bool {
	for name := range r.host.Sysctls {
		if parts := strings.SplitN(name, ".", 5); len(parts) == 5 && parts[0] == "net" &&
			strings.HasPrefix(parts[3], "eth") {
			return true
		}
	}
	return false
}

// unsaidAt says what of the container an older API version cannot express; empty if nothing.
func (r *Recipe) unsaidAt(api string) string {
	if r.o.MinAPI != "" && older(api, r.o.MinAPI) {
		return "the engine no longer speaks API " + api +
			", and from there on it would mean something else"
	}
	for _, later := range r.laterFields() {
		if later.has && older(api, later.since) {
			return "it needs API " + api + " for one thing, and API " + later.since + " for its " +
				later.what
		}
	}
	return ""
}

type laterField struct {
	since, what string
	has         bool
}

// laterFields are fields that an older API ignores or refuses.
func (r *Recipe) laterFields() []laterField {
	var force, subpath, images bool
	for _, m := range r.host.Mounts {
		var bind struct{ ReadOnlyForceRecursive bool }
		var volume struct{ Subpath string }
		// the engine refuses any other form
		_ = json.Unmarshal(orEmpty(m["BindOptions"]), &bind)
		_ = json.Unmarshal(orEmpty(m["VolumeOptions"]), &volume)
		force, subpath, images = force || bind.ReadOnlyForceRecursive, subpath ||
			volume.Subpath != "", images || text(m["Type"]) == "image"
	}
	var priority bool
	for _, endpoint := range r.in.NetworkSettings.Networks {
		priority = priority || !nothing(endpoint["GwPriority"])
	}
	return []laterField{
		{"1.43", "annotations", !nothing(r.in.HostConfig["Annotations"])},
		{"1.44", "start interval of the health check", r.config.Healthcheck.StartInterval != 0},
		{"1.44", "recursive read-only mount", force},
		{"1.45", "subpath of a volume", subpath},
		{"1.48", "mount of an image", images},
		{"1.48", "gateway priority", priority},
		{"1.56", "umask", r.host.Umask != nil},
	}
}
