package evidence

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
)

// MostBy is how many programs and places a need names; one entry of site OtherSites sums up the
// rest.
const (
	MostBy     = 50
	OtherSites = "others"
)

// key identifies a need: the same capability, outcome, class and sentence, and the same side of
// docker exec. A planted program's checks and an administrator's must not supply what the other
// lacks.
type key struct {
	cap     caps.Cap
	outcome string
	class   dropcap.Class
	because string
	exec    bool
	try     bool
	trial   bool
	// harmless is set if the trial went on
	harmless bool
}

func keyOf(n dropcap.Need) key {
	return key{n.Cap, n.Outcome, n.Class, n.Because, n.Exec, n.TryWithout, n.Trial, n.Harmless}
}

// sharedKey is a key of the kernel's counts within a need.
type sharedKey struct {
	need  key
	check string
}

// tally sums up needs.
type tally struct {
	by     map[key]*dropcap.Need
	shared map[sharedKey]bool
}

func newTally() *tally { return &tally{by: map[key]*dropcap.Need{}, shared: map[sharedKey]bool{}} }

// add merges a need into the one with the same key. The need stays flagged only if all its parts
// are.
func (t *tally) add(n dropcap.Need) {
	have := t.by[keyOf(n)]
	if have == nil {
		n.By = slices.Clone(n.By)
		t.by[keyOf(n)] = &n
		return
	}
	have.Count = sum(have.Count, n.Count)
	have.First, have.Last = earlier(have.First, n.First), later(have.Last, n.Last)
	have.Sources += n.Sources
	have.Or |= n.Or
	have.Approved = have.Approved || n.Approved
	have.Flagged = have.Flagged && n.Flagged
	have.By = append(have.By, n.By...)
}

// needs returns all needs in order: by capability, granted first, by class, by sentence. sources,
// unless 0, is how many sources each has.
func (t *tally) needs(sources int) []dropcap.Need {
	list := make([]dropcap.Need, 0, len(t.by))
	for _, n := range t.by {
		if sources > 0 {
			n.Sources = sources
		}
		n.By = bounded(n.By)
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b dropcap.Need) int {
		return cmp.Or(cmp.Compare(a.Cap, b.Cap), -cmp.Compare(a.Outcome, b.Outcome),
			cmp.Compare(rank(a.Class), rank(b.Class)), strings.Compare(a.Because, b.Because),
			rank01(a.Exec)-rank01(b.Exec), rank01(a.TryWithout)-rank01(b.TryWithout),
			rank01(a.Trial)-rank01(b.Trial), rank01(a.Harmless)-rank01(b.Harmless))
	})
	return list
}

// bounded sums up equal entries, sorts them by count and then by name, and sums up those beyond the
// limit.
func bounded(list []dropcap.By) []dropcap.By {
	counts := map[dropcap.By]uint64{}
	for _, b := range list {
		n := b.Count
		b.Count = 0
		counts[b] = sum(counts[b], n)
	}
	out := make([]dropcap.By, 0, len(counts))
	var others *dropcap.By
	for b, n := range counts {
		b.Count = n
		if b.Site == OtherSites && b.Exe == "" {
			others = &b
			continue
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b dropcap.By) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), strings.Compare(a.Exe, b.Exe),
			strings.Compare(a.Syscall, b.Syscall), strings.Compare(a.Site, b.Site),
			strings.Compare(a.Phase, b.Phase), strings.Compare(a.ExeFrom, b.ExeFrom))
	})
	for len(out) > MostBy {
		if others == nil {
			others = &dropcap.By{Site: OtherSites}
		}
		others.Count = sum(others.Count, out[len(out)-1].Count)
		out = out[:len(out)-1]
	}
	if others != nil {
		out = append(out, *others)
	}
	return out
}

// classes lists the classes by weight.
var classes = []dropcap.Class{
	dropcap.Decisive, dropcap.Alternative, dropcap.Silent, dropcap.Static, dropcap.Inspected,
	dropcap.UnknownNeed, dropcap.Advisory, dropcap.Ungrantable,
}

func rank01(is bool) int {
	if is {
		return 1
	}
	return 0
}

func rank(c dropcap.Class) int { return slices.Index(classes, c) }

// sum stays at the largest number: other hosts' counts may have any value.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func earlier(a, b string) string {
	if a == "" || b != "" && before(b, a) {
		return b
	}
	return a
}

func later(a, b string) string {
	if a == "" || b != "" && before(a, b) {
		return b
	}
	return a
}

// before compares times of RFC 3339. It compares other texts as texts, so that the order does not
// depend on which comes first.
func before(a, b string) bool {
	s, errA := time.Parse(time.RFC3339, a)
	t, errB := time.Parse(time.RFC3339, b)
	if errA != nil || errB != nil || s.Equal(t) {
		return a < b
	}
	return s.Before(t)
}

// normal formats a time as Build does, and leaves any other text unchanged.
func normal(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return s
	}
	return stamp(t)
}
