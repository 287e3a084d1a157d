package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// ChangeFormats lists the names that history's --format accepts besides templates.
func ChangeFormats() []string { return []string{"table", "wide", "timeline", "json"} }

// CheckChangeFormat reports a bad format before any work is done.
func CheckChangeFormat(format string) error {
	return checkRows(format, ChangeFormats(),
		newChange(dropcap.Change{Timeline: []dropcap.Event{{}}}, Options{}))
}

// Changes writes the history of a host in one of [ChangeFormats], or by a Go template as [Change]
// describes, once per change.
func Changes(w io.Writer, format string, c dropcap.Changes, o Options) error {
	switch {
	case isTemplate(format):
		rows := make([]Change, len(c.Changes))
		for i, x := range c.Changes {
			rows[i] = newChange(x, o)
		}
		return writeRows(w, format, rows)
	case format == "json":
		return JSON(w, c.Listed())
	case o.Quiet:
		return changeIDs(w, c)
	case format == "timeline":
		return timelines(w, c, o)
	case format == "table", format == "wide":
		return changeTable(w, c, format == "wide", o)
	}
	return CheckChangeFormat(format)
}

func changeIDs(w io.Writer, c dropcap.Changes) error {
	var b strings.Builder
	for _, x := range c.Changes {
		b.WriteString(visible(x.ID) + "\n")
	}
	for _, x := range c.Holds {
		b.WriteString(visible(x.ID) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// changeColumns are the first columns of a table of changes.
func changeColumns() []column {
	return []column{{"CHANGE", 0}, {"CONTAINER", 12}, {"STATE", 0}, {"DROPPED", 12}, {"STARTED", 0},
		{"DOWNTIME", 0}}
}

func changeCells(x dropcap.Change, o Options) []cell {
	return []cell{{x.ID, plain}, {x.Title(), plain}, {string(x.State), stateStyle(x.State)},
		{list(dropped(x), o.NoTrunc), plain},
		{ago(x.Started, o), plain}, {downtime(x), plain}}
}

// dropped is what the containers of a change lost, all together.
func dropped(c dropcap.Change) (set caps.Set) {
	for _, o := range c.Containers() {
		set |= o.Was.Holds.Minus(o.Is.Holds)
	}
	return set
}

func changeTable(w io.Writer, c dropcap.Changes, wide bool, o Options) error {
	g := grid{columns: changeColumns()}
	if wide {
		for _, head := range []string{"WORKLOAD", "STRATEGY", "PLAN", "BEFORE", "AFTER", "WAS",
			"IS", "ENDED"} {
			g.columns = append(g.columns, column{head: head})
		}
	}
	g.columns = append(g.columns, column{"BECAUSE", 12})
	for _, x := range c.Changes {
		row := changeCells(x, o)
		if wide {
			row = append(row, cell{x.Workload, plain}, cell{string(x.Strategy), plain},
				cell{x.Plan, plain}, cell{shortID(x.Before, o.NoTrunc), plain},
				cell{orDash(shortID(x.After, o.NoTrunc)), plain}, cell{declaration(x.Was), plain},
				cell{declaration(x.Is), plain}, cell{orDash(x.Ended), plain})
		}
		g.add(append(row, cell{x.Because, plain})...)
	}
	var b strings.Builder
	if len(c.Changes) == 0 && len(c.Holds) == 0 {
		b.WriteString("Nothing has been changed yet.\n")
	} else if len(c.Changes) > 0 {
		g.write(&b, g.fit(o).Width, o.Color)
	}
	holdsBelow(&b, c, o)
	_, err := io.WriteString(w, b.String())
	return err
}

// holdsBelow writes the holds of a history below its changes.
func holdsBelow(b *strings.Builder, c dropcap.Changes, o Options) {
	if len(c.Holds) == 0 {
		return
	}
	if len(c.Changes) > 0 {
		b.WriteByte('\n')
	}
	writeHolds(b, c.Holds, o)
}

// timelines writes each change event by event, with the time since its beginning.
func timelines(w io.Writer, c dropcap.Changes, o Options) error {
	var b strings.Builder
	for i, x := range c.Changes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s of %s: %s\n", bold.paint("change "+visible(x.ID), o.Color),
			visible(x.Title()), stateStyle(x.State).paint(visible(string(x.State)), o.Color))
		line := func(head, text string) { writeLine(&b, head, text, plain, o) }
		line("workload", x.Workload)
		line("plan", x.Plan)
		line("strategy", string(x.Strategy))
		line("was", declaration(x.Was))
		line("became", declaration(x.Is))
		line("dropped", x.Was.Holds.Minus(x.Is.Holds).Short())
		line("before", shortID(x.Before, o.NoTrunc))
		line("after", shortID(x.After, o.NoTrunc))
		for _, other := range x.Others {
			line("with", other.Name+", which dropped "+
				orDash(other.Was.Holds.Minus(other.Is.Holds).Short())+", "+
				shortID(other.Before, o.NoTrunc)+" before, "+
				orDash(shortID(other.After, o.NoTrunc))+" after")
		}
		line("started", x.Started)
		line("ended", x.Ended)
		line("downtime", downtime(x))
		line("because", x.Because)
		if x.Pruned && x.State == dropcap.Applied {
			line("pruned", "the retained container is gone; a backout re-creates it")
		}
		if x.Logged {
			line("log", "kept: `dropcap history "+x.ID+
				" --log` shows what the new container printed last; it may hold secrets")
		}
		for _, e := range x.Timeline {
			fmt.Fprintf(&b, "  %9s  %s\n", elapsed(x.Started, e.At), visible(e.Event))
		}
	}
	holdsBelow(&b, c, o)
	_, err := io.WriteString(w, b.String())
	return err
}

// elapsed returns the time from one moment to another; the second as it is if it cannot be
// computed.
func elapsed(start, at string) string {
	a, err1 := time.Parse(time.RFC3339Nano, start)
	b, err2 := time.Parse(time.RFC3339Nano, at)
	if err1 != nil || err2 != nil {
		return visible(at)
	}
	d := max(0, b.Sub(a))
	if d < time.Minute {
		return fmt.Sprintf("+%.3fs", d.Seconds())
	}
	return "+" + d.Round(time.Second).String()
}

// ago returns a moment in the words of docker ps, as far as possible; all of it with --no-trunc.
func ago(at string, o Options) string {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || o.NoTrunc || o.Now.IsZero() || o.Now.Before(t) {
		return at
	}
	switch d := o.Now.Sub(t); {
	case d < time.Minute:
		return printable.Count(int(d.Seconds()), "second") + " ago"
	case d < time.Hour:
		return printable.Count(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return printable.Count(int(d.Hours()), "hour") + " ago"
	}
	return printable.Count(int(o.Now.Sub(t).Hours()/24), "day") + " ago"
}

func downtime(c dropcap.Change) string {
	if c.DowntimeMS <= 0 {
		return "-"
	}
	if c.DowntimeMS < 10_000 {
		return fmt.Sprintf("%d ms", c.DowntimeMS)
	}
	return fmt.Sprintf("%.1f s", float64(c.DowntimeMS)/1000)
}

func stateStyle(s dropcap.ChangeState) style {
	switch s {
	case dropcap.Applied:
		return green
	case dropcap.NeedsPerson:
		return strong
	case dropcap.BackedOut:
		return dim
	}
	return yellow
}
