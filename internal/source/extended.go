package source

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// notExtended is what is left of names that are to go out of a list and that the service does not
// have of its own: those that no service which it extends loses as well. Compose appends the lists
// of both, so they go with that one's, if all that extend it are to lose them.
func (s *target) notExtended(key string, names []string, all []*target) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(s.parts, func(pt *part) bool {
			return pt.doc.losesByExtending(s.wanted.Service, key, name, all)
		})
	})
}

// losesByExtending reports whether one of the services that a service extends in the file loses the
// name from a list of its own, and all that extend that one are to lose it too.
func (d *document) losesByExtending(service, key, name string, all []*target) bool {
	loses := func(service string) bool {
		return slices.ContainsFunc(all, func(t *target) bool {
			return t.wanted.Service == service &&
				slices.ContainsFunc(t.wanted.changes(), func(c listChange) bool {
					return c.key == key && slices.Contains(c.out, name)
				})
		})
	}
	for _, base := range d.bases(service) {
		if !loses(base) || !d.lists(base, key, name) {
			continue
		}
		if !slices.ContainsFunc(d.services(), func(other string) bool {
			return slices.Contains(d.bases(other), base) && !loses(other)
		}) {
			return true
		}
	}
	return false
}

// bases returns the services that one extends in the same file, the nearest first.
func (d *document) bases(service string) (list []string) {
	_, services := value(d.root, "services")
	for range maxDepth {
		from := resolved(entry(resolved(entry(resolved(services), service)), "extends"))
		if from == nil {
			break
		}
		next := from.Value
		if from.Kind == yaml.MappingNode {
			if entry(from, "file") != nil {
				break
			}
			next = scalarOf(from, "service")
		}
		if next == "" || slices.Contains(list, next) {
			break
		}
		list, service = append(list, next), next
	}
	return list
}

// lists reports whether a service's own list in the file names it.
func (d *document) lists(service, key, name string) bool {
	pt, err := d.part(service)
	if err != nil || pt == nil {
		return false
	}
	l, err := pt.find(key)
	return err == nil && slices.Contains(l.names(), name)
}
