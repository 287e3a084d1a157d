package learn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dropcap/internal/image"
)

// The limits of scanning containers' files: a container can write as much as its disk holds, and
// rewrite it at any time.
const (
	scanBytes = 64 << 30 // at most, of one container
	scanTime  = 10 * time.Minute
	dayBytes  = 4 * scanBytes // of all, in a day
	scanDay   = 24 * time.Hour
)

// budget limits what is read of all containers' files.
type budget struct {
	mu    sync.Mutex
	since time.Time
	left  int64
	most  int64
	time  time.Duration // for one
}

func newBudget() *budget {
	return &budget{since: time.Now(), left: dayBytes, most: dayBytes, time: scanTime}
}

// reserve returns the limits of the next scan, and false if the budget is spent.
func (b *budget) reserve() (image.Limits, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.since) > scanDay {
		b.since, b.left = time.Now(), b.most
	}
	if b.left <= 0 {
		return image.Limits{}, false
	}
	l := image.Limits{Bytes: min(scanBytes, b.left)}
	b.left -= l.Bytes
	return l, true
}

// refund returns what a scan did not read to the budget.
func (b *budget) refund(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(b.left+bytes, b.most)
}

// look scans a container's files within the budget, and separates the image's programs from the
// container's own. An incomplete scan counts for what it found, and reports what is missing.
func (b *budget) look(ctx context.Context, e Engine, id string) (image.Files, error) {
	limits, ok := b.reserve()
	if !ok {
		return image.Files{Incomplete: fmt.Sprintf("the %d GiB that may be read of containers' "+
			"files in a day are used up", b.most>>30)}, nil
	}
	within, cancel := context.WithTimeout(ctx, b.time)
	defer cancel()
	files, err := e.Files(within, id, limits)
	b.refund(limits.Bytes - files.Bytes)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		files.Incomplete, err = fmt.Sprintf("reading them takes longer than %s", b.time), nil
	}
	if err != nil {
		return files, err
	}
	if len(files.Programs) == 0 {
		return files, nil
	}
	written, _ := e.Written(ctx, id) // nil if unknown
	files.Sort(written)
	return files, nil
}
