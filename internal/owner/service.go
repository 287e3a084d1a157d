package owner

import "strings"

// Services returns the services that the container belongs to by its labels, which its owner
// re-creates as one: keys, each with the engine's filters that list its containers.
func Services(l map[string]string) map[string][]string {
	out := map[string][]string{}
	for _, k := range kinds {
		var filters, values []string
		for _, label := range k.service {
			if l[label] == "" {
				break
			}
			filters = append(filters, "label="+label+"="+l[label])
			values = append(values, l[label])
		}
		if len(k.service) > 0 && len(values) == len(k.service) {
			out[serviceKey(k, values...)] = filters
		}
	}
	return out
}

func serviceKey(k Kind, values ...string) string { return k.Name + " " + strings.Join(values, " ") }

// ComposeService returns the key in Services of a compose service.
func ComposeService(project, service string) string { return serviceKey(compose, project, service) }

// SameService reports whether two containers' trusted labels name the same service.
func SameService(a, b map[string]string) bool {
	theirs := Services(b)
	for key := range Services(a) {
		if _, ok := theirs[key]; ok {
			return true
		}
	}
	return false
}

// DependsOn returns the services of the same project that must start before the container.
func (k Kind) DependsOn(labels map[string]string) []string {
	if k.dependsOn == nil {
		return nil
	}
	return k.dependsOn(labels)
}
