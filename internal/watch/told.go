package watch

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// The bounds of what is told one by one: so many at once, and then one more each second. What is
// beyond is counted, and told as a number once a minute.
const (
	burst     = 50
	refill    = time.Second
	moreEvery = time.Minute
	// mostText bounds a sentence and a remedy, in bytes.
	mostText = 4000
	// mostKeys bounds what is remembered of what was told.
	mostKeys = 1 << 16
)

// how a judgement came about.
type how int

const (
	asKnown   how = iota // it is so at the beginning
	asFound              // it was found at a look at all containers
	asStarted            // something happened to that container
)

// teller tells occurrences, the same of a container once in a time, and not too many at once.
type teller struct {
	q     Query
	about dropcap.Host
	told  map[string]time.Time // by key, when it was told last
	known map[string]bool      // by key, what is so since the beginning
	// by key, what was found since the last look at all containers
	present map[string]bool

	tokens  float64
	filled  time.Time
	held    map[dropcap.OccurrenceKind]uint64 // not told one by one, by kind, since the beginning
	total   map[dropcap.OccurrenceKind]uint64 // told
	storm   map[dropcap.OccurrenceKind]uint64 // to be told as a number
	stormAt time.Time                         // when
}

func newTeller(q Query) *teller {
	return &teller{
		q: q, about: q.Host, tokens: burst, filled: time.Now(),
		told: map[string]time.Time{}, known: map[string]bool{}, present: map[string]bool{},
		held:  map[dropcap.OccurrenceKind]uint64{},
		total: map[dropcap.OccurrenceKind]uint64{},
		storm: map[dropcap.OccurrenceKind]uint64{},
	}
}

func (t *teller) host(h dropcap.Host) { t.about = h }

// judged tells what was found of a container.
func (t *teller) judged(c dropcap.Judged, j Judgement, how how) {
	for _, o := range occurrences(c, j, how) {
		k := key(o)
		t.present[k] = true
		_, told := t.told[k]
		switch {
		case how == asKnown:
			t.known[k] = true
		case how == asFound && (t.known[k] || told):
		default:
			delete(t.known, k)
			t.tell(o, k)
		}
	}
}

// lookedAtAll forgets what a look at all containers has not found any more: when it is so again, it
// is told again, after a time.
func (t *teller) lookedAtAll(now time.Time) {
	maps.DeleteFunc(t.known, func(k string, _ bool) bool { return !t.present[k] })
	maps.DeleteFunc(t.told, func(k string, at time.Time) bool {
		return !t.present[k] && now.Sub(at) >= t.q.Repeat
	})
	t.present = map[string]bool{}
}

// key names what an occurrence is about. A container that is made again under its name is the same.
func key(o dropcap.Occurrence) string {
	who := o.Workload + "\x00" + o.Name
	if o.Name == "" {
		who = o.Container
	}
	return strings.Join([]string{string(o.Kind), who, o.Caps.Mask(), fmt.Sprint(o.Rules, o.Beyond),
		o.Change, o.Expires}, "\x00")
}

// tell tells an occurrence, unless the same key was told shortly before or too much is told at
// once. What has no key is told each time.
func (t *teller) tell(o dropcap.Occurrence, k string) {
	now := time.Now()
	if last, ok := t.told[k]; ok && k != "" && now.Sub(last) < t.q.Repeat {
		t.held[o.Kind]++
		return
	}
	if k != "" {
		t.remember(k, now)
	}
	if !t.take(now) {
		t.held[o.Kind]++
		if t.storm[o.Kind]++; t.stormAt.IsZero() {
			t.stormAt = now.Add(moreEvery)
		}
		return
	}
	t.send(o, now)
}

func (t *teller) send(o dropcap.Occurrence, now time.Time) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	o.Schema, o.ID = dropcap.SchemaOccurrence, hex.EncodeToString(id[:])
	o.At = now.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	o.Host, o.HostName = t.about.ID, t.about.Name
	o.Because, o.Fix = printable.Cut(o.Because, mostText), printable.Cut(o.Fix, mostText)
	t.total[o.Kind]++
	t.q.Tell(o)
}

func (t *teller) remember(k string, now time.Time) {
	t.told[k] = now
	if len(t.told) <= mostKeys {
		return
	}
	maps.DeleteFunc(t.told, func(_ string, at time.Time) bool { return now.Sub(at) >= t.q.Repeat })
	for old := range t.told { // any, if most are fresh
		if len(t.told) <= mostKeys/2 {
			break
		}
		delete(t.told, old)
	}
}

// take reports whether one more may be told now.
func (t *teller) take(now time.Time) bool {
	t.tokens = min(burst, t.tokens+now.Sub(t.filled).Seconds()/refill.Seconds())
	t.filled = now
	if t.tokens < 1 {
		return false
	}
	t.tokens--
	return true
}

// flush tells what was not told one by one, when it is time for that, or at the end.
func (t *teller) flush(now time.Time, end bool) {
	if t.stormAt.IsZero() || now.Before(t.stormAt) && !end {
		return
	}
	for _, kind := range dropcap.OccurrenceKinds() {
		n := t.storm[kind]
		if n == 0 {
			continue
		}
		t.send(dropcap.Occurrence{
			Kind: dropcap.OccurrenceMore, Count: n, Severity: "medium",
			Because: fmt.Sprintf("%s of the kind %s happened at once and %s not told one by one",
				printable.Count(int(n), "more occurrence"), kind, wereOrWas(n)),
			Fix: "dropcap audit shows how all containers stand",
		}, now)
	}
	t.storm, t.stormAt = map[dropcap.OccurrenceKind]uint64{}, time.Time{}
}

func wereOrWas(n uint64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// counts returns how many were told, and not told, by kind.
func (t *teller) counts() (told, held map[dropcap.OccurrenceKind]uint64) {
	return maps.Clone(t.total), maps.Clone(t.held)
}
