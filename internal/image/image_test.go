package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

const attribute = "SCHILY.xattr.security.capability"

// value returns an attribute of 32-bit words.
func value(words ...uint32) string {
	var b []byte
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return string(b)
}

var bind = value(0x02000001, 1<<caps.NetBindService, 0, 0, 0)

func TestParseCapabilities(t *testing.T) {
	for _, c := range []struct {
		value string
		want  Capabilities
		bad   bool
	}{
		{value(0x01000000, 0x2000, 0x400), Capabilities{Permitted: caps.Of(caps.NetRaw),
			Inheritable: caps.Of(caps.NetBindService)}, false},
		{bind, Capabilities{Permitted: caps.Of(caps.NetBindService), Effective: true}, false},
		{value(0x02000000, 1, 0, 1<<(caps.BPF-32), 1<<(caps.Syslog-32)),
			Capabilities{Permitted: caps.Of(caps.Chown, caps.BPF),
				Inheritable: caps.Of(caps.Syslog)}, false},
		{value(0x03000001, 0x2000, 0, 0, 0, 231072), Capabilities{Permitted: caps.Of(caps.NetRaw),
			Effective: true, RootID: 231072}, false},
		{"", Capabilities{}, true},
		{"abc", Capabilities{}, true},
		{value(0x02000001, 1, 0, 0), Capabilities{}, true},
		{value(0x01000001, 1, 0, 0), Capabilities{}, true},
		{value(0x03000001, 1, 0, 0, 0), Capabilities{}, true},
		{value(0x04000001, 1, 0, 0, 0, 0), Capabilities{}, true},
		{bind + "x", Capabilities{}, true},
	} {
		if got, err := ParseCapabilities([]byte(c.value)); got != c.want || (err != nil) != c.bad {
			t.Errorf("%x: %+v, %v; want %+v", c.value, got, err, c.want)
		}
	}
}

func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func withXattr(name, value string) tar.Header {
	return tar.Header{Name: name, Mode: 0o755, Size: 700,
		PAXRecords: map[string]string{attribute: value}}
}

func scan(t testing.TB, content []byte) Files {
	t.Helper()
	f, err := Scan(context.Background(), bytes.NewReader(content), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func paths(f Files) string {
	var list []string
	for _, p := range f.Programs {
		list = append(list, strings.Join(p.names(), "="))
	}
	return strings.Join(list, " ")
}

func TestScanFindsWhatGivesPrivileges(t *testing.T) {
	f := scan(t, archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "usr/bin/", Mode: 0o6755},
		withXattr("usr/bin/caddy", bind),
		withXattr("usr/bin/broken", "nonsense"),
		tar.Header{Name: "usr/bin/su", Mode: 0o4755, Uid: 0, Gid: 3, Size: 1},
		tar.Header{Name: "usr/bin/wall", Mode: 0o2755, Gid: 5},
		tar.Header{Name: "usr/bin/cat", Mode: 0o755, Size: 5000},
		tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/alias", Linkname: "usr/bin/caddy"},
		tar.Header{Typeflag: tar.TypeLink, Name: "usr/bin/other", Linkname: "usr/bin/cat"},
		tar.Header{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o4755},
	))
	if got, want := paths(f),
		"/usr/bin/caddy=/usr/bin/alias /usr/bin/su /usr/bin/wall"; got != want ||
		f.Incomplete != "" || f.Entries != 9 {
		t.Errorf("%q of %d, incomplete: %q; want %q", got, f.Entries, f.Incomplete, want)
	}
	caddy, su, wall := f.Programs[0], f.Programs[1], f.Programs[2]
	if caddy.Capabilities == nil || caddy.Capabilities.Permitted != caps.Of(caps.NetBindService) ||
		caddy.SetUID {
		t.Errorf("%+v", caddy)
	}
	if !su.SetUID || su.SetGID || su.GID != 3 || su.Capabilities != nil || !wall.SetGID ||
		wall.SetUID || wall.GID != 5 {
		t.Errorf("%+v, %+v", su, wall)
	}
}

func TestNamesAreTamed(t *testing.T) {
	f := scan(t, archive(t,
		withXattr("../../etc/../up", bind), withXattr("/abs//./x", bind),
		withXattr("new\nline\x1b[2J", bind), withXattr(strings.Repeat("d/", 3000)+"deep", bind),
		withXattr("..", bind),
	))
	if got, want := paths(f), "/ /abs/x /new\nline\x1b[2J /up"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.Contains(f.Incomplete, "longer than 4096") {
		t.Errorf("incomplete: %q", f.Incomplete)
	}
	for _, n := range Needs(f, Run{Executed: []dropcap.Executable{{Path: "/new\nline\x1b[2J"}}}) {
		if strings.ContainsAny(n.Because, "\n\x1b") {
			t.Errorf("%q", n.Because)
		}
	}
}

func TestALaterEntryStandsForTheEarlier(t *testing.T) {
	f := scan(t, archive(t,
		withXattr("a", bind), tar.Header{Name: "a", Mode: 0o755},
		withXattr("b", bind), tar.Header{Typeflag: tar.TypeLink, Name: "c", Linkname: "b"},
		tar.Header{Name: "b", Mode: 0o755},
		withXattr("d", bind), tar.Header{Typeflag: tar.TypeSymlink, Name: "d", Linkname: "c"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "e", Linkname: "c"}, withXattr("e", bind),
	))
	if got := paths(f); got != "/c /e" {
		t.Errorf("got %q", got)
	}
	if at, ok := f.Resolve("/d"); at != "/c" || !ok {
		t.Errorf("%s, %v", at, ok)
	}
	if at, ok := f.Resolve("/e"); at != "/e" || !ok {
		t.Errorf("%s, %v", at, ok)
	}
}

func TestResolve(t *testing.T) {
	link := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
	}
	f := scan(t, archive(t, link("bin", "usr/bin"), link("usr/bin/sh", "dash"),
		link("usr/bin/vi", "/etc/alternatives/vi"),
		link("etc/alternatives/vi", "../../../usr/bin/vim.basic"), link("loop", "loop2"),
		link("loop2", "/loop"), link("grow", "grow/grow/grow"),
		tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "usr/bin/vi"}))
	for name, want := range map[string]string{
		"/bin/sh": "/usr/bin/dash", "bin/../bin/./sh": "/usr/bin/dash",
		"/bin/vi": "/usr/bin/vim.basic", "/bin/..": "/usr", "/../x": "/x", "/": "/",
		"/loop": "", "/loop/x": "", "/grow": "", "/none/x": "/none/x",
		"/hard": "/usr/bin/vim.basic",
	} {
		if got, ok := f.Resolve(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestBoundsAreSaid(t *testing.T) {
	many := []tar.Header{}
	for i := range 300 {
		many = append(many, withXattr(fmt.Sprint("p", i), bind),
			tar.Header{Typeflag: tar.TypeSymlink, Name: fmt.Sprint("l", i), Linkname: "x"})
	}
	whole := archive(t, many...)
	damaged := bytes.Clone(whole)
	copy(damaged[10_000:], bytes.Repeat([]byte{255}, 2000))
	same := archive(t, slices.Repeat([]tar.Header{withXattr("same", bind)}, 300)...)
	for name, c := range map[string]struct {
		content []byte
		limits  Limits
		want    string
	}{
		"whole":    {whole, Limits{}, ""},
		"entries":  {whole, Limits{Entries: 100}, "more than 100 files"},
		"bytes":    {whole, Limits{Bytes: 1 << 16}, "larger than"},
		"programs": {whole, Limits{Programs: 5}, "more than 5 programs"},
		"links":    {whole, Limits{Links: 5}, "more than 5 links"},
		"same":     {same, Limits{Programs: 50}, "more than 50 programs"},
		"cut":      {whole[:20_000], Limits{}, "cut off"},
		"damaged":  {damaged, Limits{}, "damaged"},
		"nonsense": {bytes.Repeat([]byte("nonsense"), 1000), Limits{}, "damaged"},
		"name": {archive(t, tar.Header{Name: strings.Repeat("n", 1<<19),
			Format: tar.FormatPAX}), Limits{}, "longer than 4096"},
		"records": {retyped(archive(t, tar.Header{Name: "x", Size: 2 << 20}), tar.TypeXHeader),
			Limits{}, "damaged"},
	} {
		f, err := Scan(t.Context(), bytes.NewReader(c.content), c.limits)
		if err != nil || (c.want == "") != (f.Incomplete == "") || !strings.Contains(f.Incomplete,
			c.want) {
			t.Errorf("%s: incomplete %q, %v; want %q", name, f.Incomplete, err, c.want)
		}
	}
}

// retyped changes the type of the first entry, for instance to records of 2 MiB that claim to
// describe the next file.
func retyped(content []byte, kind byte) []byte {
	content[156] = kind
	copy(content[148:156], "        ")
	sum := 0
	for _, b := range content[:512] {
		sum += int(b)
	}
	copy(content[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return content
}

// endless is a file of eight exbibytes that supplies bytes as long as one reads.
type endless struct {
	head io.Reader
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	n, err := e.head.Read(p)
	if err == io.EOF {
		clear(p)
		n, err = len(p), nil
	}
	e.read += int64(n)
	return n, err
}

func bomb(t testing.TB) *endless {
	var out bytes.Buffer
	if err := tar.NewWriter(&out).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb",
		Size: 1<<63 - 1, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	return &endless{head: &out}
}

func TestABombIsGivenUp(t *testing.T) {
	b := bomb(t)
	f, err := Scan(t.Context(), b, Limits{Bytes: 64 << 20})
	if err != nil || !strings.Contains(f.Incomplete, "larger than 64 MiB") || b.read > 65<<20 {
		t.Errorf("%q, %v after %d bytes", f.Incomplete, err, b.read)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if f, err := Scan(ctx, bomb(t), Limits{}); !errors.Is(err, context.DeadlineExceeded) ||
		f.Incomplete == "" {
		t.Errorf("%q, %v", f.Incomplete, err)
	}
}

func TestTheReadersErrorIsGivenBack(t *testing.T) {
	broken := errors.New("the engine went away")
	whole := archive(t, withXattr("a", bind), tar.Header{Name: "b", Size: 100_000})
	f, err := Scan(t.Context(), io.MultiReader(bytes.NewReader(whole[:5000]), &failing{broken}),
		Limits{})
	if !errors.Is(err, broken) || paths(f) != "/a" || f.Incomplete == "" {
		t.Errorf("%q, %q, %v", paths(f), f.Incomplete, err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzParseCapabilities(f *testing.F) {
	for _, v := range []string{"", bind, value(0x01000000, 1, 2),
		value(0x03000001, 1, 2, 3, 4, 5)} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		c, err := ParseCapabilities(v)
		if err == nil != (len(v) == 12 && v[3] == 1 || len(v) == 20 && v[3] == 2 ||
			len(v) == 24 && v[3] == 3) {
			t.Fatalf("%x: %+v, %v", v, c, err)
		}
	})
}

// FuzzScan builds an archive from a few values and then corrupts it, since whole archives are too
// large for the fuzzer to shrink.
func FuzzScan(f *testing.F) {
	f.Add("usr/bin/a", "a", []byte(bind), byte(tar.TypeLink), uint16(0o4755), uint16(0), []byte{})
	f.Add("../b", "../../x", []byte{}, byte(tar.TypeSymlink), uint16(0o2755), uint16(124),
		[]byte("\x80\xff\xff\xff"))
	f.Add("c", "c", []byte(bind), byte(tar.TypeXHeader), uint16(0), uint16(512),
		[]byte("30 path=../../etc/passwd\n"))
	f.Fuzz(func(t *testing.T, name, target string, attribute []byte, kind byte, mode, at uint16,
		patch []byte) {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range []tar.Header{
			withXattr("x"+name, string(attribute)), {Typeflag: tar.TypeReg, Name: name,
				Mode: int64(mode)}, {Typeflag: tar.TypeReg, Name: target, Mode: int64(mode),
				Linkname: name},
			{Typeflag: kind, Name: name, Linkname: target, Mode: int64(mode)},
		} {
			if w.WriteHeader(&h) == nil {
				w.Write(make([]byte, h.Size))
			}
		}
		w.Close()
		content := out.Bytes()
		if int(at) < len(content) {
			copy(content[at:], patch)
		}
		for block := 0; block+512 <= len(content) && len(patch) > 0; block += 512 {
			if bytes.Equal(content[block+257:block+262], []byte("ustar")) {
				retyped(content[block:], content[block+156])
			}
		}
		files, err := Scan(t.Context(), bytes.NewReader(content), Limits{Entries: 100, Programs: 5,
			Links: 5})
		if err != nil || len(files.Programs) > 5 {
			t.Fatalf("%v, %+v", err, files)
		}
		for _, p := range files.Programs {
			for _, n := range p.names() {
				if !strings.HasPrefix(n, "/") || slices.Contains(strings.Split(n, "/"), "..") ||
					len(n) > longest {
					t.Fatalf("the name %q", n)
				}
			}
			files.Resolve(p.Path)
		}
		files.Resolve("/" + name)
		Needs(files, Run{Entry: target, Executed: []dropcap.Executable{{Path: "/" + name}}})
	})
}
