package source

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// keep returns the service lists of its own, with what they hold now, where it has them from
// another service that is changed.
func (s *target) keep(all []*target) error {
	for _, pt := range s.parts {
		for _, key := range []string{keyDrop, keyAdd} {
			l, err := pt.find(key)
			if err != nil {
				return err
			}
			switch {
			case pt.changes(key):
			case l != nil && l.head != nil:
				if l.node.Kind == yaml.AliasNode && slices.Contains(pt.doc.anchored, l.seq) {
					if err := l.change(nil, nil, true); err != nil {
						return err
					}
				}
			case inherits(pt, key, all):
				if err := pt.insertList(key, l.names()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// changes reports whether the list of that key is changed in this part.
func (pt *part) changes(key string) bool { return slices.Contains(pt.changed, key) }

// inherits reports whether a part is made, by merge keys, from a part of another service whose list
// is changed.
func inherits(pt *part, key string, all []*target) bool {
	for _, s := range all {
		for _, from := range s.parts {
			if from.doc == pt.doc && from.changes(key) && merges(pt.at, from.at, 0) {
				return true
			}
		}
	}
	return false
}

// merges reports whether a mapping takes in another by merge keys, however far away.
func merges(m, other *yaml.Node, depth int) bool {
	_, into := value(m, "<<")
	if into == nil || depth > maxDepth {
		return false
	}
	for _, from := range mergeSources(into) {
		if from = resolved(from); from == other || merges(from, other, depth+1) {
			return true
		}
	}
	return false
}

// mergeSources are the mappings of a merge key, as they are written.
func mergeSources(into *yaml.Node) []*yaml.Node {
	if into.Kind == yaml.SequenceNode {
		return into.Content
	}
	return []*yaml.Node{into}
}

// shared refuses if a service that must not change shares part of what changes.
func (p *project) shared() error {
	for _, s := range p.services {
		for _, pt := range s.parts {
			if len(pt.changed) > 0 && !p.mergedOnly(pt) {
				return s.blamed(cannot("alias",
					"in %s other services are made from this one by an anchor", pt.doc.path))
			}
			for _, key := range pt.changed {
				if key == keyPrivileged {
					continue
				}
				l, err := pt.find(key)
				if err != nil {
					return s.blamed(err)
				}
				if l == nil || l.seq == nil || !slices.Contains(pt.doc.anchored, l.seq) {
					continue
				}
				for _, use := range pt.doc.aliases(l.seq) {
					if !slices.Contains(pt.doc.restated, use) {
						return s.blamed(cannot("alias",
							"in %s other services use its %s by an anchor", pt.doc.path, key))
					}
				}
			}
		}
	}
	return nil
}

// mergedOnly reports whether whatever is made from a part is a service that is to be changed as
// well.
func (p *project) mergedOnly(pt *part) bool {
	for _, use := range pt.doc.aliases(pt.at) {
		known := slices.ContainsFunc(p.services, func(s *target) bool {
			return slices.ContainsFunc(s.parts, func(other *part) bool {
				_, into := value(other.at, "<<")
				return other.doc == pt.doc && into != nil && slices.Contains(mergeSources(into),
					use)
			})
		})
		if !known {
			return false
		}
	}
	return true
}
