package recreate

import (
	"encoding/json"
	"strconv"
)

// endpoint is what was configured for a network.
type endpoint struct {
	IPAMConfig struct {
		IPv4Address, IPv6Address string
		LinkLocalIPs             []string
	}
	Links, Aliases []string
	DriverOpts     map[string]string
	GwPriority     int
	MacAddress     string
}

func parseEndpoint(raw json.RawMessage) (endpoint, error) {
	var e endpoint
	return e, json.Unmarshal(raw, &e)
}

// networkWords returns the options for the networks of a create: the first by separate options,
// each further one in one field (docker/cli opts/network.go, API 1.44).
func (r *Recipe) networkWords(v *vault) []string {
	var out []string
	add := func(o option) { out = append(out, r.word(v, o)) }
	endpoints, err := r.endpoints()
	names := r.mainFirst()
	if err != nil || r.sharesNetwork() || len(names) == 0 {
		add(option{name: "network", value: r.host.NetworkMode})
		return out
	}
	for i, name := range names {
		e, err := parseEndpoint(join(endpoints[name]))
		if err != nil {
			return out
		}
		if i == 0 && len(e.DriverOpts) == 0 && e.GwPriority == 0 {
			if name != "bridge" || len(names) > 1 {
				// older dockers accept no --link beside --network=bridge
				add(option{name: "network", value: r.networkArgument(name)})
			}
			for _, o := range e.runOptions(r) {
				add(o)
			}
			continue
		}
		if i > 0 && older(r.api(), apiManyNetworks) {
			break // connected afterwards
		}
		if i == 0 {
			for _, l := range e.Links {
				add(option{name: "link", value: l})
			}
		}
		add(option{name: "network", value: record(e.fields(name)), hide: len(e.DriverOpts) > 0})
	}
	for _, l := range r.links() {
		add(option{name: "link", value: l})
	}
	return out
}

// runOptions returns the options of the first network.
func (e endpoint) runOptions(r *Recipe) []option {
	var out optionList
	out.text("ip", e.IPAMConfig.IPv4Address)
	out.text("ip6", e.IPAMConfig.IPv6Address)
	out.each("link-local-ip", e.IPAMConfig.LinkLocalIPs)
	out.each("network-alias", e.Aliases)
	out.each("link", e.Links)
	out.text("mac-address", r.mac)
	return out
}

// connectOptions returns the options of docker network connect.
func (e endpoint) connectOptions() []option {
	var out optionList
	out.text("ip", e.IPAMConfig.IPv4Address)
	out.text("ip6", e.IPAMConfig.IPv6Address)
	out.each("link-local-ip", e.IPAMConfig.LinkLocalIPs)
	out.each("alias", e.Aliases)
	out.each("link", e.Links)
	out.pairs("driver-opt", e.DriverOpts, true)
	out.number("gw-priority", int64(e.GwPriority))
	return out
}

// fields returns the fields of a network in one value.
func (e endpoint) fields(name string) []string {
	out := []string{"name=" + name}
	add := func(name, value string) {
		if value != "" {
			out = append(out, name+"="+value)
		}
	}
	add("ip", e.IPAMConfig.IPv4Address)
	add("ip6", e.IPAMConfig.IPv6Address)
	for _, ip := range e.IPAMConfig.LinkLocalIPs {
		add("link-local-ip", ip)
	}
	for _, a := range e.Aliases {
		add("alias", a)
	}
	add("mac-address", e.MacAddress)
	for _, k := range sortedKeys(e.DriverOpts) {
		add("driver-opt", k+"="+e.DriverOpts[k])
	}
	if e.GwPriority != 0 {
		add("gw-priority", strconv.Itoa(e.GwPriority))
	}
	return out
}

// networkArgument returns the name by which the container was connected to its main network, which
// may be an id.
func (r *Recipe) networkArgument(name string) string {
	if mode := r.host.NetworkMode; name == r.mainNetwork() && mode != "" && mode != "default" {
		return mode
	}
	return name
}
