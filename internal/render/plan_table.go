package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
)

// planTable writes a row for each step.
func planTable(w io.Writer, p dropcap.Plan, o Options) error {
	g := grid{columns: []column{{"NAME", 12}, {"STRATEGY", 0}, {"DROPS", 12}, {"CONFIDENCE", 0},
		{"OUTCOME", 16}}}
	for _, s := range p.Steps {
		g.add(cell{s.Container.Name, plain}, cell{string(s.Strategy), plain},
			cell{list(s.Drop, o.NoTrunc), plain},
			cell{orDash(s.Confidence), plain}, outcome(s))
	}
	return writePlanGrid(w, g, p, o)
}

// planWide writes the table with everything that decides.
func planWide(w io.Writer, p dropcap.Plan, o Options) error {
	var g grid
	for _, head := range []string{"ID", "NAME", "OWNER", "WORKLOAD", "STRATEGY", "WAS", "BECOMES",
		"HELD", "HOLDS", "DROPS", "CONFIDENCE", "WARNINGS", "OUTCOME"} {
		g.columns = append(g.columns, column{head: head})
	}
	g.columns[len(g.columns)-1].min = 14
	for _, s := range p.Steps {
		g.add(cell{shortID(s.Container.ID, o.NoTrunc), plain}, cell{s.Container.Name, plain},
			cell{owner.Title(s.Owner), plain}, cell{s.Workload, plain},
			cell{string(s.Strategy), plain}, cell{declaration(s.Before), plain},
			cell{declaration(s.After), plain},
			cell{s.Before.Holds.Mask(), plain}, cell{s.After.Holds.Mask(), plain},
			cell{list(s.Drop, o.NoTrunc), plain},
			cell{orDash(s.Confidence), plain}, cell{fmt.Sprint(len(s.Warnings)), plain}, outcome(s))
	}
	return writePlanGrid(w, g, p, o)
}

func writePlanGrid(w io.Writer, g grid, p dropcap.Plan, o Options) error {
	var b strings.Builder
	g.write(&b, g.fit(o).Width, o.Color)
	b.WriteString("\n" + bold.paint(planned(p.Steps), o.Color) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func outcome(s dropcap.Step) cell {
	switch {
	case s.Refused != "":
		return cell{"refused: " + s.Refused, strong}
	case s.With != "":
		return cell{"change, with " + s.With, yellow}
	case s.Changes():
		return cell{"change", yellow}
	}
	return cell{"nothing to change", green}
}

// Step is what a template sees, once per step of a plan. `{{json .}}` is the step as in the json
// format, on one line.
//
//	.Host        its name; of a fleet's, the node's id
//	.ID          12 digits, all 64 with --no-trunc
//	.Name .Workload .Owner .Fingerprint
//	.Strategy    recreate, in-place, source or manual
//	.Changes     whether it changes anything
//	.Drop        names of capabilities
//	.Retained    each with .Cap and .Because
//	.Was .Becomes    the declarations, as docker run has them
//	.CapAdd .CapDrop .Privileged   as they will be declared
//	.Confidence .Refused .Hint .Warnings .Promise .Downtime
//	.DependsOn   ids
//	.Command .Backout .Source      what a person would type
type Step struct {
	Host, ID, Name, Workload, Owner, Fingerprint, Strategy Text

	Changes         bool
	Drop            []Text
	Retained        []Retain
	Was, Becomes    Text
	CapAdd, CapDrop []Text
	Privileged      bool

	Confidence, Refused, Hint, Promise, Downtime Text

	Warnings, DependsOn      []Text
	Command, Backout, Source Text

	document func() dropcap.Step
}

// Retain is a capability that is kept, for a template.
type Retain struct{ Cap, Because Text }

// MarshalJSON returns the document's own form.
func (s Step) MarshalJSON() ([]byte, error) {
	text, err := encode(s.document().Listed(), "")
	return []byte(text), err
}

func planRows(p dropcap.Plan, full bool) []Step {
	rows := make([]Step, len(p.Steps))
	for i, s := range p.Steps {
		rows[i] = newStep(s, full)
		rows[i].Host = Text(p.Host.Name)
	}
	return rows
}

func newStep(s dropcap.Step, full bool) Step {
	out := Step{
		ID: Text(shortID(s.Container.ID, full)), Name: Text(s.Container.Name),
		Workload: Text(s.Workload), Owner: Text(owner.Title(s.Owner)),
		Fingerprint: Text(s.Container.Fingerprint), Strategy: Text(s.Strategy),
		Changes: s.Changes(), Drop: texts(names(&s.Drop)),
		Was: Text(declaration(s.Before)), Becomes: Text(declaration(s.After)),
		CapAdd: texts(s.After.CapAdd), CapDrop: texts(s.After.CapDrop),
		Privileged: s.After.Privileged, Confidence: Text(s.Confidence), Refused: Text(s.Refused),
		Hint: Text(s.Hint), Promise: Text(s.Promise),
		Downtime: Text(s.Downtime), Warnings: texts(s.Warnings),
		DependsOn: texts(shortIDs(s.DependsOn, full)),
		Command:   Text(s.Commands.Apply), Backout: Text(s.Commands.Backout),
		Source:   Text(s.Commands.Source),
		document: func() dropcap.Step { return s },
	}
	for _, r := range s.Retained {
		out.Retained = append(out.Retained, Retain{Text(r.Cap.Short()), Text(r.Because)})
	}
	return out
}

func sampleStep() Step {
	return newStep(dropcap.Step{Retained: []dropcap.Retain{{Because: "sample"}},
		Warnings: []string{"sample"}, DependsOn: []string{"0"}}, true)
}
