package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// Verify proves that both layers are the same: every name, kind, owner, mode, time, attribute and
// link, and the contents of every file by digest. It returns the digest of it all. Contents that
// were read back once, and not written since, are not read again, so that a first call while the
// container runs leaves little for the last one. The error names what differs.
func (c *Carrier) Verify(ctx context.Context) (digest string, err error) {
	from, err := c.sumUp(ctx, c.from, func(e *entry) ([32]byte, error) {
		known, ok := c.known[e.path]
		if !ok || known.inode != e.stat.Ino {
			return [32]byte{}, fmt.Errorf("%q is new", e.path)
		}
		return known.digest, nil
	})
	if err != nil {
		return "", err
	}
	to, err := c.sumUp(ctx, c.to, func(e *entry) ([32]byte, error) { return c.readBack(ctx, e) })
	if err != nil {
		return "", err
	}
	for path, sum := range from.each {
		if to.each[path] != sum {
			return "", fmt.Errorf("%q is not the same", path)
		}
	}
	for path := range to.each {
		if _, ok := from.each[path]; !ok {
			return "", fmt.Errorf("%q should not be there", path)
		}
	}
	return "sha256:" + hex.EncodeToString(from.all.Sum(nil)), nil
}

// summary is a layer's digests.
type summary struct {
	all  hash.Hash
	each map[string][32]byte
}

// sumUp walks a layer. Names of one file are told apart from files that are equal: each name but
// the first stands for the first.
func (c *Carrier) sumUp(ctx context.Context, root int,
	contents func(*entry) ([32]byte, error)) (summary, error) {
	s := summary{sha256.New(), map[string][32]byte{}}
	first := map[uint64]string{}
	err := walk(ctx, root, func(e *entry) error {
		if e.isFolder() && e.folder < 0 {
			return nil // it comes again when it is left
		}
		b, err := c.sumEntry(e, first, contents)
		if err != nil {
			return err
		}
		s.each[e.path] = sha256.Sum256(b)
		s.all.Write(b)
		return nil
	})
	return s, err
}

func (c *Carrier) sumEntry(e *entry, first map[uint64]string,
	contents func(*entry) ([32]byte, error)) ([]byte, error) {
	attrs, err := attributes(e)
	if err != nil {
		return nil, err
	}
	target, err := linkTarget(e)
	if err != nil {
		return nil, err
	}
	if !e.isRegular() {
		return describe(e, attrs, target), nil
	}
	if name, ok := first[e.stat.Ino]; ok && e.stat.Nlink > 1 {
		return describe(e, attrs, "="+name), nil
	}
	first[e.stat.Ino] = e.path
	sum, err := contents(e)
	return append(describe(e, attrs, target), sum[:]...), err
}

// readBack gives the digest of a file of the new layer as it is now.
func (c *Carrier) readBack(ctx context.Context, e *entry) ([32]byte, error) {
	known := c.known[e.path]
	if now := stampOf(&e.stat); known.copied == now {
		return known.digest, nil
	}
	f, err := openFile(e)
	if err != nil {
		return [32]byte{}, err
	}
	defer f.Close()
	sum, err := digestOf(ctx, f)
	if err != nil {
		return sum, fmt.Errorf("read %q: %w", e.path, err)
	}
	if sum == known.digest {
		known.copied = stampOf(&e.stat)
		c.known[e.path] = known
	}
	return sum, nil
}
