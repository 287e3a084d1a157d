// Package frame carries a document of any size over a channel that cuts, loses and damages text:
// what a host prints, and what its controller receives. A frame has a part of the compressed
// document, with a checksum of its own; the whole has a length and a digest. The package is pure,
// and treats its input as hostile.
package frame

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// The limits of what is read. A document of 20,000 containers is about 40 MiB.
const (
	MaxWhole   = 64 << 20 // bytes of a document
	MaxEncoded = 32 << 20 // characters of a compressed and encoded one
	// Fits is how many characters of a part leave room for the other lines within the 24,000 that
	// Run Command keeps.
	Fits = 22000
	// maxDeflateRatio is how many bytes a character can stand for: deflate packs 1032 into one.
	maxDeflateRatio = 1032
)

// ErrDamaged is the cause of every error about text that is not a whole frame, or parts that do not
// form a document. Ask for it again.
var ErrDamaged = errors.New("the document is damaged")

// Part is a piece of an encoded document.
type Part struct {
	Total  int    // characters of the whole encoded document
	Offset int    // of the first character here
	Bytes  int    // of the document itself
	Digest string // SHA-256 of the document itself, 64 hexadecimal digits
	Text   string // base64
}

// End returns the offset of the next part; Total if there is none.
func (p Part) End() int { return p.Offset + len(p.Text) }

// Encode compresses a document and encodes it as one part.
func Encode(document []byte) (Part, error) {
	var b bytes.Buffer
	text := base64.NewEncoder(base64.StdEncoding, &b)
	z, err := gzip.NewWriterLevel(text, gzip.BestCompression)
	if err != nil {
		return Part{}, err
	}
	if _, err := z.Write(document); err != nil {
		return Part{}, err
	}
	if err := errors.Join(z.Close(), text.Close()); err != nil {
		return Part{}, err
	}
	sum := sha256.Sum256(document)
	return Part{Total: b.Len(), Bytes: len(document), Digest: fmt.Sprintf("%x", sum),
		Text: b.String()}, nil
}

// Cut returns the piece of a whole part that begins at the offset and has at most so many
// characters; all the rest if most is 0.
func (p Part) Cut(offset, most int) Part {
	offset = min(max(offset, 0), len(p.Text))
	end := len(p.Text)
	if most > 0 {
		end = min(end, offset+most)
	}
	p.Offset, p.Text = offset, p.Text[offset:end]
	return p
}

const (
	begin = "-----BEGIN DROPCAP DOCUMENT-----"
	end   = "-----END DROPCAP DOCUMENT-----"
	wide  = 1000 // characters on each line
)

// String returns the frame: a line of numbers, the text in lines, and a checksum, between two
// marks.
func (p Part) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d %d %d %s\n", begin, p.Total, p.Offset, p.Bytes, p.Digest)
	for rest := p.Text; rest != ""; {
		n := min(wide, len(rest))
		b.WriteString(rest[:n])
		b.WriteByte('\n')
		rest = rest[n:]
	}
	fmt.Fprintf(&b, "%08x\n%s\n", crc32.ChecksumIEEE([]byte(p.head()+p.Text)), end)
	return b.String()
}

func (p Part) head() string {
	return fmt.Sprintf("%d %d %d %s ", p.Total, p.Offset, p.Bytes, p.Digest)
}

var numbers = regexp.MustCompile(`^(\d{1,9}) (\d{1,9}) (\d{1,9}) ([0-9a-f]{64})$`)

// Find reads the first frame in a text, which may have other content before and after it.
func Find(text string) (Part, error) {
	_, rest, ok := strings.Cut(text, begin+"\n")
	if !ok {
		return Part{}, fmt.Errorf("%w: it does not begin", ErrDamaged)
	}
	body, _, ok := strings.Cut(rest, "\n"+end)
	if !ok {
		return Part{}, fmt.Errorf("%w: it does not end", ErrDamaged)
	}
	lines := strings.Split(body, "\n")
	m := numbers.FindStringSubmatch(lines[0])
	if m == nil || len(lines) < 2 {
		return Part{}, fmt.Errorf("%w: its first line is not understood", ErrDamaged)
	}
	p := Part{Digest: m[4], Text: strings.Join(lines[1:len(lines)-1], "")}
	for i, into := range []*int{&p.Total, &p.Offset, &p.Bytes} {
		*into, _ = strconv.Atoi(m[i+1]) // at most nine digits
	}
	if fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(p.head()+p.Text))) != lines[len(lines)-1] {
		return Part{}, fmt.Errorf("%w: its sum is wrong", ErrDamaged)
	}
	if p.Total > MaxEncoded || p.Bytes > MaxWhole || p.End() > p.Total {
		return Part{}, fmt.Errorf("cannot take a document of %d bytes: at most %d are read",
			p.Bytes, MaxWhole)
	}
	return p, nil
}

// BeginsIn reports whether a text contains the beginning of the part's frame: its length and the
// digest of its document.
func (p Part) BeginsIn(text string) bool {
	_, rest, ok := strings.Cut(text, begin+"\n")
	return ok && strings.HasPrefix(rest, strings.TrimSuffix(p.head(), " ")+"\n")
}

// Join appends the next part to those already read. A part of another document, or a gap, is
// damage.
func (p Part) Join(next Part) (Part, error) {
	if next.Digest != p.Digest || next.Total != p.Total || next.Bytes != p.Bytes ||
		next.Offset != p.End() {
		return p, fmt.Errorf("%w: its parts do not fit together", ErrDamaged)
	}
	p.Text += next.Text
	return p, nil
}

// Complete reports whether nothing is missing.
func (p Part) Complete() bool { return p.Offset == 0 && p.End() == p.Total }

// Document decodes a complete part. It decompresses no more than the part's stated size.
func (p Part) Document() ([]byte, error) {
	if !p.Complete() {
		return nil, fmt.Errorf("%w: it is not all there", ErrDamaged)
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(p.Text)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if p.Bytes > maxDeflateRatio*len(p.Text) {
		return nil, fmt.Errorf("%w: it cannot be so long", ErrDamaged)
	}
	document := make([]byte, p.Bytes+1) // allocated at once: growing would need twice the memory
	n, err := io.ReadFull(z, document)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	document = document[:n]
	if sum := sha256.Sum256(document); len(document) != p.Bytes ||
		fmt.Sprintf("%x", sum) != p.Digest {
		return nil, fmt.Errorf("%w: its digest is wrong", ErrDamaged)
	}
	return document, nil
}
