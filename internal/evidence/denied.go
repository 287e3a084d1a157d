package evidence

import (
	"dropcap"
	"dropcap/caps"
)

// Denials holds what a workload was denied while it held the capability: its processes had given
// the capability up, and the workload worked all the same.
type Denials map[denial]bool

type denial struct {
	cap       caps.Cap
	exe, site string
}

// DenialsOf collects them from all evidence of a workload. It omits what any program was granted
// anywhere, and denials of docker exec or of programs that are not the image's.
func DenialsOf(list []dropcap.WorkloadEvidence, workload string) Denials {
	d := Denials{}
	type granted struct {
		cap caps.Cap
		exe string
	}
	had := map[granted]bool{}
	for _, w := range list {
		if w.Workload != workload {
			continue
		}
		for _, n := range w.Needs {
			for _, by := range n.By {
				switch {
				case n.Used():
					had[granted{n.Cap, by.Exe}] = true
				case by.Exe != "" && w.Held.Has(n.Cap) && !n.Exec && !n.Flagged:
					d[denial{n.Cap, by.Exe, by.Site}] = true
				}
			}
		}
	}
	for k := range d {
		if had[granted{k.cap, k.exe}] {
			delete(d, k)
		}
	}
	return d
}

// Knows reports whether this very check was denied before.
func (d Denials) Knows(c dropcap.KernelCheck, site string) bool {
	return d[denial{c.Cap, c.Exe.Path, site}]
}
