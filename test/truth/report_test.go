package truth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// class returns the strongest class that dropcap reports for a capability that it keeps; "" for one
// that it does not keep.
func (r *result) class(c caps.Cap) dropcap.Class {
	order := []dropcap.Class{
		dropcap.Decisive, dropcap.Alternative, dropcap.Silent, dropcap.Static, dropcap.Inspected,
		dropcap.UnknownNeed,
	}
	at := len(order)
	for _, n := range r.evidence.Needs {
		if i := slices.Index(order, n.Class); n.Cap == c && n.Outcome == dropcap.Granted && i >= 0 {
			at = min(at, i)
		}
	}
	if at == len(order) || !r.evidence.Required.Has(c) {
		return ""
	}
	return order[at]
}

func (r *result) falseDrops() caps.Set { return r.needs.set().Minus(r.evidence.Required) }
func (r *result) excess() caps.Set     { return r.evidence.Required.Minus(r.needs.set()) }

// judge compares a result with the goals: no false drop, no excess in our own programs except as
// listed in the table, at most one in a server, and nothing decisive that can be removed.
func (r *result) judge(t *testing.T) {
	t.Helper()
	if r.watched != nil {
		t.Errorf("%s: cannot live while it is learned from: %v", r.name, r.watched)
		return
	}
	if r.with != nil {
		t.Errorf("%s: breaks with what is recommended (%s): %v", r.name,
			r.evidence.Required.Short(), r.with)
	}
	if lost := r.falseDrops(); lost != 0 {
		t.Errorf("%s: false drop of %s", r.name, lost.Short())
	}
	if n := r.excess(); r.server && n.Len() > 1 || !r.server && n.Minus(r.kept.set()) != 0 {
		t.Errorf("%s: %s is kept without need%s", r.name, n.Short(), r.seen(n.List()...))
	}
	for c, want := range r.needs {
		got := r.class(c)
		switch {
		case got == want:
		case want == dropcap.Alternative && got == dropcap.Decisive:
			// an alternative cannot always be shown; it is kept
		case got == dropcap.UnknownNeed && r.pathless(c):
			t.Logf("%s: %s is %q, since its call path was lost%s", r.name, c.Short(), got,
				r.seen(c))
		default:
			t.Errorf("%s: %s is %q, want %q%s", r.name, c.Short(), got, want, r.seen(c))
		}
	}
	r.judgeRemoved(t)
}

func (r *result) judgeRemoved(t *testing.T) {
	t.Helper()
	for c, broke := range r.without {
		_, needed := r.needs[c]
		switch _, known := r.kept[c]; {
		case broke == nil && needed:
			t.Errorf("%s: lives without %s, which the table says it needs", r.name, c.Short())
		case broke == nil && r.class(c) == dropcap.Decisive && !known:
			t.Errorf("%s: lives without %s, which is called decisive", r.name, c.Short())
		case broke != nil && !needed:
			t.Errorf("%s: breaks without %s, which the table says it does not need: %v", r.name,
				c.Short(), broke)
		}
	}
}

// pathless reports whether unknown checks of a capability came without a call path: then the system
// call stands for the site.
func (r *result) pathless(c caps.Cap) bool {
	for _, n := range r.evidence.Needs {
		if n.Cap == c && n.Class == dropcap.UnknownNeed && slices.ContainsFunc(n.By,
			func(b dropcap.By) bool {
				return b.Site != b.Syscall
			}) {
			return false
		}
	}
	return true
}

// seen returns what dropcap observed of capabilities.
func (r *result) seen(list ...caps.Cap) string {
	var b strings.Builder
	for _, n := range r.evidence.Needs {
		if slices.Contains(list, n.Cap) {
			fmt.Fprintf(&b, "\n\t%s %s %s: %s; %v", n.Cap.Short(), n.Outcome, n.Class, n.Because,
				n.By)
		}
	}
	return b.String()
}

// quality measures how reliable the class "decisive" is.
type quality struct {
	// pairs of workload and capability that are really decisive; of them, those classed so
	needed, found int
	// pairs classed as decisive; of them, those without which the workload broke
	called, correct int
	drops, excess   int
	kept, meant     int // kept pairs; of them, those without the mark "try without"
	rightly         int // of those without the mark, those really needed
}

// precision returns the share of what is kept without a mark that is needed.
func (q quality) precision() float64 { return float64(q.rightly) / float64(max(q.meant, 1)) }

func measure(results []*result) (q quality) {
	for _, r := range results {
		for c, class := range r.needs {
			if class == dropcap.Decisive {
				q.needed++
				if r.class(c) == dropcap.Decisive {
					q.found++
				}
			}
		}
		for c, broke := range r.without {
			if r.class(c) == dropcap.Decisive {
				q.called++
				if broke != nil {
					q.correct++
				}
			}
		}
		sure := r.evidence.Required.Minus(r.evidence.TryWithout)
		q.kept += r.evidence.Required.Len()
		q.meant += sure.Len()
		q.rightly += (sure & r.needs.set()).Len()
		q.drops += r.falseDrops().Len()
		q.excess += r.excess().Len()
	}
	return q
}

func (q quality) String() string {
	return fmt.Sprintf("decisive: recall %d of %d, precision %d of %d; false drops %d, excess "+
		"%d; kept %d, of them %d to try without; of the other %d %d are needed: precision %.3f",
		q.found, q.needed, q.correct, q.called, q.drops, q.excess, q.kept, q.kept-q.meant, q.meant,
		q.rightly, q.precision())
}

// table formats the report.
func table(results []*result) string {
	var b strings.Builder
	b.WriteString("| workload | expected | recommended | false drops | excess | with it | broke " +
		"without |\n|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		var broke caps.Set
		for c, err := range r.without {
			if err != nil {
				broke |= caps.Of(c)
			}
		}
		works := "works"
		if r.with != nil {
			works = "breaks"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.name, r.needs.text(),
			r.recommended(), none(r.falseDrops()), none(r.excess()), works, none(broke))
	}
	fmt.Fprintf(&b, "%s\n", measure(results))
	return b.String()
}

func none(s caps.Set) string {
	if s == 0 {
		return "-"
	}
	return strings.ReplaceAll(s.Short(), ",", " ")
}

func (t truth) text() string {
	var l []string
	for _, c := range t.set().List() {
		l = append(l, c.Short()+mark(t[c]))
	}
	return strings.Join(l, " ")
}

func (r *result) recommended() string {
	var l []string
	for _, c := range r.evidence.Required.List() {
		text := c.Short() + mark(r.class(c))
		if r.evidence.TryWithout.Has(c) {
			text += "?"
		}
		l = append(l, text)
	}
	return strings.Join(l, " ")
}

// mark returns a mark for a class that is not decisive.
func mark(c dropcap.Class) string {
	if c == dropcap.Decisive {
		return ""
	}
	return "(" + string(c) + ")"
}
