package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Capability writes, for a person, what is known of one capability.
func Capability(w io.Writer, k caps.Knowledge, o Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s%s\n", bold.paint(k.Cap.String(), o.Color),
		severityStyle(k.Severity).paint(string(k.Severity), o.Color), standing(k.Cap))
	for _, part := range []struct{ head, text string }{
		{"permits", k.Permits},
		{"attack", k.Attack},
		{"limits", k.Limits},
		{"needed by", k.NeededBy},
		{"without it", k.Without},
		{"sources", strings.Join(k.Sources, ", ")},
	} {
		if part.text != "" {
			b.WriteString("\n" + bold.paint(part.head, o.Color) + "\n")
			writeIndented(&b, part.text, plain, o.readable())
		}
	}
	b.WriteString("\n" + bold.paint("drop it with", o.Color) + "\n    docker run --cap-drop=" +
		k.Cap.Short() + " …\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// standing says whether Docker grants it by default.
func standing(c caps.Cap) string {
	if caps.DockerDefaults.Has(c) {
		return ", one of Docker's 14 defaults"
	}
	return ", not among Docker's defaults"
}

// readable limits lines to a readable length if no terminal limits them.
func (o Options) readable() Options {
	const most = 100
	if o.Width == 0 || o.Width > most {
		o.Width = most
	}
	return o
}

// Capabilities writes a line for each capability, the worst first.
func Capabilities(w io.Writer, all []caps.Knowledge, o Options) error {
	g := grid{columns: []column{{"CAPABILITY", 0}, {"SEVERITY", 0}, {"DEFAULT", 0},
		{"PERMITS", 20}}}
	for _, s := range []caps.Severity{caps.Critical, caps.High, caps.Medium, caps.Low} {
		for _, k := range all {
			if k.Severity != s {
				continue
			}
			def := ""
			if caps.DockerDefaults.Has(k.Cap) {
				def = "default"
			}
			g.add(cell{k.Cap.Short(), plain}, cell{string(s), severityStyle(s)}, cell{def, plain},
				cell{k.Permits, plain})
		}
	}
	var b strings.Builder
	g.write(&b, o.Width, o.Color)
	_, err := io.WriteString(w, b.String())
	return err
}

// Explanation writes, for a person, why a container holds what it holds.
func Explanation(w io.Writer, e dropcap.Explanation, o Options) error {
	var b strings.Builder
	c := e.Container
	fmt.Fprintf(&b, "%s (%s, %s): %s\n\n", bold.paint(visible(c.Name), o.Color), visible(c.Image),
		visible(c.State),
		verdictStyle(c.Verdict).paint(visible(string(c.Verdict)), o.Color))
	for _, part := range facts(e) {
		fmt.Fprintf(&b, "  %-11s %s\n", part[0], visible(part[1]))
	}
	b.WriteByte('\n')
	writeHeld(&b, e, o)
	for _, f := range c.Findings {
		b.WriteByte('\n')
		writeFinding(&b, f, o.readable())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// facts returns what is shown of the container before its capabilities.
func facts(e dropcap.Explanation) [][2]string {
	c := e.Container
	f := [][2]string{
		{"id", c.ID},
		{"workload", c.Workload + owned(c.Owner)},
		{"declared", declared(c.Declared)},
		{"predicted", setOr(c.Predicted, e.Host, "unknown: "+c.WhyNot)},
	}
	k := c.Kernel
	if !k.Visible {
		return append(f, [2]string{"kernel", "not seen: " + k.WhyNot})
	}
	f = append(f, [2]string{"held", setOr(k.Holds(), e.Host, "not seen")},
		[2]string{"bounding", setOr(k.Bounding, e.Host, "not seen")},
		[2]string{"effective", setOr(k.Effective, e.Host, "not seen")})
	if k.Nested != nil {
		f = append(f, [2]string{"nested", setOr(k.Nested, e.Host, "") +
			", in user namespaces within its own: of no power outside them, and not held"})
	}
	for _, p := range k.Processes {
		f = append(f, [2]string{"process", process(p)})
	}
	return f
}

// process describes what decides in one entry: of the other sets only that they hold more, of the
// user namespace only that it is not the container's.
func process(p dropcap.Process) string {
	s := fmt.Sprintf("%s %s, %s: bounding %s, effective %s", pids(p.PIDs), p.Comm, p.Origin,
		p.Bounding, p.Effective)
	if all := heldMask(p); all != p.Bounding {
		s += ", held " + all
	}
	switch p.UserNS {
	case dropcap.UserNSNested:
		s += ", in a user namespace within the container's"
	case dropcap.UserNSOther:
		s += ", in another user namespace than the container's first process"
	}
	return s
}

// heldMask returns the union of a process's sets; "-" if they are unreadable.
func heldMask(p dropcap.Process) string {
	all, err := p.Holds()
	if err != nil {
		return "-"
	}
	return mask(&all)
}

func owned(o dropcap.Owner) string {
	if o.Claimed != "" {
		return " (its labels claim " + o.Claimed +
			", which is not believed: the image carries them too)"
	}
	return ""
}

func declared(d dropcap.Declared) string {
	var parts []string
	if d.Privileged {
		parts = append(parts, "--privileged")
	}
	for _, n := range d.Add {
		parts = append(parts, "--cap-add="+n)
	}
	for _, n := range d.Drop {
		parts = append(parts, "--cap-drop="+n)
	}
	if len(parts) == 0 {
		return "nothing, so the engine's defaults"
	}
	return strings.Join(parts, " ")
}

func setOr(s *caps.Set, h dropcap.Host, none string) string {
	if s == nil {
		return none
	}
	d := dropcap.Container{Predicted: s}
	return holds(d, h, true)
}

func pids(l []int) string {
	if len(l) == 1 {
		return fmt.Sprint(l[0])
	}
	if len(l) == 0 {
		return "?"
	}
	return fmt.Sprintf("%d and %d more", l[0], len(l)-1)
}

func writeHeld(b *strings.Builder, e dropcap.Explanation, o Options) {
	if len(e.Holds) == 0 {
		b.WriteString("  It holds no capability.\n")
	}
	if len(e.Holds)+len(e.GaveUp) == 0 {
		return
	}
	g := grid{columns: []column{{"CAPABILITY", 0}, {"SEVERITY", 0}, {"NOW", 0}, {"BECAUSE", 20}}}
	for _, h := range e.Holds {
		now := "regainable"
		if h.Effective {
			now = "effective"
		}
		if !e.Container.Kernel.Visible {
			now = "predicted"
		}
		addHeld(&g, h, now)
	}
	for _, h := range e.GaveUp {
		addHeld(&g, h, "given up")
	}
	g.write(b, o.Width, o.Color)
}

func addHeld(g *grid, h dropcap.Held, now string) {
	because := h.Because
	if h.Kept != "" {
		because += "; kept by policy: " + h.Kept
	}
	if h.Evidence != "" {
		because += "; " + h.Evidence
	}
	g.add(cell{h.Cap.Short(), plain}, cell{string(h.Severity), severityStyle(h.Severity)},
		cell{now, plain}, cell{because, plain})
}
