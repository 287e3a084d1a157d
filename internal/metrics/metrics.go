// Package metrics writes what is known of a host as Prometheus's text format. It is pure, and the
// number of its series is bounded whatever containers there are. docs/metrics.md lists the metrics.
package metrics

import (
	"io"
	"runtime"
	"time"

	"dropcap"
)

// ContentType is the media type of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// State is what is known of a host. What is nil is not known, and its metrics are left out.
type State struct {
	Version string // of dropcap
	Now     time.Time

	// EngineUp says whether the engine answers.
	EngineUp *bool
	// Audit is the latest one of all containers, and Took how long it took to look at them.
	Audit  *dropcap.Audit
	Took   time.Duration
	Policy *dropcap.Policy // that of Audit

	Evidence   *[]dropcap.WorkloadEvidence
	Changes    *[]dropcap.Change
	Trials     *[]dropcap.Trial
	Hardenings *[]dropcap.Hardening
	Tracer     *Tracer
	Learning   *Learning
	Watch      *Watch

	// MostWorkloads is how many workloads have series of their own; the others are summed. Zero
	// means DefaultWorkloads.
	MostWorkloads int
}

// DefaultWorkloads is how many workloads have series of their own.
const DefaultWorkloads = 200

// Other is the label of all workloads that have no series of their own. No workload is called so:
// their names begin with a kind and a colon.
const Other = "(other)"

// Tracer is the state of the kernel's counters.
type Tracer struct {
	Hook        string
	Lost        uint64 // checks that were made and not recorded, since the process began
	LossUnknown bool   // the hook cannot count all that it misses
}

// Learning is the state of a recording.
type Learning struct {
	Began        time.Time
	Running      int // containers that are being recorded
	Recorded     int // containers so far
	Capabilities int // different ones that some container was granted
}

// Watch is what has been told of a host since the process began.
type Watch struct {
	Told    map[dropcap.OccurrenceKind]uint64
	Held    map[dropcap.OccurrenceKind]uint64 // not told, since the same was told shortly before
	Outputs []Output
}

// Output is the state of one way in which occurrences are told.
type Output struct {
	Name    string // "stdout", "journal", "webhook"
	Sent    uint64
	Failed  uint64 // attempts that failed
	Dropped uint64 // occurrences that were given up
	Queue   int    // that wait
}

// Write writes the metrics.
func Write(w io.Writer, s State) error {
	build := newFamily("dropcap_build_info", gauge, "The version of dropcap; always 1.")
	build.add(1, "version", s.Version, "goversion", runtime.Version())
	all := []*family{build}
	if s.EngineUp != nil {
		up := newFamily("dropcap_engine_up", gauge, "1 if the engine answers, else 0.")
		up.add(number(*s.EngineUp))
		all = append(all, up)
	}
	all = append(all, auditFamilies(s)...)
	all = append(all, workloadFamilies(s)...)
	all = append(all, changeFamilies(s)...)
	all = append(all, trialFamilies(s)...)
	all = append(all, waiverFamilies(s)...)
	all = append(all, kernelFamilies(s)...)
	all = append(all, watchFamilies(s.Watch)...)
	return writeText(w, all)
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// at reads a document's time; zero if it has none.
func at(stamp string) time.Time {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return time.Time{}
	}
	return t
}
