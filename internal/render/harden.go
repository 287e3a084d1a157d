package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
)

// HardeningFormats lists the names that harden's --format accepts besides templates.
func HardeningFormats() []string { return []string{"table", "timeline", "json"} }

// CheckHardeningFormat reports a bad format before any work is done.
func CheckHardeningFormat(format string) error {
	return checkRows(format, HardeningFormats(),
		newHardening(dropcap.Hardening{Timeline: []dropcap.Event{{}}}))
}

// Hardening is what a template sees, once per workload. `{{json .}}` is the hardening as in the
// json format, on one line.
//
//	.Workload .State .Because .Remedy .Waiting .Next
//	.Since .Begun .NextAt   RFC 3339
//	.Drop                   names of capabilities that were dropped, or would be by now
type Hardening struct {
	Workload, State, Because, Remedy, Waiting, Next, Since, Begun, NextAt Text

	Drop     []Text
	Timeline []Event

	document dropcap.Hardening
}

// MarshalJSON returns the document's own form.
func (h Hardening) MarshalJSON() ([]byte, error) {
	text, err := encode(h.document.Listed(), "")
	return []byte(text), err
}

func newHardening(h dropcap.Hardening) Hardening {
	drop := h.Drops()
	out := Hardening{Workload: Text(h.Workload), State: Text(h.State), Because: Text(h.Because),
		Remedy: Text(h.Remedy), Waiting: Text(h.Waiting), Next: Text(h.Next),
		Since: Text(h.Since), Begun: Text(h.Begun), NextAt: Text(h.NextAt),
		Drop: texts(names(&drop)), document: h}
	for _, e := range h.Timeline {
		out.Timeline = append(out.Timeline, Event{Text(e.At), Text(e.Event)})
	}
	return out
}

// Hardenings writes the hardenings of a host in one of [HardeningFormats], or by a Go template as
// [Hardening] describes.
func Hardenings(w io.Writer, format string, doc dropcap.Hardenings, o Options) error {
	switch {
	case isTemplate(format):
		var rows []Hardening
		for _, h := range doc.Hardenings {
			rows = append(rows, newHardening(h))
		}
		return writeRows(w, format, rows)
	case format == "json":
		return JSON(w, doc.Listed())
	}
	var b strings.Builder
	switch {
	case o.Quiet:
		for _, h := range doc.Hardenings {
			b.WriteString(visible(h.Workload) + "\n")
		}
	case len(doc.Hardenings) == 0:
		b.WriteString("Nothing is being hardened. `dropcap harden CONTAINER` begins.\n")
	case format == "timeline":
		for i, h := range doc.Hardenings {
			if i > 0 {
				b.WriteByte('\n')
			}
			hardeningTimeline(&b, h, o)
		}
	case format == "table":
		hardeningTable(&b, doc, o)
	default:
		return CheckHardeningFormat(format)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func hardeningTable(b *strings.Builder, doc dropcap.Hardenings, o Options) {
	g := grid{columns: []column{{"WORKLOAD", 12}, {"STATE", 0}, {"SINCE", 0}, {"DROPS", 12},
		{"WAITS FOR", 20}, {"THEN", 0}, {"AT", 0}}}
	for _, h := range doc.Hardenings {
		waits, drops := h.Waiting, "-"
		if !h.Drops().Empty() {
			drops = list(h.Drops(), o.NoTrunc)
		}
		if h.State == dropcap.HardenHeldUp {
			waits = h.Because
		}
		g.add(cell{h.Workload, plain}, cell{string(h.State), hardeningStyle(h.State)},
			cell{ago(h.Since, o), plain}, cell{drops, plain},
			cell{orDash(waits), plain}, cell{orDash(string(h.Next)), plain},
			cell{orDash(until(h.NextAt, o)), plain})
	}
	g.write(b, g.fit(o).Width, o.Color)
}

// until returns a moment to come as people say it: "in 3 hours"; all of it with --no-trunc.
func until(at string, o Options) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil || o.NoTrunc || o.Now.IsZero() {
		return at
	}
	switch d := t.Sub(o.Now); {
	case d <= 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("in %ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("in %dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("in %dh", int(d.Hours()))
	default:
		return fmt.Sprintf("in %dd", int(d.Hours()/24))
	}
}

func hardeningStyle(s dropcap.HardenState) style {
	switch s {
	case dropcap.HardenDone, dropcap.HardenWatching:
		return green
	case dropcap.HardenHeldUp:
		return strong
	case dropcap.HardenStopped, dropcap.HardenGone, dropcap.HardenPaused:
		return dim
	}
	return yellow
}

// hardeningTimeline writes all of one hardening, event by event.
func hardeningTimeline(b *strings.Builder, h dropcap.Hardening, o Options) {
	fmt.Fprintf(b, "%s: %s\n", bold.paint(visible(h.Workload), o.Color),
		hardeningStyle(h.State).paint(visible(string(h.State)), o.Color))
	line := func(head, text string) { writeLine(b, head, text, plain, o) }
	line("containers", strings.Join(h.Containers, ", "))
	line("since", h.Since)
	line("because", h.Because)
	line("remedy", h.Remedy)
	line("waits for", h.Waiting)
	next := string(h.Next)
	if next != "" && h.NextAt != "" {
		next += " at " + h.NextAt
	}
	line("then", next)
	line("settings", hardenSettings(h.Settings))
	for _, set := range []struct {
		head string
		caps caps.Set
	}{{"holds", h.Holds}, {"needs", h.Required}, {"would drop", h.Proposed.Minus(h.Dropped)},
		{"dropped", h.Dropped}, {"missed", h.Missed}} {
		if !set.caps.Empty() {
			line(set.head, strings.ReplaceAll(set.caps.Short(), ",", ", "))
		}
	}
	line("trial", h.Trial)
	line("change", h.Change)
	for _, e := range h.Timeline {
		fmt.Fprintf(b, "  %s  %s\n", visible(e.At), visible(e.Event))
	}
}

func hardenSettings(s dropcap.HardenSettings) string {
	span := func(seconds int64) string {
		if seconds >= 2*86400 && seconds%86400 == 0 {
			return fmt.Sprintf("%dd", seconds/86400)
		}
		return (time.Duration(seconds) * time.Second).String()
	}
	text := fmt.Sprintf("level %s, learn %s, trial %s, watch %s", s.Level, span(s.Learn),
		span(s.Trial), span(s.Watch))
	if s.Window != "" {
		text += ", window " + s.Window
	}
	if s.Approve {
		text += ", approve"
	}
	if s.AddBack {
		text += ", add-back"
	}
	if s.AcceptLow {
		text += ", accept low"
	}
	return text
}
