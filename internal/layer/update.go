package layer

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// stretch is a part of a file that one processor brings up to date, in bytes: a container is
// stopped meanwhile, and waits.
const stretch = 16 * block

// update writes into a file that was copied before what the old one holds by now. What it leaves as
// it is, it has compared; what it writes, it reads back.
func (p *pass) update(to, from *os.File, size int64, before, now *digests) error {
	if err := to.Truncate(size); err != nil {
		return err
	}
	n := min(int64(runtime.GOMAXPROCS(0)), size/stretch+1)
	each := (size/n/block + 1) * block
	updates, failed := make([]updating, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range updates {
		first := int64(i) * each
		u := &updates[i]
		*u = updating{pass: p, to: to, before: before, now: newDigests(), next: first,
			there: make([]byte, block)}
		wg.Go(func() { failed[i] = u.stretch(from, first, min(first+each, size), size) })
	}
	wg.Wait()
	for i := range updates {
		maps.Copy(now.blocks, updates[i].now.blocks)
		now.cut = max(now.cut, updates[i].now.cut)
	}
	return errors.Join(failed...)
}

// updating is the update of one stretch.
type updating struct {
	*pass
	to          *os.File
	before, now *digests
	next        int64 // up to where the new file is known to be right
	there       []byte
}

// stretch brings a stretch up to date. The last one goes on to wherever the file ends by now.
func (u *updating) stretch(from *os.File, first, end, size int64) error {
	limit := end
	if end == size {
		limit = 1<<63 - 1
	}
	if err := eachBlock(u.ctx, from, first, limit, u.block); err != nil {
		return err
	}
	return u.clear(u.to, u.next, end)
}

// block brings one block up to date.
func (u *updating) block(at int64, b []byte) error {
	if err := u.clear(u.to, u.next, at); err != nil {
		return err
	}
	u.next = at + int64(len(b))
	n, err := u.to.ReadAt(u.there[:len(b)], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	same := n == len(b) && bytes.Equal(u.there[:n], b)
	if same {
		u.now.take(at, b, u.before)
		return nil
	}
	u.now.add(at, b)
	return u.overwrite(at, b)
}

// overwrite writes a block, holes as holes, and reads it back.
func (u *updating) overwrite(at int64, b []byte) error {
	var err error
	if isZero(b) {
		err = u.clear(u.to, at, at+int64(len(b)))
	} else if u.spare.Add(-int64(len(b))) < 0 {
		err = ErrRoom
	} else {
		_, err = u.to.WriteAt(b, at)
	}
	if err != nil {
		return err
	}
	n, err := u.to.ReadAt(u.there[:len(b)], at)
	if err == nil && !bytes.Equal(u.there[:n], b) || errors.Is(err, io.EOF) {
		err = errors.New("what was written reads otherwise")
	}
	return err
}

// clear makes a hole of what stands in a file from one place to another.
func (p *pass) clear(to *os.File, from, end int64) error {
	if from >= end {
		return nil
	}
	if data, err := unix.Seek(int(to.Fd()), from, unix.SEEK_DATA); errors.Is(err, unix.ENXIO) ||
		err == nil && data >= end {
		return nil
	}
	const how = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	return unix.Fallocate(int(to.Fd()), how, from, end-from)
}
