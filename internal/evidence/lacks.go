package evidence

import (
	"strings"

	"dropcap"
)

// Lacks is what evidence lacks for high confidence, apart from a first start.
type Lacks struct {
	Restart bool // a stop, or a later start, was not seen
	Time    bool // it was watched for less than an hour
	// Other is what only a person, or another host, can mend, in clauses.
	Other []string
}

// Lacks returns what the evidence lacks for high confidence.
func (s Support) Lacks() Lacks {
	saw := sawOf(s.Evidence)
	l := Lacks{
		Restart: saw.warm == 0 || saw.stops == 0,
		Time:    saw.longest < HighSeconds && !saw.complete,
	}
	rest := saw
	rest.warm, rest.stops, rest.longest = 1, 1, HighSeconds
	l.Other = rest.missingForHigh()
	if saw.unseen != "" {
		l.Other = append(l.Other, "see its files, which may carry capabilities: "+saw.unseen)
	}
	if !s.Exact {
		l.Other = append(l.Other, "its image, command, user or network has changed since")
	}
	return l
}

// None reports whether nothing is lacking.
func (l Lacks) None() bool { return !l.Restart && !l.Time && len(l.Other) == 0 }

// String lists what is lacking, in clauses.
func (l Lacks) String() string {
	var list []string
	if l.Restart {
		list = append(list, "see it stop and start again")
	}
	if l.Time {
		list = append(list, "watch for an hour, or say that everything was exercised")
	}
	return strings.Join(append(list, l.Other...), "; ")
}

// Sure reports whether the evidence is of high confidence or tried, or lacks no more than a first
// start, which a change that keeps volumes and layer does not cause.
func (s Support) Sure() bool {
	return s.Level == dropcap.ConfidenceHigh || s.Level == dropcap.ConfidenceTried ||
		s.Lacks().None()
}
