// Package image finds in a container's file tree what no capability check shows: file capabilities
// and setuid programs. It reads the tree as a tar stream and by names only: it never opens, unpacks
// or keeps a file.
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

// Limits limits a scan; 0 means the value in Default.
type Limits struct {
	Entries  int   // in the archive
	Bytes    int64 // of the archive, with contents
	Programs int   // kept
	Links    int   // kept
}

// Default is far beyond any honest image.
var Default = Limits{Entries: 10_000_000, Bytes: 256 << 30, Programs: 10_000, Links: 500_000}

// longest is the length of the longest name kept, the kernel's PATH_MAX; a deeper file is not
// executed by its path.
const longest = 4096

// Files holds what matters of a file tree.
type Files struct {
	Programs []Program // by path
	Entries  int       // read
	Bytes    int64     // read
	// Incomplete says in one clause why there may be more; empty if the whole tree was read.
	Incomplete string

	links map[string]string // the targets of symbolic links, as written
	// The links of a slim tree lead to the entries in led; leadsAll means that the links of all
	// other entries outside libraries are kept too.
	slim, leadsAll bool
	led            []string
}

// Program is a regular file that grants something to whoever executes it.
type Program struct {
	Path         string   // absolute and clean; any bytes, since containers choose names
	Others       []string // its other names: hard links
	UID, GID     int      // the owner's ids in the container
	SetUID       bool
	SetGID       bool
	Capabilities *Capabilities // nil if it has none
	// the image or the container (see dropcap.FromImage); empty if unknown
	From string
}

// Scan reads a tar of a file tree to its end or to a limit. A limit is not an error but sets
// Incomplete, and so does a damaged or truncated archive. The error comes from ctx or from the
// reader; the files found until then are returned with it.
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

// source counts what is read, and remembers why reading ended: the tar reader only returns its own
// view.
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
	// The reader skips contents by their size in the archive, so a sparse file costs only what it
	// really contains.
	for files := tar.NewReader(s.source); ; s.entries++ {
		if s.entries >= s.limits.Entries {
			s.markIncomplete("it has more than %d files", s.limits.Entries)
			return nil
		}
		h, err := files.Next()
		switch {
		case err == nil || errors.Is(err, tar.ErrInsecurePath):
			// names are cleaned here, and no file is created
			s.entry(h)
		case errors.Is(s.source.err, errLimit):
			s.markIncomplete("it is larger than %d MiB", s.limits.Bytes>>20)
			return nil
		case s.source.err != nil:
			return fmt.Errorf("read the files: %w", s.source.err)
		case err == io.EOF:
			return nil
		default:
			s.markIncomplete("the archive of its files is damaged or cut off")
			return nil
		}
	}
}

// markIncomplete sets Incomplete and keeps the first reason.
func (s *scanner) markIncomplete(format string, args ...any) {
	if s.incomplete == "" {
		s.incomplete = fmt.Sprintf(format, args...)
	}
}

// entry takes what matters from one header. A later entry of the same name replaces the earlier
// one.
func (s *scanner) entry(h *tar.Header) {
	name := path.Clean("/" + h.Name)
	if len(name) > longest {
		s.markIncomplete("it has a file whose name is longer than %d bytes", longest)
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
	// it still counts, so that an archive that repeats one name a million times meets the limit
	p.Path = ""
}

func (s *scanner) link(name, target string) {
	switch {
	case len(target) > longest: // the kernel follows no longer one
	case len(s.links) >= s.limits.Links:
		s.markIncomplete("it has more than %d links", s.limits.Links)
	default:
		s.links[name] = target
	}
}

func (s *scanner) regular(name string, h *tar.Header) {
	p := Program{Path: name, UID: h.Uid, GID: h.Gid, SetUID: h.Mode&0o4000 != 0,
		SetGID: h.Mode&0o2000 != 0}
	if value, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
		if c, err := ParseCapabilities([]byte(value)); err == nil {
			// else the kernel refuses to execute the file
			p.Capabilities = &c
		}
	}
	switch {
	case !p.SetUID && !p.SetGID && p.Capabilities == nil:
	case len(s.kept) >= s.limits.Programs:
		s.markIncomplete("it has more than %d programs with capabilities or setuid bits",
			s.limits.Programs)
	default:
		s.programs[name] = &p
		s.kept = append(s.kept, &p)
	}
}

// hardLink adds a name to a program already found; the archive has its content and attributes only
// once.
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
		s.markIncomplete("a program has more than 100 names")
	default:
		p.Others = append(p.Others, name)
		s.programs[name] = p
	}
}

// Sort separates the image's programs from those that the container created or changed. written has
// the paths of the latter; nil means unknown.
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

// maxSymlinks is how many symbolic links the kernel follows in one path (include/linux/namei.h,
// MAXSYMLINKS).
const maxSymlinks = 40

// Slim keeps only the links that lead to some entries, or that lie where programs do, for callers
// that keep many trees.
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
		if len(kept) > maxSlimLinks {
			f.leadsAll = false
			break
		}
		f.resolve(link, keep)
	}
	f.links, f.slim, f.led = kept, true, append([]string{}, entries...)
	return f
}

// libraries are folders with many links that lead to no entry of a container, except from
// elsewhere.
var libraries = []string{"/usr/share", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/include",
	"/usr/src", "/lib", "/lib64", "/etc", "/var", "/dev", "/proc", "/sys"}

// maxSlimLinks limits the links of a slim tree, beside those that lead to its entries.
const maxSlimLinks = 5000

func below(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(name, d+"/") })
}

// CanResolve reports whether the tree can still resolve an entry.
func (f Files) CanResolve(entry string) bool {
	return !f.slim || slices.Contains(f.led, entry) || f.leadsAll && !below(path.Clean("/"+entry),
		libraries)
}

// Resolve follows the tree's symbolic links as the kernel would from its root; false if they form a
// loop. The target need not exist.
func (f Files) Resolve(name string) (string, bool) { return f.resolve(name, func(string) {}) }

// resolve calls through for each link that it follows.
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
		if followed++; followed > maxSymlinks || len(rest) > longest {
			return "", false
		}
		if path.IsAbs(target) {
			at = "/"
		}
		rest = append(parts(target), rest...)
	}
	return at, true
}

// parts splits a path and drops empty and "." components.
func parts(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(p string) bool {
		return p == "" || p == "."
	})
}
