package recreate

import "encoding/json"

// endpoints returns the configuration of each of the container's networks, without what the engine
// assigns at a start: else a dynamic address would become a fixed one.
func (r *Recipe) endpoints() (map[string]object, error) {
	out := map[string]object{}
	if r.sharesNetwork() {
		return out, nil
	}
	for name, from := range r.in.NetworkSettings.Networks {
		to := object{}
		for _, field := range []string{"Links", "DriverOpts", "GwPriority"} {
			if !nothing(from[field]) {
				to[field] = from[field]
			}
		}
		if !nothing(from["IPAMConfig"]) && !r.swarmScoped(name) {
			to["IPAMConfig"] = from["IPAMConfig"]
		}
		aliases, err := r.aliases(name, from)
		if err != nil {
			return nil, err
		}
		if len(aliases) > 0 {
			to["Aliases"] = join(aliases)
		}
		if r.mac != "" && name == r.mainNetwork() && !older(r.api(), apiManyNetworks) {
			to["MacAddress"] = join(r.mac)
		}
		out[name] = to
	}
	return out, nil
}

// aliases returns the names given to the container in a network, without those that the engine
// adds: the short id and the host name, which engines before 25 store
// (daemon/container_operations.go, updateNetworkConfig) and API before 1.45 shows (moby
// daemon/server/router/container/inspect.go). The default networks refuse aliases.
func (r *Recipe) aliases(network string, endpoint object) ([]string, error) {
	if !userDefined(network) || nothing(endpoint["Aliases"]) {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(endpoint["Aliases"], &list); err != nil {
		return nil, unreadable("the networks of "+r.name, err)
	}
	return ownAliases(list, r.id, r.config.Hostname), nil
}

// ownAliases removes what the engine has added: the short id, and the host name right after it.
func ownAliases(list []string, id, hostname string) []string {
	var out []string
	for i, a := range list {
		if a == id[:12] || a == hostname && i > 0 && list[i-1] == id[:12] {
			continue
		}
		out = append(out, a)
	}
	return out
}

// swarmScoped reports whether a swarm assigns the addresses in a network: they are then in the
// field that otherwise only an operator sets (moby daemon/container_operations.go,
// IPAMOperational).
func (r *Recipe) swarmScoped(network string) bool {
	var n struct{ Scope string }
	return json.Unmarshal(orEmpty(r.o.Networks[network]), &n) == nil && n.Scope == "swarm"
}
