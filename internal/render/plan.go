package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// PlanFormats lists the names that plan's --format takes besides templates.
func PlanFormats() []string { return []string{"text", "table", "wide", "json"} }

// Plan writes p in one of [PlanFormats], or by a Go template as [Step] describes, once per step.
// The error is a *dropcap.Error of kind usage for a bad format, and otherwise the writer's.
func Plan(w io.Writer, format string, p dropcap.Plan, o Options) error {
	switch {
	case isTemplate(format):
		return writeRows(w, format, planRows(p, o.NoTrunc))
	case format == "json":
		return JSON(w, p.Listed())
	case o.Quiet:
		return planIDs(w, p, o)
	case format == "text":
		return planText(w, p, o)
	case format == "table":
		return planTable(w, p, o)
	case format == "wide":
		return planWide(w, p, o)
	}
	return CheckPlanFormat(format)
}

// CheckPlanFormat finds a bad format before any work is done.
func CheckPlanFormat(format string) error { return checkRows(format, PlanFormats(), sampleStep()) }

// planIDs prints the ids of the containers that would be changed, for xargs.
func planIDs(w io.Writer, p dropcap.Plan, o Options) error {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Changes() && s.Refused == "" {
			b.WriteString(visible(shortID(s.Container.ID, o.NoTrunc)) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// planText begins with a row for each container, if they are several, and with details tells
// everything about each step that changes something or is refused.
func planText(w io.Writer, p dropcap.Plan, o Options) error {
	var b strings.Builder
	b.WriteString(bold.paint(fmt.Sprintf("plan %s, level %s: %s", visible(p.ID),
		visible(string(p.Policy.Level)), planned(p.Steps)), o.Color) + "\n")
	if len(p.Steps) > 1 {
		writeOverview(&b, p.Steps, o)
	}
	if len(p.Steps) == 1 || o.Details {
		writeSteps(&b, p.Steps, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeSteps tells everything about each step, and names those of which there is nothing to tell.
func writeSteps(b *strings.Builder, steps []dropcap.Step, o Options) {
	var fine []string
	called := map[string]string{}
	for _, s := range steps {
		called[s.Container.ID] = s.Container.Name
	}
	for _, s := range steps {
		if !s.Changes() && s.Refused == "" && len(s.Warnings) == 0 {
			fine = append(fine, visible(s.Container.Name))
			continue
		}
		writeStep(b, s, called, o)
	}
	if len(fine) > 0 {
		b.WriteString("\nnothing to change:\n")
		writeIndented(b, strings.Join(fine, ", "), plain, o.readable())
	}
}

// planned counts: "3 containers: 1 to change, 1 refused, 1 with nothing to change".
func planned(steps []dropcap.Step) string { return countPlan(steps).String() }

func writeStep(b *strings.Builder, s dropcap.Step, called map[string]string, o Options) {
	b.WriteString("\n" + bold.paint(visible(s.Container.Name), o.Color) + dim.paint(" "+
		visible(shortID(s.Container.ID, o.NoTrunc)), o.Color))
	b.WriteString(", " + visible(owner.Title(s.Owner)) + "\n")
	line := func(head, text string, look style) { writeLine(b, head, text, look, o) }
	if s.Refused != "" {
		line("refused", s.Refused, strong)
		line("hint", s.Hint, plain)
	}
	if !s.Drop.Empty() || s.Changes() {
		line("drops", spaced(s.Drop), plain)
	}
	for _, k := range keeps(s) {
		line("keeps", k.String(), plain)
	}
	if s.Changes() {
		line("was", declaration(s.Before), dim)
		line("becomes", declaration(s.After), plain)
		line("strategy", string(s.Strategy)+": "+s.Promise, plain)
		if s.Refused == "" {
			line("downtime", s.Downtime, plain)
			line("layer", carried(s.Layer), plain)
		}
		line("confidence", orWord(s.Confidence, "none: there is no evidence"), plain)
	}
	for _, w := range s.Warnings {
		line("warning", w, yellow)
	}
	var first []string
	for _, id := range s.DependsOn {
		first = append(first, called[id])
	}
	line("after", strings.Join(first, ", "), plain)
	line("with", withWhom(s), plain)
	writeCommands(b, s, o)
}

// withWhom says that a step is done together with that of another container.
func withWhom(s dropcap.Step) string {
	if s.With == "" {
		return ""
	}
	return s.With + ": both are changed, and taken back, in one step"
}

// carried says what of a container's own layer is carried along.
func carried(l *dropcap.CarriedLayer) string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf("%s in %d entries, carried along while it runs; while it is stopped, about "+
		"%.2f s, and each file that changed meanwhile is read once more", printable.Bytes(l.Bytes),
		l.Entries, float64(l.DowntimeMS)/1000)
}

// writeCommands prints what a person would type, without wrapping, so that it can be copied.
func writeCommands(b *strings.Builder, s dropcap.Step, o Options) {
	for _, c := range []struct{ head, text string }{
		{"the change for its source", s.Commands.Source}, {"the same by hand", s.Commands.Apply},
		{"and back by hand", s.Commands.Backout},
	} {
		if c.text == "" {
			continue
		}
		writeText(b, c.head, folded(c.text), o)
	}
	if reveal := s.Commands.Reveal; reveal != "" {
		writeLine(b, "values",
			"`"+reveal+"` writes the file that the command by hand takes hidden values from", plain,
			o)
	}
	if s.Changes() && s.Refused == "" {
		writeLine(b, "backout", "dropcap backout "+visible(s.Container.Name), plain, o)
	}
}

func writeText(b *strings.Builder, head, text string, o Options) {
	b.WriteString("  " + dim.paint(head, o.Color) + "\n")
	for _, l := range visibleLines(text) {
		b.WriteString("    " + l + "\n")
	}
}

// folded begins a new line where, after the old container was put aside, the long command begins; a
// shell reads it as one.
func folded(command string) string {
	for _, long := range []string{"docker run ", "docker create "} {
		command = strings.Replace(command, " && "+long, " && \\\n"+long, 1)
	}
	return command
}

// writeLine prints a word and a sentence beside it, wrapped.
func writeLine(b *strings.Builder, head, text string, look style, o Options) {
	if text == "" {
		return
	}
	const indent = 13
	for i, l := range wrap(visible(text), o.readable().Width-indent) {
		if i > 0 {
			head = ""
		}
		b.WriteString("  " + dim.paint(head, o.Color) + strings.Repeat(" ",
			indent-2-len(head)) + look.paint(l, o.Color) + "\n")
	}
}

type kept struct {
	set     caps.Set
	because string
}

// String names what is kept and why. Defaults that a level leaves as they are are only counted:
// they say nothing about this container.
func (k kept) String() string {
	if why, ok := strings.CutPrefix(k.because, "default: "); ok {
		return printable.Count(k.set.Len(), "default") + ", which " + strings.TrimSuffix(why, " it")
	}
	return spaced(k.set) + " (" + k.because + ")"
}

// keeps puts together what is kept for the same reason, in the order of the first of each.
func keeps(s dropcap.Step) []kept {
	var list []kept
	at := map[string]int{}
	for _, r := range s.Retained {
		i, ok := at[r.Because]
		if !ok {
			i = len(list)
			at[r.Because] = i
			list = append(list, kept{because: r.Because})
		}
		list[i].set |= caps.Of(r.Cap)
	}
	return list
}

// declaration says a grant in the words of docker run.
func declaration(g dropcap.Grant) string {
	if g.Privileged {
		return "--privileged"
	}
	var parts []string
	for _, n := range g.CapDrop {
		parts = append(parts, "--cap-drop="+shortName(n))
	}
	for _, n := range g.CapAdd {
		parts = append(parts, "--cap-add="+shortName(n))
	}
	if len(parts) == 0 {
		return "the defaults"
	}
	return strings.Join(parts, " ")
}

func spaced(s caps.Set) string { return strings.ReplaceAll(s.Short(), ",", ", ") }

func shortName(n string) string {
	if c, err := caps.Parse(n); err == nil {
		return c.Short()
	}
	return n
}

func shortIDs(ids []string, full bool) []string {
	var out []string
	for _, id := range ids {
		out = append(out, shortID(id, full))
	}
	return out
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
