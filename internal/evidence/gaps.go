package evidence

import "strings"

// Gaps are what evidence lacks for medium confidence.
type Gaps struct {
	Start    bool   // no start was seen
	First    bool   // starts were seen, but not the first one, with fresh volumes
	Time     bool   // it was watched for less than ten minutes, and nobody said that this is all
	Files    string // why its files were not looked at; empty if they were
	Revision bool   // it is of another revision, or of another host
}

// Gaps returns what the evidence lacks for medium confidence.
func (s Support) Gaps() Gaps {
	saw := sawOf(s.Evidence)
	return Gaps{
		Start:    saw.cold+saw.warm == 0 && !saw.tried.enough(),
		First:    saw.cold == 0 && (saw.warm > 0 || saw.tried.enough()),
		Time:     saw.tooShort(),
		Files:    saw.unseen,
		Revision: !s.Exact,
	}
}

// FirstOnly reports whether nothing is missing for medium confidence but the first start. That is
// enough to start a container again as it was seen to start, and no more.
func (g Gaps) FirstOnly() bool { return g == Gaps{First: true} }

// String lists what is missing, in clauses.
func (g Gaps) String() string {
	var l []string
	if g.Start {
		l = append(l, "no start of it was seen")
	}
	if g.First {
		l = append(l, "its first start, with fresh volumes, was not seen")
	}
	if g.Time {
		l = append(l, "it was watched for less than 10 minutes, and nobody said that this is all "+
			"that it does")
	}
	if g.Files != "" {
		l = append(l, "its files, which may carry capabilities, were not seen: "+g.Files)
	}
	if g.Revision {
		l = append(l, "its image, command, user or network has changed since")
	}
	if n := len(l); n > 1 {
		return strings.Join(l[:n-1], "; ") + "; and " + l[n-1]
	}
	return strings.Join(l, "")
}
