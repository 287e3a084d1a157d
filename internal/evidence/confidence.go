package evidence

import (
	"fmt"
	"slices"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// The thresholds of watched time, in seconds of the longest source.
const (
	MediumSeconds = 600
	HighSeconds   = 3600
)

// FilesLater is the Source.FilesUnseen of a container whose recording ended before its image's
// files were scanned. A later recording scans them.
const FilesLater = "they have not been looked at yet; the next `dropcap learn` does"

// coverage sums up which parts of a life the sources observed.
type coverage struct {
	cold, warm, stops int
	longest           int64
	complete          bool
	lost              uint64
	lossUnknown       bool
	unknown           caps.Set // required only because a check is not understood
	// not kept, since only programs that are not the image's showed a need
	flagged caps.Set
	execs   caps.Set // not kept, since only docker exec showed a need
	// sentences on what a seccomp profile allows only with what is not kept
	coupled []string
	unseen  string // why no container's files were scanned
	calls   string // why no container's calls without a check were visible
	tried   trying
}

func sawOf(w dropcap.WorkloadEvidence) coverage {
	s := coverage{tried: triedOf(w)}
	for _, src := range w.Sources {
		if src.Trial != "" { // it showed what was denied, and nothing else
			if s.tried.trials[src.Trial] {
				s.cold += src.StartsCold // all that is not kept was denied in it
			}
			continue
		}
		s.cold, s.warm, s.stops = s.cold+src.StartsCold, s.warm+src.StartsWarm, s.stops+src.Stops
		s.longest, s.lost = max(s.longest, src.Seconds), sum(s.lost, src.Lost)
		s.complete, s.lossUnknown = s.complete || src.Complete, s.lossUnknown || src.LossUnknown
	}
	if !slices.ContainsFunc(w.Sources, func(src dropcap.Source) bool {
		return src.FilesUnseen == ""
	}) && len(w.Sources) > 0 {
		s.unseen = w.Sources[0].FilesUnseen
	}
	if !slices.ContainsFunc(w.Sources, func(src dropcap.Source) bool {
		return src.CallsUnseen == ""
	}) && len(w.Sources) > 0 {
		s.calls = w.Sources[0].CallsUnseen
	}
	for _, n := range w.Needs {
		switch {
		case coupling(n) && !w.Required.Has(n.Cap) && w.Held.Has(n.Cap):
			s.coupled = append(s.coupled, n.Because)
		case !n.Used() || !n.Class.Keeps() || !w.Held.Has(n.Cap):
		case n.Exec && n.Doubted():
			s.execs |= caps.Of(n.Cap).Minus(w.Required)
		case n.Doubted() && !caps.DockerDefaults.Has(n.Cap):
			s.flagged |= caps.Of(n.Cap)
		case n.Class == dropcap.UnknownNeed:
			s.unknown |= caps.Of(n.Cap)
		}
	}
	return s
}

// confidence applies fixed thresholds. Low: no start seen, or less than ten minutes, or files that
// were not scanned. Medium: a cold start and ten minutes. High: a cold and a warm start, a stop, an
// hour, nothing lost and nothing unknown. The operator's word that everything was exercised
// replaces the time. Tried: see missingForTried.
func confidence(w dropcap.WorkloadEvidence) dropcap.Confidence {
	s := sawOf(w)
	c := dropcap.Confidence{Level: dropcap.ConfidenceLow, Because: s.facts()}
	missing, next := s.missingForTried(), dropcap.ConfidenceTried
	if s.tried.any && len(missing) == 0 {
		c.Level = dropcap.ConfidenceTried
		return c
	}
	if s.tried.any {
		c.Because = append(c.Because, toReach(next, missing)...)
	}
	missing, next = s.missingForMedium(), dropcap.ConfidenceMedium
	if len(missing) == 0 {
		c.Level = dropcap.ConfidenceMedium
		missing, next = s.missingForHigh(), dropcap.ConfidenceHigh
		if len(missing) == 0 {
			c.Level = dropcap.ConfidenceHigh
		}
	}
	c.Because = append(c.Because, toReach(next, missing)...)
	return c
}

// toReach says what a level lacks.
func toReach(level string, missing []string) (list []string) {
	for _, m := range missing {
		list = append(list, fmt.Sprintf("for %s: %s", level, m))
	}
	return list
}

func (s coverage) facts() []string {
	list := []string{count(s.cold, "cold start") + " seen", count(s.warm, "warm start") + " seen",
		count(s.stops, "stop") + " seen"}
	list = append(list, "watched for "+span(s.longest)+" at the longest")
	if s.complete {
		list = append(list, "the operator says that everything was exercised")
	}
	if s.tried.any {
		list = append(list, s.tried.String())
	}
	if s.tried.lost > 0 {
		list = append(list, fmt.Sprintf("a trial that lost %d of the checks that it denied does "+
			"not count", s.tried.lost))
	}
	if !s.execs.Empty() {
		list = append(list, s.execs.Short()+
			" used by docker exec only, which is not the workload's own need")
	}
	return list
}

// tooShort reports whether medium confidence takes more time.
func (s coverage) tooShort() bool {
	return s.longest < MediumSeconds && !s.complete && !s.tried.enough()
}

func (s coverage) missingForMedium() []string {
	var l []string
	if s.cold == 0 {
		l = append(l, "see a cold start: the first one, with fresh volumes")
	}
	if s.tooShort() {
		l = append(l, "watch for 10 minutes, or say that everything was exercised (--complete)")
	}
	if s.unseen != "" {
		l = append(l, "see its files, which may carry capabilities: "+s.unseen)
	}
	return l
}

func (s coverage) missingForHigh() []string {
	var l []string
	say := func(missing bool, format string, args ...any) {
		if missing {
			l = append(l, fmt.Sprintf(format, args...))
		}
	}
	say(s.warm == 0, "see a warm start: restart it once")
	say(s.stops == 0, "see it stop")
	say(s.longest < HighSeconds && !s.complete,
		"watch for an hour, or say that everything was exercised")
	say(s.lost > 0, "lose no check: %d were lost", s.lost)
	say(s.lossUnknown, "use a kernel hook that counts what it loses")
	say(s.calls != "", "see programs look at their own sets, and raise what they hand on "+
		"(prctl): %s", s.calls)
	say(!s.unknown.Empty(), "%s: a check at a place that no rule knows", s.unknown.Short())
	say(!s.flagged.Empty(), "%s: approve or refuse the needs that only programs show that are "+
		"not the image's", s.flagged.Short())
	for _, c := range s.coupled {
		say(true, "%s", c)
	}
	return l
}

func count(n int, what string) string {
	if n == 0 {
		return "no " + what
	}
	return printable.Count(n, what)
}

// span formats seconds as people write them: "2h10m", "45s".
func span(seconds int64) string {
	d := time.Duration(min(max(seconds, 0), 1<<32)) * time.Second
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}
