package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
)

// fleetPlan writes equal plans once, with their hosts, then refusals and warnings by reason.
func fleetPlan(w io.Writer, format string, f dropcap.Fleet, o Options) error {
	if isTemplate(format) {
		var rows []Step
		for _, p := range foreign.Plans(f) {
			rows = append(rows, planRows(p, o.NoTrunc)...)
		}
		return writeRows(w, format, rows)
	}
	var b strings.Builder
	groups := groupPlans(foreign.Plans(f))
	hosts, total := 0, plannedCount{}
	refused, warned := newReasons(), newReasons()
	for _, g := range groups {
		hosts += len(g.Hosts)
		total.add(countPlan(g.Plan.Steps), len(g.Hosts))
		for _, s := range g.Plan.Steps {
			if s.Refused != "" {
				refused.add(s.Refused, s.Hint, s.Container.Name, g.Hosts)
			}
			for _, text := range s.Warnings {
				warned.add(text, "", s.Container.Name, g.Hosts)
			}
		}
	}
	failures := foreign.Failed(f, foreign.Plan)
	b.WriteString(bold.paint(fleetSummary(hosts, total.String(), len(failures)), o.Color) + "\n")
	for _, g := range groups {
		writePlanGroup(&b, g, o)
	}
	refused.write(&b, "refused", strong, o)
	warned.write(&b, "warnings", yellow, o)
	writeFailures(&b, failures, o)
	_, err := io.WriteString(w, b.String())
	return err
}

func writePlanGroup(b *strings.Builder, g planGroup, o Options) {
	b.WriteString("\n" + bold.paint(printable.Count(len(g.Hosts), "host"), o.Color) + ": " +
		nodes(g.Hosts, o))
	b.WriteString(dim.paint(", level "+visible(string(g.Plan.Policy.Level)), o.Color) + "\n")
	var fine, refused []string
	for _, s := range g.Plan.Steps {
		switch name := visible(s.Container.Name); {
		case s.Refused != "":
			refused = append(refused, name)
		case s.Changes():
			writePlanned(b, s, o)
		default:
			fine = append(fine, name)
		}
	}
	for _, l := range []struct {
		head  string
		names []string
	}{{"refused", refused}, {"nothing to change", fine}} {
		if len(l.names) > 0 {
			writeIndented(b, l.head+": "+strings.Join(l.names, ", "), dim, o.readable())
		}
	}
	for _, s := range g.Plan.Steps {
		// a person does it, whether the container itself is changed or not
		byHand := s.Refused != "" || s.Strategy == dropcap.StrategyRecreate && s.Changes()
		if byHand && s.Commands.Source != "" {
			writeText(b, "the change for the source of "+visible(s.Container.Name),
				s.Commands.Source, o)
		}
	}
}

// writePlanned writes one step that changes something: "web: drop NET_RAW; recreate, confidence
// high".
func writePlanned(b *strings.Builder, s dropcap.Step, o Options) {
	var what []string
	if s.Before.Privileged && !s.After.Privileged {
		what = append(what, "no longer privileged")
	}
	if !s.Drop.Empty() {
		what = append(what, "drop "+list(s.Drop, o.NoTrunc))
	}
	b.WriteString("  " + bold.paint(visible(s.Container.Name), o.Color) + ": " + strings.Join(what,
		", ") + "\n")
	writeIndented(b, visible(string(s.Strategy)+", becomes "+declaration(s.After)+", confidence "+
		orWord(s.Confidence, "none")), dim, o.readable())
}

// plannedCount counts steps by their outcome.
type plannedCount struct{ steps, change, refused, fine int }

func countPlan(steps []dropcap.Step) plannedCount {
	c := plannedCount{steps: len(steps)}
	for _, s := range steps {
		switch {
		case s.Refused != "":
			c.refused++
		case s.Changes():
			c.change++
		default:
			c.fine++
		}
	}
	return c
}

func (c *plannedCount) add(x plannedCount, times int) {
	c.steps += x.steps * times
	c.change += x.change * times
	c.refused += x.refused * times
	c.fine += x.fine * times
}

// String returns "3 containers: 1 to change, 1 refused, 1 with nothing to change".
func (c plannedCount) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{c.change, "to change"}, {c.refused, "refused"}, {c.fine, "with nothing to change"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	head := printable.Count(c.steps, "container")
	if len(parts) == 0 {
		return head
	}
	return head + ": " + strings.Join(parts, ", ")
}

// reasons collects sentences, each with whom it concerns.
type reasons struct {
	list []reason
	at   map[[2]string]int
}

type reason struct {
	text, hint  string
	names, on   []string
	named, seen map[string]bool
}

func newReasons() *reasons { return &reasons{at: map[[2]string]int{}} }

func (r *reasons) add(text, hint, name string, hosts []string) {
	k := [2]string{text, hint}
	i, ok := r.at[k]
	if !ok {
		i = len(r.list)
		r.at[k] = i
		r.list = append(r.list, reason{text: text, hint: hint, named: map[string]bool{},
			seen: map[string]bool{}})
	}
	x := &r.list[i]
	if !x.named[name] {
		x.named[name] = true
		x.names = append(x.names, name)
	}
	for _, h := range hosts {
		if !x.seen[h] {
			x.seen[h] = true
			x.on = append(x.on, h)
		}
	}
}

func (r *reasons) write(b *strings.Builder, head string, look style, o Options) {
	if len(r.list) == 0 {
		return
	}
	b.WriteString("\n" + bold.paint(head, o.Color) + "\n")
	for _, x := range r.list {
		b.WriteString("  " + nodes(x.names, Options{NoTrunc: o.NoTrunc}) + " on " + nodes(x.on, o) +
			"\n")
		writeIndented(b, visible(x.text), look, o.readable())
		writeFix(b, x.hint)
	}
}
