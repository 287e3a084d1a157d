package frame

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// noise returns a document that does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func encode(t testing.TB, document []byte) Part {
	t.Helper()
	p, err := Encode(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADocumentOfAnySizeComesThroughInParts(t *testing.T) {
	for _, n := range []int{0, 1, 999, 100_000} {
		document := noise(n)
		whole := encode(t, document)
		var got Part
		for at, first := 0, true; first || at < whole.Total; first = false {
			text := "some line\n" + whole.Cut(at, Fits).String() + "after\n"
			if len(text) > 24000 {
				t.Fatalf("a part has %d characters", len(text))
			}
			p, err := Find(text)
			if err != nil {
				t.Fatal(err)
			}
			if at == 0 {
				got = p
			} else if got, err = got.Join(p); err != nil {
				t.Fatal(err)
			}
			at = p.End()
		}
		if back, err := got.Document(); err != nil || !bytes.Equal(back, document) {
			t.Errorf("%d bytes: %d came back, %v", n, len(back), err)
		}
	}
}

func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	whole, other := encode(t, noise(5000)), encode(t, noise(5001))
	first := whole.Cut(0, 1000)
	for name, next := range map[string]Part{"a gap": whole.Cut(1001, 1000), "the same again": first,
		"another document's": other.Cut(1000, 1000)} {
		if _, err := first.Join(next); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := first.Document(); !errors.Is(err, ErrDamaged) || first.Complete() {
		t.Errorf("a part alone: %v", err)
	}
}

// Damage to any one byte, and a cut at any place, is detected or harmless.
func TestDamageAtAnyByteIsFoundOrHarmless(t *testing.T) {
	document := []byte(strings.Repeat(`{"name":"web"}`, 40))
	text := "head\n" + encode(t, document).String()
	try := func(what, damaged string) {
		p, err := Find(damaged)
		if err != nil {
			return
		}
		if back, err := p.Document(); err == nil && !bytes.Equal(back, document) {
			t.Errorf("%s: %q came back", what, back)
		}
	}
	for i := range len(text) {
		for _, c := range []byte{text[i] ^ 1, ' ', '\n', 'A', 0} {
			try(fmt.Sprintf("byte %d is %q", i, c), text[:i]+string(rune(c))+text[i+1:])
		}
		try(fmt.Sprintf("byte %d is lost", i), text[:i]+text[i+1:])
		try(fmt.Sprintf("cut at %d", i), text[:i])
		try(fmt.Sprintf("begun at %d", i), text[i:])
	}
}

// forged returns a frame whose numbers are false.
func forged(bytes int, packed []byte, digest string) string {
	text := base64.StdEncoding.EncodeToString(packed)
	return Part{Total: len(text), Bytes: bytes, Digest: digest, Text: text}.String()
}

func packed(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for left := size; left > 0; left -= len(zeros) {
		if _, err := z.Write(zeros[:min(left, len(zeros))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A small frame that unpacks to 256 MiB is refused without unpacking it.
func TestABombIsNotUnpacked(t *testing.T) {
	bomb := packed(t, 1<<28)
	sum := fmt.Sprintf("%x", sha256.Sum256(make([]byte, 10)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := Find(forged(10, bomb, sum))
	if err == nil {
		_, err = p.Document()
	}
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("it took %d MiB", used>>20)
	}
	if _, err := Find(forged(MaxWhole+1, bomb[:100], sum)); err == nil ||
		errors.Is(err, ErrDamaged) {
		t.Errorf("a document that is too large: %v", err)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(encode(f, []byte(`{"a":1}`)).String())
	f.Add(encode(f, noise(5000)).Cut(1000, 2000).String())
	f.Add(begin + "\n999999999 0 1 " + strings.Repeat("0", 64) + "\n\n00000000\n" + end + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Find(text)
		if err != nil {
			return
		}
		if p.End() > p.Total || p.Total > MaxEncoded || p.Bytes > MaxWhole {
			t.Errorf("out of bounds: %d %d %d", p.Total, p.Offset, p.Bytes)
		}
		back, err := p.Document()
		if err == nil && (len(back) != p.Bytes ||
			fmt.Sprintf("%x", sha256.Sum256(back)) != p.Digest) {
			t.Error("not what it says to be")
		}
		if again, err := Find(p.String()); err != nil || again != p {
			t.Errorf("it does not come back: %v", err)
		}
	})
}
