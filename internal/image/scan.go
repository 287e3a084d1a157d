// Package image finds in a container's file tree what no check of a capability shows: file
// capabilities and setuid programs. It reads the tree as a tar stream and by names only: it never
// opens a file, never unpacks one and never keeps its content.
package image

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"dropcap"
)

// Limits bound a scan; 0 means that of Default.
type Limits struct {
	Entries  int   // of the archive
	Bytes    int64 // of the archive, contents and all
	Programs int   // that are kept
	Links    int   // that are kept
}

// Default is far beyond any honest image.
var Default = Limits{Entries: 10_000_000, Bytes: 256 << 30, Programs: 10_000, Links: 500_000}

// longest is the longest name that is kept, the kernel's PATH_MAX; a file deeper down is not
// executed by its path.
const longest = 4096

// Files is what a file tree holds of interest.
type Files struct {
	Programs []Program // by path
	Entries  int       // that were looked at
	Bytes    int64     // that were read
	// Incomplete says in one clause why there may be more; empty if the whole tree was seen.
	Incomplete string

	links map[string]string // where symbolic links lead, as written
	// Of a slim tree: the entries that the links are for, and whether those of all others outside
	// libraries are there too.
	slim, leadsAll bool
	led            []string
}

// Program is a regular file that gives something to whoever executes it.
type Program struct {
	Path         string   // absolute and clean; any bytes, since containers choose names
	Others       []string // its other names: hard links
	UID, GID     int      // the owner's numbers in the container
	SetUID       bool
	SetGID       bool
	Capabilities *Capabilities // nil if it has none
	// the image, or the container (see dropcap.FromImage); empty if nobody has asked
	From string
}

// Scan reads a tar of a file tree to its end, or to a limit, which is no error but makes it
// Incomplete; so does an archive that is damaged or cut off. The error is ctx's or the reader's
// own; what was found until then comes with it.
func Scan(ctx context.Context, r io.Reader, limits Limits) (Files, error) {
	s := scanner{
		source:   &source{ctx: ctx, r: r, left: cmp.Or(limits.Bytes, Default.Bytes)},
		limits:   limits.complete(),
		programs: map[string]*Program{},
		links:    map[string]string{},
	}
	err := s.run()
	slices.SortFunc(s.kept, func(a, b *Program) int { return cmp.Compare(a.Path, b.Path) })
	f := Files{Programs: []Program{}, Entries: s.entries,
		Bytes: cmp.Or(limits.Bytes, Default.Bytes) - s.source.left, Incomplete: s.incomplete,
		links: s.links}
	for _, p := range s.kept {
		if p.Path != "" {
			slices.Sort(p.Others)
			f.Programs = append(f.Programs, *p)
		}
	}
	if err != nil && f.Incomplete == "" {
		f.Incomplete = "the reading of its files was cut short"
	}
	return f, err
}

func (l Limits) complete() Limits {
	return Limits{cmp.Or(l.Entries, Default.Entries), cmp.Or(l.Bytes, Default.Bytes),
		cmp.Or(l.Programs, Default.Programs), cmp.Or(l.Links, Default.Links)}
}

var errLimit = errors.New("limit")

// source counts what is read, and remembers why reading ended: the tar reader tells only its own
// view of that.
type source struct {
	ctx  context.Context
	r    io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	if s.left <= 0 {
		s.err = errLimit
		return 0, s.err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type scanner struct {
	source     *source
	limits     Limits
	entries    int
	programs   map[string]*Program // by each of their names
	kept       []*Program
	links      map[string]string
	incomplete string
}

func (s *scanner) run() error {
	// The reader passes over contents by their size in the archive, so a sparse file costs what is
	// really there.
	for files := tar.NewReader(s.source); ; s.entries++ {
		if s.entries >= s.limits.Entries {
			s.lack("it has more than %d files", s.limits.Entries)
			return nil
		}
		h, err := files.Next()
		switch {
		case err == nil || errors.Is(err, tar.ErrInsecurePath):
			// names are cleaned here, and no file is made
			s.entry(h)
		case errors.Is(s.source.err, errLimit):
			s.lack("it is larger than %d MiB", s.limits.Bytes>>20)
			return nil
		case s.source.err != nil:
			return fmt.Errorf("read the files: %w", s.source.err)
		case err == io.EOF:
			return nil
		default:
			s.lack("the archive of its files is damaged or cut off")
			return nil
		}
	}
}

// lack keeps the first reason.
func (s *scanner) lack(format string, args ...any) {
	if s.incomplete == "" {
		s.incomplete = fmt.Sprintf(format, args...)
	}
}

// entry takes what matters from one header. A later entry of the same name stands for the earlier
// one.
func (s *scanner) entry(h *tar.Header) {
	name := path.Clean("/" + h.Name)
	if len(name) > longest {
		s.lack("it has a file whose name is longer than %d bytes", longest)
		return
	}
	if h.Typeflag == tar.TypeLink {
		s.hardLink(name, path.Clean("/"+h.Linkname))
		return
	}
	s.forget(name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		s.link(name, h.Linkname)
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		s.regular(name, h)
	}
}

func (s *scanner) forget(name string) {
	delete(s.links, name)
	p := s.programs[name]
	if p == nil {
		return
	}
	delete(s.programs, name)
	if i := slices.Index(p.Others, name); i >= 0 {
		p.Others = slices.Delete(p.Others, i, i+1)
		return
	}
	if len(p.Others) > 0 {
		p.Path, p.Others = p.Others[0], p.Others[1:]
		return
	}
	// it stays among those that are kept, so that an archive of one name a million times ends at
	// the limit
	p.Path = ""
}

func (s *scanner) link(name, target string) {
	switch {
	case len(target) > longest: // the kernel follows none
	case len(s.links) >= s.limits.Links:
		s.lack("it has more than %d links", s.limits.Links)
	default:
		s.links[name] = target
	}
}

func (s *scanner) regular(name string, h *tar.Header) {
	p := Program{Path: name, UID: h.Uid, GID: h.Gid, SetUID: h.Mode&0o4000 != 0,
		SetGID: h.Mode&0o2000 != 0}
	if value, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
		if c, err := ParseCapabilities([]byte(value)); err == nil {
			// else the kernel does not run the file at all
			p.Capabilities = &c
		}
	}
	switch {
	case !p.SetUID && !p.SetGID && p.Capabilities == nil:
	case len(s.kept) >= s.limits.Programs:
		s.lack("it has more than %d programs with capabilities or setuid bits", s.limits.Programs)
	default:
		s.programs[name] = &p
		s.kept = append(s.kept, &p)
	}
}

// hardLink gives a program that is already known another name; the archive has its content and
// attributes once.
func (s *scanner) hardLink(name, target string) {
	p := s.programs[target]
	if name == target {
		return
	}
	s.forget(name)
	switch target, linked := s.links[target]; {
	case linked:
		s.link(name, target)
	case p == nil:
	case len(p.Others) >= 100:
		s.lack("a program has more than 100 names")
	default:
		p.Others = append(p.Others, name)
		s.programs[name] = p
	}
}

// Sort tells the image's programs from those that the container has made or changed: written has
// the paths of the latter, and is nil where it is not known.
func (f Files) Sort(written map[string]bool) {
	for i := range f.Programs {
		p := &f.Programs[i]
		switch {
		case written == nil:
			p.From = dropcap.FromUnknown
		case slices.ContainsFunc(p.names(), func(n string) bool { return written[n] }):
			p.From = dropcap.FromWritten
		default:
			p.From = dropcap.FromImage
		}
	}
}

// mostLinks is how many symbolic links the kernel follows in one path (include/linux/namei.h,
// MAXSYMLINKS).
const mostLinks = 40

// Slim keeps of the links only those that lead to some entries, or that lie where programs do: for
// who keeps many trees.
func (f Files) Slim(entries ...string) Files {
	kept := map[string]string{}
	keep := func(link string) { kept[link] = f.links[link] }
	for _, entry := range entries {
		for _, name := range candidates(entry, nil) {
			f.resolve(name, keep)
		}
	}
	f.leadsAll = true
	for link := range f.links {
		if below(link, libraries) {
			continue
		}
		if len(kept) > mostKept {
			f.leadsAll = false
			break
		}
		f.resolve(link, keep)
	}
	f.links, f.slim, f.led = kept, true, append([]string{}, entries...)
	return f
}

// libraries are folders whose many links lead to no entry of a container, but from elsewhere.
var libraries = []string{"/usr/share", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/include",
	"/usr/src", "/lib", "/lib64", "/etc", "/var", "/dev", "/proc", "/sys"}

// mostKept bounds the links of a slim tree, beside those that lead to its entries.
const mostKept = 5000

func below(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(name, d+"/") })
}

// Leads tells whether the tree can still tell where an entry is.
func (f Files) Leads(entry string) bool {
	return !f.slim || slices.Contains(f.led, entry) || f.leadsAll && !below(path.Clean("/"+entry),
		libraries)
}

// Resolve follows the tree's symbolic links as the kernel would from its root; false if they lead
// in a ring. Nothing need be at the end.
func (f Files) Resolve(name string) (string, bool) { return f.resolve(name, func(string) {}) }

// resolve tells of each link that it follows.
func (f Files) resolve(name string, through func(link string)) (string, bool) {
	at, rest := "/", parts(name)
	for followed := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		target, linked := f.links[next]
		if !linked {
			at = next
			continue
		}
		through(next)
		if followed++; followed > mostLinks || len(rest) > longest {
			return "", false
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(parts(target), rest...)
	}
	return at, true
}

// parts splits a path, without what stands for the folder itself.
func parts(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(p string) bool {
		return p == "" || p == "."
	})
}
