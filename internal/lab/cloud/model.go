package cloud

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

//go:generate sh -c "cd model && go run generate.go"

//go:embed model/*.json
var models embed.FS

// model is the part of a service's API model that describes its requests.
type model struct {
	Operations map[string]struct {
		Input string
		HTTP  struct{ Method, RequestURI string }
	}
	Shapes map[string]*shape
}

type shape struct {
	Type     string
	Required []string
	Members  map[string]string
	Member   string // of a list
	Key      string // of a map
	Value    string
	Min, Max *float64
	Pattern  string
	Enum     []string
	pattern  *regexp.Regexp
}

func load(service string) *model {
	data, err := models.ReadFile("model/" + service + ".json")
	if err != nil {
		panic(err) // embedded: a mistake in the build
	}
	m := &model{}
	if err := json.Unmarshal(data, m); err != nil {
		panic(err)
	}
	for _, s := range m.Shapes {
		if s.Pattern != "" {
			s.pattern = compile(s.Pattern)
		}
	}
	return m
}

// compile converts one of the model's Java patterns to Go, anchored at both ends as in the
// services. A pattern that Go cannot express checks nothing.
func compile(p string) *regexp.Regexp {
	p = strings.NewReplacer(`\p{Print}`, `[[:print:]]`, `\\p{Alnum}`, `[[:alnum:]]`, `\p{ASCII}`,
		`[[:ascii:]]`).Replace(p)
	re, err := regexp.Compile(`^(?:` + p + `)$`)
	if err != nil {
		return nil
	}
	return re
}

// check returns the complaints about a decoded request, in the words of the services' own
// ValidationException, sorted.
func (m *model) check(operation string, input any) []string {
	op, ok := m.Operations[operation]
	if !ok {
		return []string{"unknown operation " + operation}
	}
	if op.Input == "" {
		return nil
	}
	c := &checker{m: m}
	c.value("", op.Input, input)
	slices.Sort(c.complaints)
	return c.complaints
}

type checker struct {
	m          *model
	complaints []string
}

func (c *checker) bad(at, format string, args ...any) {
	at = lowerFirst(strings.TrimPrefix(at, "."))
	c.complaints = append(c.complaints,
		fmt.Sprintf("Value at '%s' failed to satisfy constraint: %s", at,
			fmt.Sprintf(format, args...)))
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (c *checker) value(at, name string, v any) {
	s := c.m.Shapes[name]
	if s == nil || v == nil {
		return
	}
	switch s.Type {
	case "structure":
		c.structure(at, s, v)
	case "list":
		list, ok := v.([]any)
		if !ok {
			c.bad(at, "Member must be a list")
			return
		}
		c.size(at, s, float64(len(list)))
		for i, item := range list {
			c.value(fmt.Sprintf("%s.%d.member", at, i+1), s.Member, item)
		}
	case "map":
		entries, ok := v.(map[string]any)
		if !ok {
			c.bad(at, "Member must be a map")
			return
		}
		c.size(at, s, float64(len(entries)))
		for k, item := range entries {
			c.value(at+".key", s.Key, k)
			c.value(at+"."+k+".member", s.Value, item)
		}
	default:
		c.scalar(at, s, v)
	}
}

func (c *checker) structure(at string, s *shape, v any) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.bad(at, "Member must be a structure")
		return
	}
	for _, r := range s.Required {
		if fields[r] == nil {
			c.bad(at+"."+r, "Member must not be null")
		}
	}
	for k, item := range fields {
		shape, known := s.Members[k]
		if !known {
			c.bad(at+"."+k, "Member is not known")
			continue
		}
		c.value(at+"."+k, shape, item)
	}
}

func (c *checker) scalar(at string, s *shape, v any) {
	switch s.Type {
	case "string":
		text, ok := v.(string)
		if !ok {
			c.bad(at, "Member must be a string")
			return
		}
		c.size(at, s, float64(len(utf16.Encode([]rune(text))))) // Java's length
		if s.pattern != nil && !s.pattern.MatchString(text) {
			c.bad(at, "Member must satisfy regular expression pattern: %s", s.Pattern)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			c.bad(at, "Member must satisfy enum value set: [%s]", strings.Join(s.Enum, ", "))
		}
	case "integer", "long":
		n, ok := v.(float64)
		if !ok || n != math.Trunc(n) {
			c.bad(at, "Member must be an integer")
			return
		}
		c.rangeOf(at, s, n, "Member must have value")
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.bad(at, "Member must be a boolean")
		}
	}
}

func (c *checker) size(at string, s *shape, n float64) {
	c.rangeOf(at, s, n, "Member must have length")
}

func (c *checker) rangeOf(at string, s *shape, n float64, what string) {
	if s.Min != nil && n < *s.Min {
		c.bad(at, "%s greater than or equal to %v", what, *s.Min)
	}
	if s.Max != nil && n > *s.Max {
		c.bad(at, "%s less than or equal to %v", what, *s.Max)
	}
}
