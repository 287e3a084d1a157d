package evidence

import (
	"slices"

	"dropcap"
)

// Unscanned reports whether no files of a workload's containers have been scanned, because no
// recording has come to that yet.
func Unscanned(w dropcap.WorkloadEvidence) bool {
	later := func(s dropcap.Source) bool { return s.FilesUnseen == FilesLater }
	return slices.ContainsFunc(w.Sources, later) && !slices.ContainsFunc(w.Sources,
		func(s dropcap.Source) bool {
			return s.FilesUnseen == ""
		})
}

// Scanned adds what files show that were scanned only after the recordings. why says what is still
// missing of them.
func Scanned(w dropcap.WorkloadEvidence, static []dropcap.Need,
	why string) dropcap.WorkloadEvidence {
	t := newTally()
	for _, n := range w.Needs {
		t.add(n)
	}
	for _, n := range static {
		if t.by[keyOf(n)] == nil {
			n.Sources = 1
			t.add(n)
		}
	}
	w.Needs, w.Sources = t.needs(0), slices.Clone(w.Sources)
	for i, s := range w.Sources {
		if s.FilesUnseen == FilesLater {
			w.Sources[i].FilesUnseen = why
		}
	}
	return Conclude(w)
}

// Programs returns the programs that the needs name, with their origin.
func Programs(w dropcap.WorkloadEvidence) (list []dropcap.Executable) {
	for _, n := range w.Needs {
		for _, b := range n.By {
			e := dropcap.Executable{Path: b.Exe, From: b.ExeFrom}
			if b.Exe != "" && !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}
