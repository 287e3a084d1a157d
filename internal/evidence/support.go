package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Subject is the container to find evidence for.
type Subject struct {
	Workload string
	Revision string // from Makings.Revision; empty if unknown
	Host     string // the id of its host
	Held     caps.Set
	// AnyHost lets other hosts' evidence count too, with lower confidence. Only if a person asked
	// for it.
	AnyHost bool
}

// Support is what the evidence shows about a container.
type Support struct {
	Supported caps.Set // held and needed
	Unused    caps.Set // held, also when recorded, and not needed
	Untried   caps.Set // held, but not when recorded: nothing is known of it
	Level     string   // of confidence; lowered for another revision or host
	Tried     string   // "tried 24 h, 3 starts, 0 denied"; empty if it was not
	Because   string   // one sentence: whose evidence, how much, how sure
	Exact     bool     // it is of this very revision and host
	Evidence  dropcap.WorkloadEvidence
}

// For returns the best evidence for a container: of its revision on its host, else of its revision
// on other hosts if those count, else of another revision, the latest. It returns false if there is
// none. The list may contain records and merged evidence.
func For(list []dropcap.WorkloadEvidence, c Subject) (Support, bool) {
	var mine []dropcap.WorkloadEvidence
	for _, w := range list {
		if w.Workload == c.Workload && c.Workload != "" && len(w.Sources) > 0 &&
			(c.AnyHost || hosts(w) == c.Host) {
			mine = append(mine, w)
		}
	}
	if len(mine) == 0 {
		return Support{}, false
	}
	merged := Merge(mine, ByHost)
	best := slices.MaxFunc(merged, c.nearer)
	if !c.exact(best) && c.AnyHost && c.Revision == best.Revision {
		best = pick(Merge(mine, AcrossHosts), best)
	}
	if !c.exact(best) { // a trial counts for the very same only
		best.Tried = nil
		best = Conclude(best)
	}
	s := Support{
		Supported: best.Required & c.Held, Unused: best.Unused & c.Held,
		Untried: c.Held.Minus(best.Held),
		Level:   best.Confidence.Level, Exact: c.exact(best), Evidence: best,
	}
	if !s.Exact {
		s.Level = lower(s.Level)
	}
	if tried := triedOf(best); tried.any {
		s.Tried = tried.String()
	}
	s.Because = s.sentence(c)
	return s, true
}

func (c Subject) exact(w dropcap.WorkloadEvidence) bool {
	return c.Revision != "" && w.Revision == c.Revision && hosts(w) == c.Host
}

// nearer orders evidence by how closely it matches the container: by revision, then by host, then
// the latest first.
func (c Subject) nearer(a, b dropcap.WorkloadEvidence) int {
	return cmp.Or(c.near(a)-c.near(b), strings.Compare(last(a), last(b)))
}

func (c Subject) near(w dropcap.WorkloadEvidence) (n int) {
	if w.Revision == c.Revision && c.Revision != "" {
		n += 2
	}
	if hosts(w) == c.Host {
		n++
	}
	return n
}

// pick returns the evidence of the same workload, revision and image.
func pick(list []dropcap.WorkloadEvidence, like dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	for _, w := range list {
		if w.Workload == like.Workload && w.Revision == like.Revision && w.ImageID == like.ImageID {
			return w
		}
	}
	return like
}

func lower(level string) string {
	if level == dropcap.ConfidenceHigh {
		return dropcap.ConfidenceMedium
	}
	return dropcap.ConfidenceLow
}

func (s Support) sentence(c Subject) string {
	saw := sawOf(s.Evidence)
	whose := "evidence of this revision"
	switch {
	case s.Evidence.Revision != c.Revision:
		whose = "evidence of another revision"
	case hosts(s.Evidence) != c.Host:
		whose = "evidence of other hosts"
	}
	tried := ""
	if s.Tried != "" {
		tried = ", " + s.Tried
	}
	return fmt.Sprintf("%s from %s, watched for %s at the longest%s, confidence %s", whose,
		count(s.Evidence.Containers(), "container"), span(saw.longest), tried, s.Level)
}
