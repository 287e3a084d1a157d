package serve

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/host"
)

// live is what all pages show: one look at the host, kept true by whoever follows it. Each part
// has the version in which it changed last, so that a reader, however slow, asks for what is newer
// than what it has, and nothing queues up for it.
type live struct {
	mu      sync.Mutex
	version uint64
	changed chan struct{} // closed at the next change

	seen    bool // there was a look
	audit   dropcap.Audit
	snap    dropcap.Snapshot
	support map[string]evidence.Support // by id
	rows    map[string]*row             // by id
	gone    []gone
	columns uint64 // the version of the columns; a page that has others loads again
	shape   string

	took    time.Duration // of the last look at all
	policy  dropcap.Policy
	explain func(dropcap.Judged) dropcap.Explanation
	trouble
	troubled uint64
	topics   map[string]uint64
	lines    []line
}

// trouble is what keeps the page from being true; the zero value is none.
type trouble struct {
	Engine string `json:"engine"` // a sentence: the engine cannot be asked
	Hint   string `json:"hint"`
	Since  string `json:"since"` // RFC 3339: what is shown is as old as this
	Store  string `json:"store"` // a sentence: judged without evidence
	Policy string `json:"policy"`
	Busy   string `json:"busy"` // a change that another dropcap does
}

type gone struct {
	id      string
	version uint64
}

// line is one line of the progress of a change.
type line struct {
	version uint64
	Of      int    `json:"of"` // the number of the work
	Kind    string `json:"kind"`
	Text    string `json:"text"`
	At      string `json:"at"`
	Took    string `json:"took"`
}

// The topics that pages are about, besides containers.
const (
	topicEvidence = "evidence"
	topicHistory  = "history"
	topicWork     = "work"
	topicPolicy   = "policy"
	topicFleet    = "fleet"
)

const (
	mostGone  = 2000
	mostLines = 1000
)

func newLive() *live {
	return &live{changed: make(chan struct{}), rows: map[string]*row{}, topics: map[string]uint64{},
		support: map[string]evidence.Support{}}
}

// change changes something, and wakes whoever waits.
func (v *live) change(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.version++
	do()
	close(v.changed)
	v.changed = make(chan struct{})
}

// touch marks topics as changed.
func (v *live) touch(topics ...string) {
	v.change(func() {
		for _, t := range topics {
			v.topics[t] = v.version
		}
	})
}

// say adds a line of progress.
func (v *live) say(l line) {
	v.change(func() {
		l.version = v.version
		v.lines = append(v.lines, l)
		if len(v.lines) > mostLines {
			v.lines = slices.Clone(v.lines[len(v.lines)-mostLines:])
		}
	})
}

// wait returns the present version, and a channel that is closed at the next change.
func (v *live) wait() (uint64, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version, v.changed
}

// put takes a look at all containers, or at some: those named that it does not have are gone.
func (v *live) put(r host.AuditResult, p dropcap.Policy, names []string) {
	support := map[string]evidence.Support{}
	for _, c := range r.Audit.Containers {
		if s, ok := r.Support(c.Container); ok {
			support[c.ID] = s
		}
	}
	v.change(func() {
		v.policy, v.explain = p, r.Explain
		if names == nil || !v.seen {
			v.audit, v.snap, v.support = r.Audit, r.Snapshot, support
			v.seen = true
		} else {
			v.join(r, support, names)
		}
		if v.Engine != "" {
			v.Engine, v.Hint, v.Since, v.troubled = "", "", "", v.version
		}
		v.draw()
	})
}

// join replaces the containers that were looked at again.
func (v *live) join(r host.AuditResult, support map[string]evidence.Support, names []string) {
	again := map[string]bool{}
	for _, n := range names {
		again[n] = true
	}
	for _, c := range r.Audit.Containers {
		again[c.ID] = true
	}
	v.audit.Created, v.snap.Created = r.Audit.Created, r.Snapshot.Created
	v.audit.Containers = slices.Concat(r.Audit.Containers, without(v.audit.Containers, again,
		func(c dropcap.Judged) string { return c.ID }))
	v.snap.Containers = slices.Concat(r.Snapshot.Containers, without(v.snap.Containers, again,
		func(c dropcap.Container) string { return c.ID }))
	newest := func(a, b string) int { return -cmp.Compare(a, b) }
	slices.SortStableFunc(v.audit.Containers, func(a, b dropcap.Judged) int {
		return newest(a.Created, b.Created)
	})
	slices.SortStableFunc(v.snap.Containers, func(a, b dropcap.Container) int {
		return newest(a.Created, b.Created)
	})
	v.audit.Summary = dropcap.Count(v.audit.Containers)
	v.support = maps.Clone(v.support)
	for id := range again {
		delete(v.support, id)
	}
	maps.Copy(v.support, support)
}

func without[T any](list []T, ids map[string]bool, id func(T) string) []T {
	return slices.DeleteFunc(slices.Clone(list), func(c T) bool { return ids[id(c)] })
}

// draw makes the rows, and gives those that differ the present version.
func (v *live) draw() {
	columns := columnsOf(v.audit)
	if shape := shapeOf(columns); shape != v.shape {
		v.shape, v.columns = shape, v.version
	}
	names := map[string]int{}
	for _, c := range v.audit.Containers {
		names[c.Name]++
	}
	rows := make(map[string]*row, len(v.audit.Containers))
	for _, c := range v.audit.Containers {
		s, known := v.support[c.ID]
		r := newRow(c, v.audit.Host, columns, s, known, names[c.Name] > 1)
		r.version = v.version
		if old := v.rows[c.ID]; old != nil && old.same(r) {
			r.version = old.version
		}
		rows[c.ID] = r
	}
	for id := range v.rows {
		if rows[id] == nil {
			v.gone = append(v.gone, gone{id, v.version})
		}
	}
	if len(v.gone) > mostGone {
		v.gone = slices.Clone(v.gone[len(v.gone)-mostGone:])
	}
	v.rows = rows
}

// fail notes that the host cannot be looked at.
func (v *live) fail(err error) {
	e := dropcap.AsError(err)
	v.setTrouble(func(t *trouble) {
		if t.Engine, t.Hint = e.Message, e.Hint; t.Hint != "" {
			t.Hint = strings.ToUpper(t.Hint[:1]) + t.Hint[1:] + "."
		}
		if t.Since == "" {
			t.Since = time.Now().UTC().Format(time.RFC3339)
		}
	})
}

// setTrouble changes what keeps the page from being true, if that differs.
func (v *live) setTrouble(do func(*trouble)) {
	v.mu.Lock()
	t := v.trouble
	do(&t)
	same := t == v.trouble
	v.mu.Unlock()
	if same {
		return
	}
	v.change(func() {
		do(&v.trouble)
		v.troubled = v.version
	})
}

// scene is a consistent view at one version. It is read only.
type scene struct {
	version uint64
	seen    bool
	audit   dropcap.Audit
	snap    dropcap.Snapshot
	policy  dropcap.Policy
	rows    []*row
	support map[string]evidence.Support
	explain func(dropcap.Judged) dropcap.Explanation
	took    time.Duration
	trouble
}

func (v *live) scene() scene {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := scene{version: v.version, seen: v.seen, audit: v.audit, snap: v.snap, policy: v.policy,
		support: v.support, explain: v.explain, took: v.took, trouble: v.trouble}
	for _, c := range v.audit.Containers {
		s.rows = append(s.rows, v.rows[c.ID])
	}
	return s
}

// container finds a container by name, or by an id or its beginning.
func (s scene) container(name string) (dropcap.Judged, bool) {
	byID := -1
	for i, c := range s.audit.Containers {
		switch {
		case c.Name == name:
			return c, true
		case len(name) >= 12 && len(name) <= len(c.ID) && c.ID[:len(name)] == name:
			byID = i
		}
	}
	if byID < 0 {
		return dropcap.Judged{}, false
	}
	return s.audit.Containers[byID], true
}
