package learn

import (
	"cmp"
	"context"
	"errors"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
)

// scanner looks at containers' files, one after the other, beside the recording: the export of a large one takes minutes.
type scanner struct {
	wanted chan string
	found  chan found
	done   chan struct{}
	cancel context.CancelFunc
}

// found is what a look at a container's files gave.
type found struct {
	id    string
	files image.Files
	err   error
}

// mostScans is how many may wait. Those beyond are asked for again when their container ends.
const mostScans = 4096

func startScanner(ctx context.Context, e Engine) *scanner {
	ctx, cancel := context.WithCancel(ctx)
	b := newBudget()
	s := &scanner{wanted: make(chan string, mostScans), found: make(chan found), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(s.done)
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
	}()
	return s
}

// ask is false when too many wait.
func (s *scanner) ask(id string) bool {
	select {
	case s.wanted <- id:
		return true
	default:
		return false
	}
}

func (s *scanner) stop() { s.cancel(); <-s.done }

// tree is what is known of the files of all containers of one image and entry.
type tree struct {
	files  image.Files
	known  bool
	asked  string // the container through which it was asked for; empty if it is not being looked at
	failed string // why it is not known
	tries  int
}

// mostTrees bounds what is remembered of images' files; an image's is a few programs, so all of an honest host's fit.
const mostTrees = 1024

func treeOf(c dropcap.Container, d Details) string { return c.ImageID + "\x00" + d.Entry }

// wantFiles has a container's files looked at, unless its image's are known or asked for. It may not even have started: what it writes itself
// is looked at when it has ended.
func (r *recording) wantFiles(c dropcap.Container, d Details) {
	key := treeOf(c, d)
	t := r.trees[key]
	if t == nil {
		for other := range r.trees {
			if len(r.trees) < mostTrees {
				break
			}
			delete(r.trees, other)
		}
		t = &tree{}
		r.trees[key] = t
	}
	const mostTries = 5 // of containers that are gone before they can be looked at
	if !t.known && t.asked == "" && t.tries < mostTries && r.scanner.ask(c.ID) {
		t.asked = c.ID
		t.tries++
		r.scans[c.ID] = scanWish{tree: key, entry: d.Entry}
	}
}

// scanWish is what a look at a container's files is for: its image's tree, or the container itself.
type scanWish struct {
	tree, entry string
	own         bool
}

// scanned takes what the scanner found.
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
			why = "it was removed before they were looked at"
		}
	}
	if w := r.byID[f.id]; wish.own && w != nil {
		w.own.found(f, why, wish.entry)
		w.changed = true
	}
	t := r.trees[wish.tree]
	if t == nil {
		return
	}
	t.asked = ""
	switch {
	case f.err == nil && !wish.own && !t.known: // also if incomplete: what was found counts
		t.files, t.known, t.failed = f.files.Slim(wish.entry), true, why
		r.treeChanged(wish.tree)
	case f.err != nil && !t.known:
		t.failed = why
		r.treeChanged(wish.tree)
		for _, w := range r.byID { // another may still be there
			if w.c.ID != f.id && w.live && treeOf(w.c, w.d) == wish.tree {
				r.wantFiles(w.c, w.d)
				break
			}
		}
	}
}

// looking tells whether a container's files, or its image's, are being looked at.
func (r *recording) looking(w *watched) bool {
	t := r.trees[treeOf(w.c, w.d)]
	return w.own.looking || t != nil && t.asked != ""
}

func (r *recording) treeChanged(key string) {
	for _, w := range r.byID {
		if treeOf(w.c, w.d) == key {
			w.changed = true
		}
	}
}

// static is what a container needs beyond what any check shows, and why that may not be all.
func (r *recording) static(w *watched) ([]dropcap.Need, string) {
	var list []dropcap.Need
	if w.d.Seccomp {
		list = evidence.Seccomp(w.held)
	}
	run := image.Run{
		Entry: w.d.Entry, Executed: w.executed, NoNewPrivs: w.d.NoNewPrivs, PingAllowed: w.d.PingAllowed, Volumes: w.d.Volumes,
	}
	if w.own.files != nil {
		return append(list, image.Needs(*w.own.files, run)...), w.own.why
	}
	t := r.trees[treeOf(w.c, w.d)]
	switch {
	case t == nil:
		return list, "they were not looked at"
	case !t.known && t.failed == "":
		return list, "they have not been looked at yet"
	case !t.known:
		return list, t.failed
	}
	return append(list, image.Needs(t.files, run)...), cmp.Or(t.failed, w.own.why)
}

// scanAll waits for what is being looked at, and has the rest looked at too.
func (r *recording) scanAll(ctx context.Context) {
	for _, w := range r.byID {
		r.wantFiles(w.c, w.d)
		r.wantOwnFiles(w, true)
	}
	for len(r.scans) > 0 {
		select {
		case f := <-r.scanner.found:
			r.scanned(f)
		case <-ctx.Done():
			return
		}
	}
}
