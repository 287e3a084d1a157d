package source

import (
	"maps"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// same checks that an edited text means what the former one meant, but for the three keys of the
// services.
func (d *document) same(text string, services ...string) error {
	after, err := parse(d.path, []byte(text))
	if err != nil {
		return cannot("form", "%s would not be valid after the change", d.path)
	}
	was, ok1 := meaning(d.root, services)
	is, ok2 := meaning(after.root, services)
	if !ok1 || !ok2 || !reflect.DeepEqual(was, is) {
		return cannot("form", "the change would mean more in %s than it says", d.path)
	}
	return nil
}

// meaning is a document as values, without the three keys of the services; false if it is too large
// (aliases within aliases).
func meaning(root *yaml.Node, names []string) (any, bool) {
	budget := 200_000
	v := plainValue(root, &budget, 0)
	doc, ok := v.(map[string]any)
	if !ok || budget <= 0 {
		return nil, false
	}
	services, ok := doc["services"].(map[string]any)
	if !ok {
		return nil, false
	}
	for _, name := range names {
		s, _ := services[name].(map[string]any) // another file may define it
		for _, key := range []string{keyAdd, keyDrop, keyPrivileged} {
			delete(s, key)
		}
	}
	return doc, true
}

// scalar keeps how a scalar was written: "true" is not true.
type scalar struct{ tag, value string }

func plainValue(n *yaml.Node, budget *int, depth int) any {
	if *budget--; *budget <= 0 || depth > 2*maxDepth {
		*budget = 0
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return plainValue(n.Alias, budget, depth+1)
	case yaml.SequenceNode:
		out := []any{n.ShortTag()}
		for _, c := range n.Content {
			out = append(out, plainValue(c, budget, depth+1))
		}
		return out
	case yaml.MappingNode:
		return mapping(n, budget, depth)
	}
	return scalar{n.ShortTag(), n.Value}
}

func mapping(n *yaml.Node, budget *int, depth int) any {
	own, under := map[string]any{}, map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Value == "<<" && k.Kind == yaml.ScalarNode {
			for _, s := range mergeSources(v) {
				m, _ := plainValue(s, budget, depth+1).(map[string]any)
				for key, x := range m {
					if _, known := under[key]; !known {
						under[key] = x
					}
				}
			}
			continue
		}
		own[resolved(k).Value] = plainValue(v, budget, depth+1)
	}
	maps.Copy(under, own)
	return under
}
