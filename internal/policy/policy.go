// Package policy reads what an operator demands, and decides which containers a selector picks,
// which findings a waiver accepts and which a baseline contains already. It is pure: bytes and
// documents in, values out. It never opens a file and never reads the clock.
package policy

import (
	"crypto/sha256"
	"fmt"

	"go.yaml.in/yaml/v4"

	"dropcap"
)

// MaxSize is the size of the largest policy file that is read, in bytes: some thousands of waivers.
const MaxSize = 1 << 20

// Parse reads a policy file. name is used in errors only. The error is a [*dropcap.Error] whose
// message begins with "cannot read policy NAME:LINE:COLUMN" and whose cause is a [Problems], at
// most ten of them, in the file's order. Lines and columns count from 1, columns in characters.
func Parse(name string, data []byte) (dropcap.Policy, error) {
	p := dropcap.Policy{
		Level: dropcap.LevelCIS, Keeps: []dropcap.Keep{}, Waivers: []dropcap.Waiver{},
		Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)),
	}
	r := &reader{}
	if root := r.document(data); root != nil {
		r.policy(root, &p)
	}
	if err := r.problems.err(name); err != nil {
		return dropcap.Policy{}, err
	}
	return p, nil
}

// BuiltIn returns the policy without a file: level cis, nothing kept, nothing waived.
func BuiltIn() dropcap.Policy {
	return dropcap.Policy{Level: dropcap.LevelCIS, Keeps: []dropcap.Keep{},
		Waivers: []dropcap.Waiver{}}
}

func (r *reader) policy(n *yaml.Node, p *dropcap.Policy) {
	r.mapping(n, "a policy",
		field{key: "level", read: func(n *yaml.Node) { p.Level = r.level(n) }},
		field{key: "keep", read: func(n *yaml.Node) {
			r.list(n, "keep", func(n *yaml.Node) { p.Keeps = append(p.Keeps, r.keep(n)) })
		}},
		field{key: "waivers", read: func(n *yaml.Node) {
			r.list(n, "waivers", func(n *yaml.Node) { p.Waivers = append(p.Waivers, r.waiver(n)) })
		}},
		field{key: "harden", read: func(n *yaml.Node) {
			r.list(n, "harden", func(n *yaml.Node) { p.Harden = append(p.Harden, r.harden(n)) })
		}},
	)
}

func (r *reader) level(n *yaml.Node) dropcap.Level {
	word := r.text(n, "level")
	l := dropcap.Level(word)
	if word != "" && l != dropcap.LevelCIS && l != dropcap.LevelLeast {
		r.bad(n, suggest(word, "levels", []string{string(dropcap.LevelCIS),
			string(dropcap.LevelLeast)}), "unknown level %q", word)
	}
	return l
}

func (r *reader) keep(n *yaml.Node) (k dropcap.Keep) {
	r.mapping(n, "a keep",
		field{"containers", true, func(n *yaml.Node) { k.Containers = r.selector(n) }},
		field{"capabilities", true, func(n *yaml.Node) { k.Caps = r.capabilities(n, false) }},
		field{"reason", true, func(n *yaml.Node) { k.Reason = r.text(n, "reason") }},
	)
	return k
}

func (r *reader) waiver(n *yaml.Node) (w dropcap.Waiver) {
	w.Line = n.Line
	r.mapping(n, "a waiver",
		field{"containers", true, func(n *yaml.Node) { w.Containers = r.selector(n) }},
		field{"capabilities", true, func(n *yaml.Node) { w.Caps = r.capabilities(n, true) }},
		field{"owner", true, func(n *yaml.Node) { w.Owner = r.text(n, "owner") }},
		field{"reason", true, func(n *yaml.Node) { w.Reason = r.text(n, "reason") }},
		field{"expires", true, func(n *yaml.Node) { w.Expires = r.expiry(n) }},
	)
	return w
}
