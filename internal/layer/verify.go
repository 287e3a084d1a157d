package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// sum is the digest of an entry, and the entry as it was then.
type sum struct {
	digest [32]byte
	mark   mark
}

// Verify proves that both layers are the same: every name, kind, owner, mode, time, attribute and
// link, and the contents of every file by digest. It returns the digest of it all. What was proven
// once, and has not been touched since, is not read again, so that a first call while the container
// runs leaves little for the last one. The error names what differs.
func (c *Carrier) Verify(ctx context.Context) (digest string, err error) {
	all, _, err := c.compare(ctx, func(string) bool { return false })
	if err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}

// Check is Verify while the container runs: what has changed since the latest pass began may
// differ, and is for the next one. It reports whether nothing did.
func (c *Carrier) Check(ctx context.Context) (still bool, err error) {
	_, moved, err := c.compare(ctx, c.moving)
	return !moved, err
}

// moving reports whether an entry of the old layer, or its folder, has changed since the latest
// pass began.
func (c *Carrier) moving(name string) bool {
	for _, p := range []string{name, path.Dir(name)} {
		if p == "." {
			p = ""
		}
		var st unix.Stat_t
		if err := c.statOld(p, &st); err != nil {
			return true
		}
		if now := markOf(&st, c.began); !now.settled || now != c.marks[p] {
			return true
		}
	}
	return false
}

// statOld looks at an entry of the old layer by its path, following no link.
func (c *Carrier) statOld(name string, st *unix.Stat_t) error {
	if name == "" {
		return unix.Fstat(c.from, st)
	}
	fd, err := openBeneath(c.from, name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fstat(fd, st)
}

// compare sums up both layers and compares them entry by entry, except for those that may differ.
func (c *Carrier) compare(ctx context.Context,
	mayDiffer func(path string) bool) (all hash.Hash, moved bool, err error) {
	from, err := c.sumUp(ctx, 0, c.from, c.copied)
	if err != nil {
		return nil, false, err
	}
	to, err := c.sumUp(ctx, 1, c.to, c.readBack)
	if err != nil {
		return nil, false, err
	}
	for name, was := range from.each {
		if is, ok := to.each[name]; ok && is.digest == was.digest {
			continue
		}
		if moved = true; !mayDiffer(name) {
			return nil, moved, fmt.Errorf("%q is not the same", name)
		}
	}
	for name := range to.each {
		if _, ok := from.each[name]; ok {
			continue
		}
		if moved = true; !mayDiffer(name) {
			return nil, moved, fmt.Errorf("%q should not be there", name)
		}
	}
	c.sums = [2]map[string]sum{from.each, to.each}
	return from.all, moved, nil
}

// summary is a layer's digests.
type summary struct {
	all  hash.Hash
	each map[string]sum
}

// sumUp walks a layer. Names of one file are told apart from files that are equal: each name but
// the first stands for the first.
func (c *Carrier) sumUp(ctx context.Context, side, root int,
	contents func(context.Context, *entry) ([32]byte, error)) (summary, error) {
	s := summary{sha256.New(), map[string]sum{}}
	first := map[uint64]string{}
	now := time.Now()
	err := walk(ctx, root, func(e *entry) error {
		if e.isFolder() && e.folder < 0 {
			return nil // it comes again when it is left
		}
		linked := ""
		if e.isRegular() && e.stat.Nlink > 1 {
			if name, ok := first[e.stat.Ino]; ok {
				linked = name
			} else {
				first[e.stat.Ino] = e.path
			}
		}
		one := sum{mark: markOf(&e.stat, now)}
		before, known := c.sums[side][e.path]
		switch {
		case known && before.mark.settled && before.mark == one.mark && !c.forgetful &&
			e.stat.Nlink <= 1:
			one = before
		default:
			b, err := sumEntry(ctx, e, linked, contents)
			if errors.Is(err, errMoved) || errors.Is(err, unix.ENOENT) {
				return nil // it is missing then
			}
			if err != nil {
				return err
			}
			one.digest = sha256.Sum256(b)
		}
		s.each[e.path] = one
		s.all.Write(one.digest[:])
		return nil
	})
	return s, err
}

func sumEntry(ctx context.Context, e *entry, linked string,
	contents func(context.Context, *entry) ([32]byte, error)) ([]byte, error) {
	attrs, err := attributes(e)
	if err != nil {
		return nil, err
	}
	if linked != "" {
		return describe(e, attrs, "="+linked), nil
	}
	target, err := linkTarget(e)
	if err != nil {
		return nil, err
	}
	if !e.isRegular() {
		return describe(e, attrs, target), nil
	}
	sum, err := contents(ctx, e)
	return append(describe(e, attrs, target), sum[:]...), err
}

// copied is the digest of what was copied of a file of the old layer. One that has changed since
// has none, and so is not the same as any.
func (c *Carrier) copied(_ context.Context, e *entry) ([32]byte, error) {
	known := c.known[e.path]
	if known == nil || known.from != stampOf(&e.stat) {
		return [32]byte{}, nil
	}
	return known.digests.sum(), nil
}

// readBack is the digest of a file of the new layer as it is now.
func (c *Carrier) readBack(ctx context.Context, e *entry) ([32]byte, error) {
	known := c.known[e.path]
	if known != nil && known.to == stampOf(&e.stat) {
		return known.digests.sum(), nil
	}
	f, err := openFile(e)
	if err != nil {
		return [32]byte{}, err
	}
	defer f.Close()
	now, err := digest(ctx, f)
	if err != nil {
		return [32]byte{}, fmt.Errorf("read %q: %w", e.path, err)
	}
	sum := now.sum()
	if known != nil && sum == known.digests.sum() {
		known.to = stampOf(&e.stat)
	}
	return sum, nil
}
