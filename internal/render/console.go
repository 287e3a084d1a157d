package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// ConsolePage is what a person reads in AWS's console of one host. At most one document stands in
// it.
type ConsolePage struct {
	Verdict string   // the first line
	Facts   []string // lines below it
	Next    []string // lines: why, and what to do next
	Notes   []string // lines below those: warnings
	Audit   *dropcap.Audit
	Plan    *dropcap.Plan
	Changes *dropcap.Changes
	Status  int // exit status
}

// What Run Command keeps, in bytes: GetCommandInvocation, which the console shows, has 24,000, and
// the list of a command's nodes 2,500 of both outputs together, of which an error may take half.
const (
	consoleBytes = 23_500
	consoleHead  = 1_150
	consoleLine  = 500
	consoleWidth = 140 // columns of the console's box, where lines are broken
)

// Console writes a page for AWS's console: the verdict and what to do next within the first 1,250
// bytes, then the document as its table, what fails before what passes, and all within 23,500. It
// has no colours.
func Console(w io.Writer, p ConsolePage, o Options) error {
	o.Width, o.Color, o.NoTrunc, o.Applying = consoleWidth, false, false, true
	var b strings.Builder
	b.WriteString(printable.Cut(visible(p.Verdict), consoleLine) + "\n")
	for _, line := range slices.Concat(p.Facts, p.Next) {
		line = printable.Cut(visible(line), consoleLine)
		if b.Len()+len(line) > consoleHead {
			line = printable.Cut(line, max(consoleHead-b.Len(), 60))
		}
		b.WriteString(line + "\n")
		if b.Len() >= consoleHead {
			break
		}
	}
	for _, line := range p.Notes {
		b.WriteString(printable.Cut(visible(line), consoleLine) + "\n")
	}
	var details strings.Builder
	if err := consoleDetails(&details, p, o); err != nil {
		return err
	}
	if details.Len() > 0 {
		b.WriteString("\n" + wholeLines(details.String(), consoleBytes-b.Len()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func consoleDetails(b *strings.Builder, p ConsolePage, o Options) error {
	switch {
	case p.Audit != nil && len(p.Audit.Containers)+len(p.Audit.Findings) > 0:
		a := *p.Audit
		a.Containers = slices.Clone(a.Containers)
		slices.SortStableFunc(a.Containers, func(x, y dropcap.Judged) int {
			return urgency(x.Verdict) - urgency(y.Verdict)
		})
		return Audit(b, "table", a, o)
	case p.Plan != nil && len(p.Plan.Steps) > 0:
		return Plan(b, "text", consolePlan(*p.Plan), o)
	case p.Changes != nil && len(p.Changes.Changes) > 0:
		return Changes(b, "table", *p.Changes, o)
	}
	return nil
}

// urgency orders verdicts: what fails is read first.
func urgency(v dropcap.Verdict) int {
	return slices.Index([]dropcap.Verdict{dropcap.Fail, dropcap.Unknown, dropcap.Waived,
		dropcap.Pass}, v)
}

// consolePlan shows what is refused and what would be changed before the rest.
func consolePlan(p dropcap.Plan) dropcap.Plan {
	rank := func(s dropcap.Step) int {
		switch {
		case s.Refused != "":
			return 0
		case s.Changes():
			return 1
		}
		return 2
	}
	p.Steps = slices.Clone(p.Steps)
	slices.SortStableFunc(p.Steps, func(x, y dropcap.Step) int { return rank(x) - rank(y) })
	return p
}

// wholeLines cuts a text after a line, and says how many lines are missing.
func wholeLines(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const note = 120 // bytes for what is said of the rest
	end := strings.LastIndexByte(text[:most-note], '\n') + 1
	return text[:end] + fmt.Sprintf("(%s more: AWS's console has no room for them; the same "+
		"command on the host shows all)\n",
		printable.Count(strings.Count(text[end:], "\n"), "line"))
}
