package policy_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"dropcap/caps"
	"dropcap/internal/policy"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaAgreesWithParse(t *testing.T) {
	schema := compiled(t)
	for _, s := range append(good, bad...) {
		if s.beyond {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			err := schema.Validate(value(t, s.file))
			if len(s.want) == 0 && err != nil {
				t.Errorf("Parse takes it, the schema does not: %v", err)
			}
			if len(s.want) > 0 && err == nil {
				t.Errorf("Parse refuses it (%s), the schema takes it", s.want[0])
			}
		})
	}
}

// value reads a file as an editor does that checks YAML by a JSON Schema: YAML 1.2, where a date is
// text.
func value(t *testing.T, file string) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(file), &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Content) == 0 {
		return nil
	}
	return plain(n.Content[0])
}

func plain(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case n.Kind == yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, plain(c))
		}
		return l
	case n.Tag == "!!str", n.Tag == "!!timestamp":
		return n.Value
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return n.Value == "true"
	default:
		return json.Number(n.Value)
	}
}

// The schema knows every capability, in every spelling that the parser accepts.
func TestSchemaKnowsEveryCapability(t *testing.T) {
	schema := compiled(t)
	accepts := func(name string) bool {
		return schema.Validate(map[string]any{"keep": []any{map[string]any{
			"containers": map[string]any{"name": "x"}, "reason": "r",
			"capabilities": []any{name}}}}) == nil
	}
	for _, c := range caps.UpTo(63).List() {
		for _, name := range []string{c.String(), c.Short(), strings.ToLower(c.String()),
			strings.ToLower(c.Short())} {
			if !accepts(name) {
				t.Errorf("%q is not accepted", name)
			}
		}
	}
	for _, name := range []string{"ALL", "CAP_ALL", "NET", "NET_RAW2", "XNET_RAW",
		"CAP_CAP_NET_RAW", "CAP_40", "CAP_64", "041", "CAP_", " KILL", "KILL\n"} {
		_, err := caps.Parse(name)
		if err == nil {
			t.Errorf("Parse takes %q", name)
		}
		if accepts(name) {
			t.Errorf("%q is accepted", name)
		}
	}
	var doc struct {
		Defs struct {
			Capability struct {
				AnyOf []struct{ Enum []string }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(policy.Schema, &doc); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range caps.UpTo(caps.Last).List() {
		want = append(want, c.Short())
	}
	if got := doc.Defs.Capability.AnyOf[0].Enum; !slices.Equal(got, want) {
		t.Errorf("what an editor offers is %v, want %v", got, want)
	}
}
