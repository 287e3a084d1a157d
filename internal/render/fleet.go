package render

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// audits are one host's audit, or those of a fleet: one at a time, since all of them at once may
// exceed the memory.
type audits struct {
	each     iter.Seq2[dropcap.HostDocument, dropcap.Audit]
	fleet    *dropcap.Fleet // nil for one host
	failures []dropcap.HostFailure
	hosts    int
	total    dropcap.Summary
}

func one(a dropcap.Audit) audits {
	each := func(yield func(dropcap.HostDocument, dropcap.Audit) bool) {
		yield(dropcap.HostDocument{}, a)
	}
	return audits{each: each, hosts: 1, total: a.Summary}
}

func many(f dropcap.Fleet) audits {
	s := audits{each: foreign.Audits(f), fleet: &f, failures: foreign.Failed(f, foreign.Audit)}
	for _, a := range s.each {
		s.hosts++
		s.total.Containers += a.Summary.Containers
		s.total.Pass += a.Summary.Pass
		s.total.Fail += a.Summary.Fail
		s.total.Mitigated += a.Summary.Mitigated
		s.total.Waived += a.Summary.Waived
		s.total.Unknown += a.Summary.Unknown
	}
	return s
}

// summary returns "3 hosts, 60 containers: 40 pass, 20 fail; 1 host failed".
func (s audits) summary() string {
	if s.fleet == nil {
		return summary(s.total)
	}
	return fleetSummary(s.hosts, summary(s.total), len(s.failures))
}

func fleetSummary(hosts int, rest string, failed int) string {
	text := printable.Count(hosts, "host") + ", " + rest
	if failed > 0 {
		text += fmt.Sprintf("; %s failed", printable.Count(failed, "host"))
	}
	return text
}

// lead puts the node before a row's cells, in a fleet.
func (s audits) lead(d dropcap.HostDocument, o Options, row ...cell) []cell {
	if s.fleet == nil {
		return row
	}
	return append([]cell{nodeCell(d.Host, o)}, row...)
}

func (s audits) columns(list ...column) []column {
	if s.fleet == nil {
		return list
	}
	return append([]column{nodeColumn}, list...)
}

// name returns the host's name for formats that programs read: in a fleet, the name by which it was
// asked, never the one in its document.
func (s audits) name(d dropcap.HostDocument, a dropcap.Audit) string {
	if s.fleet == nil {
		return a.Host.Name
	}
	return d.Host
}

// first returns the audit that represents all for statements about the policy and benchmark.
func (s audits) first() dropcap.Audit {
	for _, a := range s.each {
		return a
	}
	return dropcap.Audit{Control: dropcap.CIS()}
}

// levels returns the policies' levels: hosts may have different ones.
func (s audits) levels() string {
	var seen []string
	for _, a := range s.each {
		if l := string(a.Policy.Level); !slices.Contains(seen, l) && len(seen) < 4 {
			seen = append(seen, l)
		}
	}
	return strings.Join(seen, ", ")
}

// FleetFormats lists the names that --format accepts for a verb on many hosts, besides templates.
func FleetFormats(verb string) []string {
	switch wire.SchemaOf(verb) {
	case dropcap.SchemaAudit:
		return Formats()
	case dropcap.SchemaPlan:
		return []string{"text", "json"}
	}
	return []string{"table", "json"}
}

// CheckFleetFormat reports a bad format before any work is done.
func CheckFleetFormat(verb, format string) error {
	schema := wire.SchemaOf(verb)
	switch {
	case schema == dropcap.SchemaAudit && isTemplate(format):
		return checkTemplate(format)
	case schema == dropcap.SchemaPlan && isTemplate(format):
		return checkRows(format, nil, sampleStep())
	case schema == dropcap.SchemaChange && isTemplate(format):
		return CheckChangeFormat(format)
	case slices.Contains(FleetFormats(verb), format):
		return nil
	}
	return dropcap.Errorf(dropcap.CodeUsage, "use one of "+strings.Join(FleetFormats(verb), ", "),
		"cannot use %q as a format", visible(format))
}

// Fleet writes the hosts' answers to a verb, in one of [FleetFormats] or by the verb's template for
// one host. It does not trust the hosts' documents: an unreadable one is a failure of that host,
// which every format shows, and hosts have the names by which they were asked.
func Fleet(w io.Writer, format string, f dropcap.Fleet, o Options) error {
	if err := CheckFleetFormat(f.Run.Verb, format); err != nil {
		return err
	}
	schema := wire.SchemaOf(f.Run.Verb)
	switch {
	case format == "json":
		return fleetJSON(w, f)
	case schema == dropcap.SchemaAudit && isTemplate(format):
		return auditTemplate(w, format, many(f), o)
	case schema == dropcap.SchemaAudit:
		write, err := find(format)
		if err != nil {
			return err
		}
		return write(w, many(f), o)
	case schema == dropcap.SchemaPlan:
		return fleetPlan(w, format, f, o)
	case schema == dropcap.SchemaChange:
		return fleetChanges(w, format, f, o)
	case schema == dropcap.SchemaEvidence:
		return fleetEvidence(w, f, o)
	}
	return fleetOther(w, f, o)
}

// fleetOther is for verbs whose documents have no table: it lists who answered.
func fleetOther(w io.Writer, f dropcap.Fleet, o Options) error {
	if len(f.Documents)+len(f.Failures) == 0 {
		return nil // such as where hosts were sent something: they have nothing to show for it
	}
	g := grid{columns: []column{nodeColumn, {"ANSWER", 20}}}
	for _, d := range f.Documents {
		g.add(nodeCell(d.Host, o), cell{fmt.Sprintf("%d bytes", len(foreign.Raw(d))), plain})
	}
	return writeFleetGrid(w, g, fleetSummary(len(f.Documents), "each with its answer",
		len(f.Failures)), f.Failures, o)
}
