package recreate

import (
	"encoding/json"
	"slices"
	"strings"

	"dropcap"
)

// Partners are the containers that take the places of those that a container uses.
type Partners struct {
	Namespaces map[string]string // by the id of the one whose namespace it shares, the other's id
	// Links are by the name of the one that it links to. The other one is linked to by its id,
	// since its name is an interim one, and the engine tells its name.
	Links map[string]dropcap.Ref
}

// Pointing returns the original as if it used those. A container that it shares a namespace with by
// its name stays as it is, since the engine looks for it whenever it starts one.
func (o Original) Pointing(p Partners) Original {
	o.Inspect, o.Older = p.pointing(o.Inspect), p.pointing(o.Older)
	o.linked = map[string]string{}
	for _, r := range p.Links {
		o.linked[r.Name] = r.ID
	}
	return o
}

func (p Partners) pointing(inspect json.RawMessage) json.RawMessage {
	var all, host map[string]json.RawMessage
	if json.Unmarshal(inspect, &all) != nil || json.Unmarshal(all["HostConfig"], &host) != nil {
		return inspect // which Read refuses
	}
	changed := p.links(host)
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		var mode string
		_ = json.Unmarshal(host[key], &mode) // else it is none of a container's
		if id, ok := strings.CutPrefix(mode, "container:"); ok && p.Namespaces[id] != "" {
			host[key], _ = json.Marshal("container:" + p.Namespaces[id]) // of a string
			changed = true
		}
	}
	if !changed {
		return inspect
	}
	var err error
	if all["HostConfig"], err = json.Marshal(host); err != nil {
		return inspect
	}
	out, err := json.Marshal(all)
	if err != nil {
		return inspect
	}
	return out
}

// links lets those of a description lead to the others.
func (p Partners) links(host map[string]json.RawMessage) (changed bool) {
	var links []string
	if json.Unmarshal(host["Links"], &links) != nil {
		return false
	}
	for i, l := range links {
		name, rest, _ := strings.Cut(l, ":")
		if other, ok := p.Links[strings.TrimPrefix(name, "/")]; ok {
			links[i], changed = "/"+other.Name+":"+rest, true
		}
	}
	if changed {
		host["Links"] = join(links)
	}
	return changed
}

// Linked reports whether the links of a container (GET /containers/ID/json) to the named ones still
// lead to containers of those names: an engine that is started again ties them anew, by the names
// as they are then.
func Linked(before, now json.RawMessage, names []string) bool {
	was, err := Uses(before)
	if err != nil {
		return true
	}
	is, err := Uses(now)
	if err != nil {
		return true
	}
	for _, u := range was {
		if u.Kind == "link" && slices.Contains(names, u.Container) && !slices.Contains(is, u) {
			return false
		}
	}
	return true
}
