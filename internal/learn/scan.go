package learn

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
)

// scanner scans containers' files, a few at a time, beside the recording: the export of a large one
// takes minutes.
type scanner struct {
	wanted chan string
	found  chan found
	all    sync.WaitGroup
	cancel context.CancelFunc
}

// found is the result of a scan.
type found struct {
	id    string
	files image.Files
	err   error
}

const (
	// mostScans is how many may wait. Further ones are requested again when their container ends.
	mostScans = 4096
	// scansAtOnce is how many run at a time: the engine reads whole trees for them.
	scansAtOnce = 3
)

func startScanner(ctx context.Context, e Engine) *scanner {
	ctx, cancel := context.WithCancel(ctx)
	s := &scanner{wanted: make(chan string, mostScans), found: make(chan found), cancel: cancel}
	b := newBudget()
	for range scansAtOnce {
		s.all.Go(func() { s.work(ctx, b, e) })
	}
	return s
}

func (s *scanner) work(ctx context.Context, b *budget, e Engine) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.wanted:
			files, err := b.look(ctx, e, id)
			select {
			case s.found <- found{id, files, err}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// ask returns false if too many are waiting.
func (s *scanner) ask(id string) bool {
	select {
	case s.wanted <- id:
		return true
	default:
		return false
	}
}

func (s *scanner) stop() { s.cancel(); s.all.Wait() }

// tree is what is known of the files of all containers of one image.
type tree struct {
	files   image.Files
	entries []string // the programs that its containers start
	known   bool
	// the container through which it was requested; empty if no scan is under way
	asked  string
	failed string // why it is unknown
	tries  int
}

// mostTrees limits what is remembered of images' files; an image's is a few programs, so all of an
// honest host's fit. mostEntries limits the entries of one image.
const (
	mostTrees   = 1024
	mostEntries = 1000
)

// wantFiles requests a scan of a container's files, unless its image's are known or requested. The
// container may not even have started: what it writes itself is scanned when it has ended.
func (r *recording) wantFiles(c dropcap.Container, d Details) {
	t := r.trees[c.ImageID]
	if t == nil {
		for other := range r.trees {
			if len(r.trees) < mostTrees {
				break
			}
			delete(r.trees, other)
		}
		t = &tree{}
		r.trees[c.ImageID] = t
	}
	if !slices.Contains(t.entries, d.Entry) && len(t.entries) < mostEntries {
		t.entries = append(t.entries, d.Entry)
		if t.known && !t.files.CanResolve(d.Entry) {
			// only the links that lead to other entries were kept
			t.known, t.tries = false, 0
		}
	}
	const most = 5 // containers that are gone before they can be scanned
	if _, busy := r.scans[c.ID]; busy || t.known || t.asked != "" || t.tries >= most ||
		!r.scanner.ask(c.ID) {
		return
	}
	t.asked = c.ID
	t.tries++
	r.scans[c.ID] = scanWish{tree: c.ImageID}
}

// scanWish is the purpose of a scan: an image's tree, or the container itself.
type scanWish struct {
	tree, entry string
	own         bool
	late        bool // for an earlier recording
	d           Details
}

// gone is the reason that nothing is known of the files of a removed container.
const gone = "it was removed before they were looked at"

// scanned handles the result of a scan.
func (r *recording) scanned(f found) {
	wish, known := r.scans[f.id]
	delete(r.scans, f.id)
	if !known {
		return
	}
	why := f.files.Incomplete
	if f.err != nil {
		why = "they could not be read to the end"
		if errors.Is(f.err, dropcap.ErrNotFound) {
			why = gone
		}
	}
	if wish.late {
		r.scannedLater(f, wish, why)
		return
	}
	if w := r.byID[f.id]; wish.own && w != nil {
		w.own.found(f, why, wish.entry)
		w.changed = true
	}
	if t := r.trees[wish.tree]; t != nil && !wish.own {
		r.grown(t, wish.tree, f, why)
	}
}

// grown records what was found of an image's files.
func (r *recording) grown(t *tree, key string, f found, why string) {
	t.asked = ""
	switch {
	case t.known:
		return
	case f.err == nil: // even if incomplete: what was found counts
		t.files, t.known, t.failed = f.files.Slim(t.entries...), true, why
	default:
		t.failed = why
		for _, w := range r.byID { // another one may still exist
			if w.id != f.id && w.live && w.known && w.c.ImageID == key {
				r.wantFiles(w.c, w.d)
				break
			}
		}
	}
	for _, w := range r.byID {
		w.changed = w.changed || w.c.ImageID == key
	}
}

// looking reports whether a look at a container, or a scan of its files or its image's, is under
// way.
func (r *recording) looking(w *watched) bool {
	t := r.trees[w.c.ImageID]
	return w.own.looking || t != nil && t.asked != "" || r.lookingAt[w.id] > 0
}

// static returns what a container needs beyond what any check shows, and why that may be
// incomplete.
func (r *recording) static(w *watched) ([]dropcap.Need, string) {
	var list []dropcap.Need
	if w.d.Seccomp {
		list = evidence.Seccomp(w.held)
	}
	run := image.Run{
		Entry: w.d.Entry, Executed: w.executed, NoNewPrivs: w.d.NoNewPrivs,
		Volumes: w.d.Volumes,
	}
	if w.own.files != nil {
		return append(list, image.Needs(*w.own.files, run)...), w.own.why
	}
	t := r.trees[w.c.ImageID]
	switch {
	case t == nil:
		return list, "they were not looked at"
	case !t.known && t.failed == "":
		return list, evidence.FilesLater
	case !t.known:
		return list, t.failed
	}
	return append(list, image.Needs(t.files, run)...), cmp.Or(t.failed, w.own.why)
}

// scanAll waits for the scans under way and runs the waiting ones, until the time is up or somebody
// has had enough.
func (r *recording) scanAll(work context.Context) {
	ctx, cancel := context.WithTimeout(work, lastScans)
	defer cancel()
	for _, w := range r.byID {
		if w.known {
			r.wantFiles(w.c, w.d)
			r.wantOwnFiles(w, true)
		}
	}
	var enough <-chan struct{}
	if r.q.Enough != nil && len(r.scans) > 0 {
		enough = r.q.Enough()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(r.scans) > 0 {
		if r.q.Scanning != nil {
			r.q.Scanning(len(r.scans))
		}
		select {
		case f := <-r.scanner.found:
			r.scanned(f)
		case s := <-r.looker.observed:
			r.saw(s)
		case <-tick.C:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}
