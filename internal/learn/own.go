package learn

import (
	"slices"

	"dropcap"
	"dropcap/internal/image"
)

// ownFiles is what is known of the files of a container that runs programs which its image lacks.
// Even an incomplete result is remembered: only other programs are a reason to scan again.
type ownFiles struct {
	files   *image.Files
	why     string // why the scan is incomplete
	looking bool
	looks   int // so far
	knew    int // how many programs it had executed at the last scan
}

// How often a container's own files are scanned: while it runs, and once more when it has ended.
const (
	mostLooks    = 3
	mostLastWish = mostLooks + 1
)

// found records the result of a scan.
func (o *ownFiles) found(f found, why, entry string) {
	o.looking, o.why = false, why
	if f.err == nil {
		files := f.files.Slim(entry)
		o.files = &files
	}
}

// wantOwnFiles requests a scan of the files of a container that runs programs which its image
// lacks. last means that there will be no other chance.
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
