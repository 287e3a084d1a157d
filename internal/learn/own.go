package learn

import (
	"slices"

	"dropcap"
	"dropcap/internal/image"
)

// ownFiles is what is known of the files of a container that runs programs which its image does not
// have. What came of a look is remembered, also where it did not see everything: only other
// programs are a reason to look again.
type ownFiles struct {
	files   *image.Files
	why     string // why there may be more
	looking bool
	looks   int // so far
	knew    int // how many programs it had executed when its files were looked at
}

// How often a container's own files are looked at: while it goes on, and once more when it has
// ended.
const (
	mostLooks    = 3
	mostLastWish = mostLooks + 1
)

// found takes what a look gave.
func (o *ownFiles) found(f found, why, entry string) {
	o.looking, o.why = false, why
	if f.err == nil {
		files := f.files.Slim(entry)
		o.files = &files
	}
}

// wantOwnFiles has the files of a container looked at that runs programs which its image does not
// have. last: it will not be asked again.
func (r *recording) wantOwnFiles(w *watched, last bool) {
	written := func(e dropcap.Executable) bool {
		return e.From == dropcap.FromWritten || e.From == dropcap.FromUnknown
	}
	most := mostLooks
	if last {
		most = mostLastWish
	}
	if w.own.looking || w.own.looks >= most ||
		!slices.ContainsFunc(w.executed[min(w.own.knew, len(w.executed)):], written) {
		return
	}
	if _, busy := r.scans[w.c.ID]; !busy && r.scanner.ask(w.c.ID) {
		w.own.looking, w.own.knew = true, len(w.executed)
		w.own.looks++
		r.scans[w.c.ID] = scanWish{tree: w.c.ImageID, entry: w.d.Entry, own: true}
	}
}
