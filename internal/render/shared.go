package render

import (
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
)

// What `dropcap serve` shows in the same words as the reports.

// Column is a capability's column in a matrix of containers and capabilities.
type Column struct {
	Cap      caps.Cap
	Name     string
	Severity caps.Severity
	About    string // what it lets an attacker do
	Default  bool   // the engine grants it by default
	First    bool   // of its severity
}

// Columns returns all capabilities that the host can grant or anybody holds, the worst first.
func Columns(a dropcap.Audit) []Column {
	var list []Column
	for _, c := range capColumns(one(a)) {
		list = append(list, Column(c))
	}
	return list
}

// Mark is a cell of the matrix: a class that has a colour and a meaning, and a sign.
type Mark struct{ Class, Sign string }

// MarkOf returns the cell of a container and a capability. Class is one of d (held by default), a
// (added, within the defaults), b (held beyond the defaults), x (a default, dropped), r (given up,
// granted again), n (not held) and u (unknown).
func MarkOf(c dropcap.Container, h dropcap.Host, of caps.Cap) Mark {
	held := c.Holds()
	switch {
	case c.GaveUp().Has(of):
		return exported(markGivenUp)
	case held == nil:
		return exported(markUnknown)
	}
	return exported(markOfCap(h.Defaults != nil && h.Defaults.Has(of), held.Has(of),
		named(c.Declared.Add).Has(of)))
}

func exported(m mark) Mark { return Mark{m.class, m.sign} }

// Found splits the capabilities in findings into those that count and those that are accepted.
func Found(list []dropcap.Finding) (wrong, accept caps.Set) { return found(list) }

// Visible returns text that others control without control characters, on one line.
func Visible(s string) string { return visible(s) }

// VisibleLines is the same for text of several lines.
func VisibleLines(s string) string { return strings.Join(visibleLines(s), "\n") }

// Holds sums up what a container may do: "13 default -NET_RAW".
func Holds(c dropcap.Container, h dropcap.Host) string { return holds(c, h, false) }

// Rules returns the slugs of a container's findings, each once.
func Rules(c dropcap.Judged) []string { return rules(c) }

// Accepted says why a finding does not count; empty if it does.
func Accepted(f dropcap.Finding) string { return accepted(f) }

// ShortImage drops the end of the digest if an image has no better name.
func ShortImage(image string) string { return shortImage(image, false) }

// Benchmark names the control.
func Benchmark(c dropcap.Control) string { return benchmark(c) }

// Declaration says a grant in the words of docker run.
func Declaration(g dropcap.Grant) string { return declaration(g) }

// Declared says what a container's configuration has, in the words of docker run.
func Declared(d dropcap.Declared) string { return declared(d) }

// HeldMask returns the union of a process's sets as the kernel writes it; "-" if unreadable.
func HeldMask(p dropcap.Process) string { return heldMask(p) }

// PIDs joins process numbers; of many it shows the first few.
func PIDs(list []int) string { return pidList(list) }

// Carried says what of a container's own layer is carried along; empty if nothing is.
func Carried(l *dropcap.CarriedLayer) string { return carried(l) }

// Folded breaks a long command for people; a shell reads it as one.
func Folded(command string) string { return folded(command) }

// Downtime is how long a change had its container stopped: "849 ms".
func Downtime(c dropcap.Change) string { return downtime(c) }

// Dropped is what the containers of a change lost, all together.
func Dropped(c dropcap.Change) caps.Set { return dropped(c) }

// Elapsed is the time from one moment to another, "+1.250s".
func Elapsed(start, at string) string { return elapsed(start, at) }

// Ago is a moment in the words of docker ps: "4 seconds ago".
func Ago(at string, now time.Time) string { return ago(at, Options{Now: now}) }

// Kept is what a step keeps for one reason: "CHOWN, SETUID (evidence …)".
func Kept(s dropcap.Step) (list []string) {
	for _, k := range keeps(s) {
		list = append(list, k.String())
	}
	return list
}

// Doers names the program that caused the most checks of a need, and counts the others.
func Doers(n dropcap.Need) string { return doers(n) }

// OwnerTitle names an owner for people.
func OwnerTitle(o dropcap.Owner) string { return owner.Title(o) }

// StyleSheet is the style of the audit's page.
func StyleSheet() ([]byte, error) { return pageFiles.ReadFile("page/page.css") }

// Summary counts containers by verdict: "9 containers: 3 pass, 5 fail, 1 unknown".
func Summary(s dropcap.Summary) string { return summary(s) }

// HostProgress is how far a host of a run is: waiting, going, done or failed.
func HostProgress(h dropcap.FleetHost) string { return string(progressOf(h)) }

// Cause is one cause of failures in a fleet, and whom it hit.
type Cause struct {
	Slug, Message, Hint string
	Hosts               []string
}

// Causes groups the failures of a run's hosts.
func Causes(hosts []dropcap.FleetHost) (list []Cause) {
	for _, c := range causes(hostFailures(hosts)) {
		list = append(list, Cause{visible(c.slug), visible(c.message), visible(c.hint), c.hosts})
	}
	return list
}
