package recreate

import (
	"fmt"
	"math"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// LayerFacts are what is known of a container's own layer by its files.
type LayerFacts struct {
	Bytes   int64 // that its files occupy
	Entries int64 // files, folders, links and whatever else
	Room    int64 // that a copy may take of the disk, in bytes
	Shares  bool  // files may be able to share their blocks, so that a copy needs no room
}

// DefaultCarryLimit is how much of a layer is carried along unasked, in bytes.
const DefaultCarryLimit = 1 << 30

// NoCarryLimit is the limit of whoever was asked and agreed.
const NoCarryLimit = math.MaxInt64

// carriable reports whether the layer can be carried along at all.
func (r *Recipe) carriable(o Options) bool {
	return r.o.Layer != nil && !o.DiscardLayer &&
		(o.Strategy == "" || o.Strategy == dropcap.StrategyRecreate)
}

// Carries reports whether the layer is carried along into a new container. One with nothing in it
// that anybody counts on is not, where it is large.
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

// uncarried is what speaks against carrying a layer along that could be.
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

// limitFor is a limit for --carry-limit by which so much is carried along: whole GiB, with room to
// grow.
func limitFor(bytes int64) string { return fmt.Sprintf("%dGiB", bytes/(1<<30)+1+bytes/(10<<30)) }

// How fast a layer is copied and compared, at least, on an ordinary disk: for estimates.
const (
	bytesPerSecond   = 150 << 20
	entriesPerSecond = 100_000
)

// Downtime is about how long the last look at the layer takes, while the container is stopped,
// besides reading once more each file that has changed since the first.
func (f *LayerFacts) Downtime() time.Duration {
	return max(10*time.Millisecond, time.Duration(f.Entries)*time.Second/entriesPerSecond)
}

// Cost says what carrying the layer along takes.
func (f *LayerFacts) Cost() string {
	copying := time.Duration(f.Bytes/bytesPerSecond+1) * time.Second
	return fmt.Sprintf("it takes about %s while the container runs and about %s of its downtime, "+
		"besides reading once more each file that changes meanwhile", short(copying), short(f.Downtime()))
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

// LayerFacts are what is known of the container's own layer; nil where it cannot be carried along.
func (r *Recipe) LayerFacts() *LayerFacts { return r.o.Layer }
