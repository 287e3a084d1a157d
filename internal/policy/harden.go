package policy

import (
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"dropcap"
)

// harden reads a rule of which workloads to harden, and how. What it leaves out is as usual.
func (r *reader) harden(n *yaml.Node) dropcap.HardenRule {
	rule := dropcap.HardenRule{Settings: dropcap.UsualHardening()}
	s := &rule.Settings
	r.mapping(n, "a rule to harden",
		field{"containers", true, func(n *yaml.Node) { rule.Containers = r.selector(n) }},
		field{key: "level", read: func(n *yaml.Node) { s.Level = r.level(n) }},
		field{key: "learn", read: func(n *yaml.Node) { s.Learn = r.span(n, "learn") }},
		field{key: "trial", read: func(n *yaml.Node) { s.Trial = r.span(n, "trial") }},
		field{key: "watch", read: func(n *yaml.Node) { s.Watch = r.span(n, "watch") }},
		field{key: "window", read: func(n *yaml.Node) { s.Window = r.window(n) }},
		field{key: "approve", read: func(n *yaml.Node) { s.Approve = r.yes(n, "approve") }},
		field{key: "add-back", read: func(n *yaml.Node) { s.AddBack = r.yes(n, "add-back") }},
	)
	return rule
}

// span reads a duration, in seconds. Text such as 7d needs no quotes, and 0 is the one number.
func (r *reader) span(n *yaml.Node, what string) int64 {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!int" && n.Value == "0" {
		return 0
	}
	word := r.text(n, what)
	if word == "" {
		return 0
	}
	d, err := dropcap.ParseSpan(word)
	r.usage(n, err)
	return int64(d / time.Second)
}

// window reads a time of the day.
func (r *reader) window(n *yaml.Node) string {
	word := r.text(n, "window")
	if word == "" {
		return ""
	}
	_, err := dropcap.ParseWindow(word)
	r.usage(n, err)
	return word
}

// usage records an error about a value.
func (r *reader) usage(n *yaml.Node, err error) {
	var e *dropcap.Error
	if errors.As(err, &e) {
		r.bad(n, e.Hint, "%s", e.Message)
	}
}

// yes reads true or false.
func (r *reader) yes(n *yaml.Node, what string) bool {
	if r.is(n, yaml.ScalarNode, "", fmt.Sprintf("%q", what), "write true or false") &&
		n.Tag != "!!bool" {
		r.bad(n, "write true or false", "%q must be true or false, not %s", what, kindOf(n))
	}
	return n.Value == "true"
}
