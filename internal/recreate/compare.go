package recreate

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"dropcap"
)

// Difference is a field in which two containers differ. Values may be secrets, so it has only the
// path.
type Difference struct {
	Path    string // "HostConfig.Binds[1]", "NetworkSettings.Networks.front.Aliases"
	Because string // "differs", "missing" (only before), "new" (only after)
}

func (d Difference) String() string { return d.Path + ": " + d.Because }

// Compare compares the inspects of two containers that should be equal, capabilities included,
// except for what the table of exceptions names. An invalid inspect differs as a whole.
func Compare(before, after json.RawMessage) []Difference {
	return compare(before, after, func(string) bool { return false }, nil)
}

// Check compares a container created by Create with the original, and returns the differences that
// are not allowed. The declaration must be g.
func (r *Recipe) Check(after json.RawMessage, g dropcap.Grant) []Difference {
	return r.check(after, g, func(_, _ map[string]any) {})
}

// check is Check with further allowed differences.
func (r *Recipe) check(after json.RawMessage, g dropcap.Grant,
	allow func(before, after map[string]any)) []Difference {
	out := compare(r.o.Inspect, after, r.swarmScoped, func(before, after map[string]any) {
		b, a := child(before, "HostConfig"), child(after, "HostConfig")
		b["CapAdd"], b["CapDrop"], b["Privileged"] = capabilities(g.CapAdd),
			capabilities(g.CapDrop), g.Privileged
		if a["Privileged"] == nil {
			a["Privileged"] = false
		}
		for _, name := range []string{"CapAdd", "CapDrop"} {
			a[name] = capabilities(texts(a[name]))
		}
		if r.host.Privileged && !g.Privileged {
			r.allowLess(b, a)
		}
		if r.moved() {
			child(before, "Config")["Image"] = r.imageReference()
		}
		b["VolumesFrom"] = listed(r.sources())
		allow(before, after)
		prune(before, nil)
		prune(after, nil)
	})
	return append(out, r.checkMAC(after)...)
}

// allowLess allows the differences of a container that is no longer privileged, see Deprivileged.
func (r *Recipe) allowLess(before, after map[string]any) {
	for _, name := range []string{"MaskedPaths", "ReadonlyPaths"} {
		if list, ok := after[name].([]any); ok && len(list) > 0 && before[name] == nil {
			before[name] = list
		}
	}
	if r.engineLabel() {
		before["SecurityOpt"] = listed(minus(r.host.SecurityOpt, []string{"label=disable"}))
	}
}

// capabilities makes a list of names comparable: the engine stores them as given, in any order
// (moby daemon/pkg/oci/caps).
func capabilities(list []string) any {
	var out []string
	for _, name := range list {
		out = append(out, strings.TrimPrefix(strings.ToUpper(name), "CAP_"))
	}
	slices.Sort(out)
	return listed(slices.Compact(out))
}

// checkMAC compares the configured MAC address, which from API 1.52 on is only in this field.
func (r *Recipe) checkMAC(after json.RawMessage) []Difference {
	var a inspected
	main := r.mainNetwork()
	if r.mac == "" || main == "" || older(r.o.API, apiManyNetworks) ||
		json.Unmarshal(after, &a) != nil {
		return nil
	}
	now := text(a.NetworkSettings.Networks[main]["MacAddress"])
	if strings.EqualFold(now, r.mac) ||
		now == "" && a.State.Status != "created" && a.State.Status != "running" {
		return nil
	}
	return []Difference{{"NetworkSettings.Networks." + name(main) + ".MacAddress", "differs"}}
}

// Declared returns the container's declaration in canonical form: equal bytes for equal
// declarations, whether it runs or not. It holds secrets.
func (r *Recipe) Declared() []byte {
	doc, err := canonical(r.o.Inspect, r.swarmScoped)
	if err != nil { // Read has parsed it already; anything else is equal only to itself
		return slices.Clone(r.o.Inspect)
	}
	for _, where := range []string{"AppArmorProfile", "Path", "Args"} {
		delete(doc, where)
	}
	for _, endpoint := range child(child(doc, "NetworkSettings"), "Networks") {
		if e, ok := endpoint.(map[string]any); ok {
			delete(e, "NetworkID")
		}
	}
	if r.mac != "" {
		child(doc, "Config")["MacAddress"] = r.mac
	}
	return join(doc)
}

func compare(before, after json.RawMessage, swarm func(string) bool,
	allow func(before, after map[string]any)) []Difference {
	b, err := canonical(before, swarm)
	if err != nil {
		return []Difference{{"", "differs"}}
	}
	a, err := canonical(after, swarm)
	if err != nil {
		return []Difference{{"", "differs"}}
	}
	if allow != nil {
		allow(b, a)
	}
	settle(b, a)
	return differ("", b, a, nil)
}

// settle removes what is known only after a start, unless both have it.
func settle(before, after map[string]any) {
	either := func(b, a map[string]any, name string) {
		if b[name] == nil || a[name] == nil || b[name] == "" || a[name] == "" {
			delete(b, name)
			delete(a, name)
		}
	}
	either(before, after, "AppArmorProfile") // moby daemon/container_linux.go, saveAppArmorConfig
	networks := child(child(after, "NetworkSettings"), "Networks")
	for name, endpoint := range child(child(before, "NetworkSettings"), "Networks") {
		b, ok := endpoint.(map[string]any)
		a, too := networks[name].(map[string]any)
		if ok && too {
			either(b, a, "NetworkID") // resolved from the network's name at a start
		}
	}
}

func differ(path string, before, after any, out []Difference) []Difference {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			return append(out, Difference{path, because(before, after)})
		}
		both := maps.Clone(b)
		maps.Copy(both, a)
		for _, key := range slices.Sorted(maps.Keys(both)) {
			out = differ(strings.TrimPrefix(path+"."+name(key), "."), b[key], a[key], out)
		}
		return out
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			return append(out, Difference{path, because(before, after)})
		}
		for i := range b {
			out = differ(fmt.Sprintf("%s[%d]", path, i), b[i], a[i], out)
		}
		return out
	}
	switch after.(type) {
	case map[string]any, []any:
		return append(out, Difference{path, because(before, after)})
	}
	if before != after {
		out = append(out, Difference{path, because(before, after)})
	}
	return out
}

func because(before, after any) string {
	switch {
	case before == nil:
		return "new"
	case after == nil:
		return "missing"
	}
	return "differs"
}

var plainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_./:-]{1,120}$`)
})

// name makes a key printable: label keys are untrusted.
func name(key string) string {
	if plainName().MatchString(key) {
		return key
	}
	quoted := fmt.Sprintf("%q", key)
	return quoted[:min(len(quoted), 120)]
}
