package recreate

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"

	"dropcap"
)

// Remade compares a container that compose re-created with the original, as Check does. Compose
// writes some fields in another form each time, which is no difference: see byCompose.
func (r *Recipe) Remade(after json.RawMessage, g dropcap.Grant) []Difference {
	var now inspected
	if json.Unmarshal(after, &now) != nil || len(now.ID) < 12 {
		return []Difference{{"", "differs"}}
	}
	return r.check(after, g, func(b, a map[string]any) {
		byCompose(b, r.id)
		byCompose(a, now.ID)
		sameVolumes(b, a)
	})
}

// composeLabels are written by each compose, and do not affect what runs (docker/compose
// pkg/api/labels.go): the hash of the declaration, what it replaced, and compose's own version.
var composeLabels = []string{"com.docker.compose.config-hash", "com.docker.compose.replace",
	"com.docker.compose.version"}

// byCompose normalises what compose writes in another form each time: it iterates over maps in any
// order (env, aliases, limits, depends_on), and a host name that nobody set is the container's id.
func byCompose(doc map[string]any, id string) {
	config, host := child(doc, "Config"), child(doc, "HostConfig")
	if config["Hostname"] == id[:12] {
		delete(config, "Hostname")
	}
	labels := child(config, "Labels")
	for _, name := range composeLabels {
		delete(labels, name)
	}
	if v, ok := labels["com.docker.compose.depends_on"].(string); ok {
		list := strings.Split(v, ",")
		slices.Sort(list)
		labels["com.docker.compose.depends_on"] = strings.Join(list, ",")
	}
	sorted(config, "Env")
	sorted(host, "ExtraHosts")
	sorted(host, "Ulimits")
	for _, endpoint := range child(child(doc, "NetworkSettings"), "Networks") {
		if e, ok := endpoint.(map[string]any); ok {
			sorted(e, "Aliases")
			sorted(e, "Links")
		}
	}
}

// sorted sorts a list whose order is irrelevant.
func sorted(in map[string]any, name string) {
	list, ok := in[name].([]any)
	if !ok {
		return
	}
	sort.SliceStable(list, func(i, j int) bool {
		return string(join(list[i])) < string(join(list[j]))
	})
}

// sameVolumes removes the declaration of a volume if the same volume is mounted in the same way:
// compose keeps an anonymous volume by naming it.
func sameVolumes(before, after map[string]any) {
	b, a := child(before, "Mounts"), child(after, "Mounts")
	for target, entry := range b {
		m, ok := entry.(map[string]any)
		if !ok || m["Type"] != "volume" || len(differ("", entry, a[target], nil)) > 0 {
			continue
		}
		for _, doc := range []map[string]any{before, after} {
			host := child(doc, "HostConfig")
			delete(child(host, "Mounts"), target)
			host["Binds"] = listed(slices.DeleteFunc(texts(host["Binds"]), func(raw string) bool {
				bind, ok := parseBind(raw)
				return ok && bind.target == target
			}))
			delete(child(child(doc, "Config"), "Volumes"), target)
		}
	}
}
