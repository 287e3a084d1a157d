package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// kind is one kind of finding, with all whose finding it is: forty containers that break one rule
// in the same way are told of once.
type kind struct {
	rule     dropcap.Rule
	severity caps.Severity
	because  string
	accepted string // why it does not count; empty if it does
	members  []member
	fixes    []string // each that there is, once
}

// member is a container, or the policy; of a fleet, on some hosts.
type member struct {
	name  string
	hosts []string
}

// fixesShown is how many different remedies of one kind are shown.
const fixesShown = 3

// kinds lists all kinds of findings, what counts first, and of that the worst first.
func (s audits) kinds() []kind {
	var out []kind
	at, of := map[[sha256.Size]byte]int{}, map[[sha256.Size]byte]int{}
	add := func(host, name string, list []dropcap.Finding) {
		for _, f := range list {
			k := kind{rule: f.Rule, severity: f.Severity, because: f.Because,
				accepted: tolerated(f)}
			i := place(at, len(out), k.rule, k.severity, k.because, k.accepted)
			if i == len(out) {
				out = append(out, k)
			}
			out[i].belongsTo(of, i, host, name, s.fleet != nil)
			if !slices.Contains(out[i].fixes, f.Fix) && len(out[i].fixes) <= fixesShown &&
				f.Fix != "" {
				out[i].fixes = append(out[i].fixes, f.Fix)
			}
		}
	}
	for d, a := range s.each {
		for _, c := range a.Containers {
			add(d.Host, c.Name, c.Findings)
		}
		add(d.Host, "the policy", a.Findings)
	}
	slices.SortStableFunc(out, func(a, b kind) int {
		return cmp.Or(compareBool(a.accepted != "", b.accepted != ""),
			cmp.Compare(b.severity.Rank(), a.severity.Rank()))
	})
	return out
}

// belongsTo adds a member, or another host of it. Replicas on one host are named once.
func (k *kind) belongsTo(at map[[sha256.Size]byte]int, index int, host, name string, fleet bool) {
	if !fleet {
		k.members = append(k.members, member{name: name})
		return
	}
	i := place(at, len(k.members), index, name)
	if i == len(k.members) {
		k.members = append(k.members, member{name: name})
	}
	m := &k.members[i]
	if n := len(m.hosts); n == 0 || m.hosts[n-1] != host {
		m.hosts = append(m.hosts, host)
	}
}

// place returns where the thing of that identity is, or next for one that is new.
func place(at map[[sha256.Size]byte]int, next int, identity ...any) int {
	text, _ := json.Marshal(identity) // of plain values, so it cannot fail
	key := sha256.Sum256(text)
	i, ok := at[key]
	if !ok {
		i = next
		at[key] = i
	}
	return i
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tolerated says why a finding does not count, in words that others of its kind share.
func tolerated(f dropcap.Finding) string {
	if f.Waiver == nil && !f.Known && f.Retained != "" {
		return "retained by a change, stopped; `dropcap prune` removes it"
	}
	return accepted(f)
}

// write prints the kind: what and how many, who, why, and the remedy.
func (k kind) write(b *strings.Builder, fleet bool, o Options) {
	head, body := severityStyle(k.severity), plain
	if k.accepted != "" {
		head, body = dim, dim
	}
	names, n := k.names(o)
	b.WriteString("\n" + head.paint(visible(string(k.severity)), o.Color) + " " +
		bold.paint(visible(string(k.rule)), o.Color) + ": ")
	if len(names) == 1 {
		b.WriteString(names[0] + "\n")
	} else {
		comma := ", "
		if fleet { // each with a list of its own
			comma = "; "
		}
		b.WriteString(printable.Count(n, "container") + "\n")
		writeIndented(b, strings.Join(names, comma), bold, o.readable())
	}
	writeIndented(b, visible(k.because), body, o)
	if k.accepted != "" {
		writeIndented(b, visible(k.accepted), dim, o)
		return
	}
	if len(k.fixes) > fixesShown {
		writeFix(b, elsewhere(k.rule, fleet))
		return
	}
	for _, f := range k.fixes {
		writeFix(b, f)
	}
}

// names are the members', in a fleet with their hosts, and how many there are on all hosts.
func (k kind) names(o Options) (list []string, n int) {
	for _, m := range k.members {
		name := visible(m.name)
		if len(m.hosts) > 0 {
			name += " on " + nodes(m.hosts, o)
		}
		list, n = append(list, name), n+max(1, len(m.hosts))
	}
	return list, n
}

// elsewhere says where the remedies are, if they are too many to be shown.
func elsewhere(r dropcap.Rule, fleet bool) string {
	switch {
	case fleet:
		return "each has its own: --format json has them, `dropcap fleet plan` plans what it can"
	case r == dropcap.RuleNetRaw, r == dropcap.RuleAdded, r == dropcap.RuleUnneeded,
		r == dropcap.RulePrivileged:
		return "each has its own: `dropcap plan NAME` shows it, `dropcap apply NAME` does it"
	}
	return "each has its own: `dropcap explain NAME` shows it"
}

// Advice is one thing to do next: a command to be pasted, and why.
type Advice struct{ Why, Command string }

// writeNext prints what to do next, each command on a line of its own, which is not wrapped.
func writeNext(b *strings.Builder, list []Advice, o Options) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n" + bold.paint("next", o.Color) + "\n")
	for _, a := range list {
		for _, l := range wrap(visible(a.Why)+":", o.readable().Width-2) {
			fmt.Fprintf(b, "  %s\n", l)
		}
		fmt.Fprintf(b, "    %s\n", visible(a.Command))
	}
}
