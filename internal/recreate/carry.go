package recreate

import (
	"fmt"
	"math"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// LayerFacts is what is known about the files of a container's own layer.
type LayerFacts struct {
	Bytes   int64 // occupied by its files
	Entries int64 // files, folders, links and all else
	Room    int64 // disk space for a copy, in bytes
	Shares  bool  // files may share their blocks, so that a copy needs no space
}

// DefaultCarryLimit is the size of a layer that is copied without asking, in bytes.
const DefaultCarryLimit = 1 << 30

// NoCarryLimit is the limit after the operator has agreed.
const NoCarryLimit = math.MaxInt64

// carriable reports whether the layer can be copied at all.
func (r *Recipe) carriable(o Options) bool {
	return r.o.Layer != nil && !o.DiscardLayer &&
		(o.Strategy == "" || o.Strategy == dropcap.StrategyRecreate)
}

// Carries reports whether the layer is copied into a new container. A large one without anything
// that matters is not.
func (r *Recipe) Carries(o Options) bool {
	return r.carriable(o) && r.o.Layer.fits() && r.o.Layer.Bytes <= o.limit()
}

func (o Options) limit() int64 {
	if o.CarryLimit == 0 {
		return DefaultCarryLimit
	}
	return o.CarryLimit
}

func (f *LayerFacts) fits() bool { return f.Shares || f.Bytes <= f.Room }

// uncarried says why a layer that could be copied is not.
func (r *Recipe) uncarried(o Options) []Refusal {
	f := r.o.Layer
	if len(r.Layer()) == 0 && len(r.o.Changes) > 0 {
		return nil // as after a restart that empties /tmp and /run
	}
	const without = "keep it in a volume, change the container in place (--in-place), or say " +
		"--discard-layer"
	message := fmt.Sprintf("cannot change %s: its own layer holds %s", r.name,
		printable.Bytes(f.Bytes))
	switch {
	case !f.fits():
		return []Refusal{{"layer-room", message + ", and its disk has room for " +
			printable.Bytes(max(f.Room, 0)),
			"make room; or " + without}}
	case f.Bytes > o.limit():
		return []Refusal{{"layer-size",
			fmt.Sprintf("%s, and carrying along more than %s is not done unasked: %s",
				message, printable.Bytes(o.limit()), f.Cost()), "say --carry-limit " +
				limitFor(f.Bytes) + "; or " + without}}
	}
	return nil
}

// limitFor returns a --carry-limit that suffices for so much: whole GiB, with room to grow.
func limitFor(bytes int64) string { return fmt.Sprintf("%dGiB", bytes/(1<<30)+1+bytes/(10<<30)) }

// The lowest speed of copying and comparing a layer on an ordinary disk, for estimates.
const (
	bytesPerSecond   = 150 << 20
	entriesPerSecond = 100_000
)

// Downtime is about how long the last look at the layer takes, while the container is stopped,
// besides reading once more each file that has changed since the first.
func (f *LayerFacts) Downtime() time.Duration {
	return max(10*time.Millisecond, time.Duration(f.Entries)*time.Second/entriesPerSecond)
}

// Cost says what copying the layer costs.
func (f *LayerFacts) Cost() string {
	copying := time.Duration(f.Bytes/bytesPerSecond+1) * time.Second
	return fmt.Sprintf("it takes about %s while the container runs and about %s of its downtime, "+
		"besides reading once more each file that changes meanwhile", short(copying),
		short(f.Downtime()))
}

func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Minute).String()[:len(d.Round(time.Minute).String())-2]
	case d >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// LayerFacts returns what is known about the container's own layer; nil if it cannot be copied.
func (r *Recipe) LayerFacts() *LayerFacts { return r.o.Layer }
