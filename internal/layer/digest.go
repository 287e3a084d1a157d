package layer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math"
	"os"
	"slices"
)

// digests are those of a file's blocks by their places. Blocks of zeros have none, like holes.
type digests struct {
	blocks map[int64][32]byte
	cut    int64 // place of the block that the file's end cuts; -1 if there is none
}

func newDigests() *digests { return &digests{map[int64][32]byte{}, -1} }

// add takes a block in.
func (d *digests) add(at int64, b []byte) {
	if len(b) < block {
		d.cut = at
	}
	if !isZero(b) {
		d.blocks[at] = sha256.Sum256(b)
	}
}

// take takes in a block that is the same as it was before.
func (d *digests) take(at int64, b []byte, before *digests) {
	sum, known := before.blocks[at]
	if known && len(b) == block && at != before.cut {
		d.blocks[at] = sum
		return
	}
	d.add(at, b)
}

// sum is the digest of all of them with their places.
func (d *digests) sum() (out [32]byte) {
	h := sha256.New()
	for _, at := range slices.Sorted(maps.Keys(d.blocks)) {
		var place [8]byte
		binary.LittleEndian.PutUint64(place[:], uint64(at))
		sum := d.blocks[at]
		h.Write(place[:])
		h.Write(sum[:])
	}
	h.Sum(out[:0])
	return out
}

// digest reads a file's contents.
func digest(ctx context.Context, f *os.File) (*digests, error) {
	d := newDigests()
	err := eachBlock(ctx, f, 0, math.MaxInt64, func(at int64, b []byte) error {
		d.add(at, b)
		return nil
	})
	return d, err
}
