package recreate

import (
	"encoding/json"
	"strings"
)

// Pointing returns the original as if it used the namespaces of other containers: ids has those
// which take the places of the ones that it uses, by their ids. A container that it uses by its
// name stays as it is, since the engine looks for it whenever it starts one.
func (o Original) Pointing(ids map[string]string) Original {
	o.Inspect, o.Older = pointing(o.Inspect, ids), pointing(o.Older, ids)
	return o
}

func pointing(inspect json.RawMessage, ids map[string]string) json.RawMessage {
	var all, host map[string]json.RawMessage
	if json.Unmarshal(inspect, &all) != nil || json.Unmarshal(all["HostConfig"], &host) != nil {
		return inspect // which Read refuses
	}
	changed := false
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		var mode string
		_ = json.Unmarshal(host[key], &mode) // else it is none of a container's
		if id, ok := strings.CutPrefix(mode, "container:"); ok && ids[id] != "" {
			host[key], _ = json.Marshal("container:" + ids[id]) // of a string
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
