package recreate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// canonical reduces a container's inspect to its declaration in one form: without what the table of
// exceptions leaves out, and with one spelling for what has several.
//
//   - Mounts become a map by destination, since older engines keep no order. A Mode of "" is "z"
//     for a volume: the engine sets it on named volumes but not on anonymous ones, which it also
//     relabels (daemon/volumes_unix.go, setBindModeIfNull; daemon/create_unix.go). The source of an
//     image's mount is a folder of the container's own.
//   - Binds and HostConfig.Mounts name the mounted volume, and mounts that are not declared there
//     are added: this keeps anonymous volumes, those of the image and those of --volumes-from.
//     Their order is irrelevant, since no two share a destination. NoCopy does not count: it says
//     what a create does with an empty volume, and the volume exists already
//     (daemon/create_unix.go, populateVolumes).
//   - Legacy links lose the container's own name (daemon/inspect.go), aliases its id
//     (container/inspect.go).
//   - A host name does not count if it belongs to another: of the container whose network it is,
//     or of the host (daemon/container_operations.go, initializeNetworking).
//   - Sysctls of eth0 count as the driver option into which engines since 27.1 put them
//     (container_routes.go, handleSysctlBC).
func canonical(inspect json.RawMessage, swarm func(network string) bool) (map[string]any, error) {
	var in inspected
	var host hostConfig
	doc, err := decoded(inspect)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(inspect, &in); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(join(in.HostConfig), &host); err != nil {
		return nil, err
	}
	if len(in.ID) < 12 {
		return nil, errOf("it has no id")
	}
	hostDoc, configDoc := child(doc, "HostConfig"), child(doc, "Config")
	if err := canonicalMounts(doc, hostDoc, in, host); err != nil {
		return nil, err
	}
	if shared := strings.HasPrefix(host.NetworkMode, "container:"); shared ||
		host.UTSMode == "host" {
		delete(configDoc, "Hostname")
		if shared {
			delete(configDoc, "Domainname")
		}
	}
	hostDoc["Links"] = listed((&Recipe{host: host}).links())
	hostname := text(in.Config["Hostname"])
	for name, v := range child(child(doc, "NetworkSettings"), "Networks") {
		endpoint, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if swarm(name) {
			delete(endpoint, "IPAMConfig")
		}
		own := ownAliases(texts(endpoint["Aliases"]), in.ID, hostname)
		endpoint["Aliases"] = listed(own)
	}
	canonicalSysctls(doc, &Recipe{in: in, host: host})
	return prune(doc, nil).(map[string]any), nil
}

// decoded reads JSON, with numbers as written.
func decoded(raw json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc map[string]any
	err := d.Decode(&doc)
	if err == nil && doc == nil {
		err = errOf("it is null")
	}
	return doc, err
}

// prune applies the table of exceptions, and removes null: a missing field and null are equal.
func prune(v any, place []string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			here := append(slices.Clone(place), name)
			e, excepted := find(here)
			if excepted && e.how == nil {
				delete(v, name)
				continue
			}
			if inner = prune(inner, here); excepted {
				inner = e.how(inner)
			}
			if v[name] = inner; inner == nil {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i], append(slices.Clone(place), "#"))
		}
	}
	return v
}

// canonicalMounts is the part of canonical for mounts.
func canonicalMounts(doc, hostDoc map[string]any, in inspected, host hostConfig) error {
	byDestination, declared := map[string]any{}, map[string]bool{}
	for i, m := range in.Mounts {
		entry, ok := element(doc["Mounts"], i).(map[string]any)
		if !ok {
			return errOf("a mount of another form")
		}
		if m.Type == "volume" {
			entry["Mode"], entry["Name"] = modeOf(m.Mode), m.volume()
		}
		if m.Type == "image" {
			delete(entry, "Source")
		}
		byDestination[cleaned(m.Destination)] = entry
	}
	doc["Mounts"] = byDestination
	var binds []string
	for _, raw := range host.Binds {
		b, ok := parseBind(raw)
		if !ok {
			return errOf("a bind of another form")
		}
		declared[b.target] = true
		if m, ok := at(in.Mounts, b.target); ok && b.volume() && m.volume() != "" {
			b.source, b.mode = m.volume(), modeOf(b.mode)
		}
		binds = append(binds, b.String())
	}
	slices.Sort(binds)
	hostDoc["Binds"] = listed(binds)
	specs := map[string]any{}
	for _, raw := range host.Mounts {
		target := cleaned(text(raw["Target"]))
		declared[target] = true
		m, _ := at(in.Mounts, target)
		spec, err := canonicalSpec(raw, m)
		if err != nil {
			return err
		}
		specs[target] = spec
	}
	for _, raw := range (&Recipe{in: in}).pins(declared) {
		target := text(raw["Target"])
		m, _ := at(in.Mounts, target)
		spec, err := canonicalSpec(raw, m)
		if err != nil {
			return err
		}
		specs[target] = spec
	}
	hostDoc["Mounts"] = specs
	return nil
}

// canonicalSpec sets an entry of HostConfig.Mounts to what is mounted there.
func canonicalSpec(raw object, m mount) (map[string]any, error) {
	spec, err := decoded(join(raw))
	if err != nil {
		return nil, err
	}
	spec["Target"] = cleaned(text(raw["Target"]))
	switch {
	case spec["Type"] == "volume" && m.volume() != "":
		spec["Source"] = m.volume()
		options := child(spec, "VolumeOptions")
		delete(options, "NoCopy")
		if driver := child(options, "DriverConfig"); driver["Name"] == m.Driver ||
			driver["Name"] == "" {
			delete(driver, "Name")
		}
	case spec["Type"] == "bind" && m.Propagation != "":
		child(spec, "BindOptions")["Propagation"] = m.Propagation
	}
	for _, name := range []string{"VolumeOptions", "BindOptions"} {
		if o, ok := spec[name].(map[string]any); ok {
			if emptied(o["DriverConfig"]) {
				delete(o, "DriverConfig")
			}
			if len(o) == 0 {
				delete(spec, name)
			}
		}
	}
	if spec["ReadOnly"] == false {
		delete(spec, "ReadOnly")
	}
	return spec, nil
}

// modeOf returns a volume's mode with what the engine adds, and without what only a create reads.
func modeOf(mode string) string {
	words := minus(strings.Split(mode, ","), []string{"", "nocopy", "rw"})
	if len(words) == 0 {
		return "z"
	}
	slices.Sort(words)
	return strings.Join(words, ",")
}

// endpointSysctls is libnetwork's name for the option (moby daemon/libnetwork/netlabel/labels.go).
const endpointSysctls = "com.docker.network.endpoint.sysctls"

func canonicalSysctls(doc map[string]any, r *Recipe) {
	main := r.mainNetwork()
	if main == "" {
		return
	}
	options := child(child(child(child(doc, "NetworkSettings"), "Networks"), main), "DriverOpts")
	var list []string
	if was, ok := options[endpointSysctls].(string); ok {
		// docker run writes it in lower case, and both are accepted
		list = strings.Split(strings.ReplaceAll(was, ".ifname.", ".IFNAME."), ",")
	}
	sysctls := child(child(doc, "HostConfig"), "Sysctls")
	for name, value := range r.host.Sysctls {
		if parts := strings.SplitN(name, ".", 5); len(parts) == 5 && parts[0] == "net" &&
			parts[3] == "eth0" {
			parts[3] = "IFNAME"
			list = append(list, strings.Join(parts, ".")+"="+value)
			delete(sysctls, name)
		}
	}
	if len(list) > 0 {
		slices.Sort(list)
		options[endpointSysctls] = strings.Join(slices.Compact(list), ",")
	}
	if len(sysctls) == 0 {
		delete(child(doc, "HostConfig"), "Sysctls")
	}
}

// child returns an object's inner object, created if there is none.
func child(doc map[string]any, name string) map[string]any {
	inner, ok := doc[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		doc[name] = inner
	}
	return inner
}

// listed returns a list as a decoder returns it; nil if it is empty.
func listed(list []string) any {
	if len(list) == 0 {
		return nil
	}
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, s := range list {
		if s, ok := s.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// element returns an element of a list, nil if there is none.
func element(v any, i int) any {
	if list, ok := v.([]any); ok && i < len(list) {
		return list[i]
	}
	return nil
}
