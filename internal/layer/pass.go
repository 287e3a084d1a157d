package layer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Passed is what a pass has done.
type Passed struct {
	Size         // all that there is
	Copied int64 // bytes of files whose contents were looked at and copied
}

// pass is one walk over the old layer.
type pass struct {
	*Carrier
	ctx   context.Context
	began time.Time
	marks map[string]mark // of this pass
	done  Passed
	left  names
	links map[uint64]string // the first name of a file with several, by the old inode
}

// Pass makes the new layer equal to the old one, as far as that holds still. It copies the contents
// of files that may have changed since the pass before.
//
// Before it begins, what programs have written by mmap is brought to disk: a page that is written
// afterwards changes the file's times (do_page_mkwrite in mm/memory.c), so that the next pass sees
// it. That may happen as soon as the page itself is on the disk, long before the last one is: what
// is touched from the beginning of the write on is not settled.
func (c *Carrier) Pass(ctx context.Context) (Passed, error) {
	began := time.Now()
	if err := syncfs(c.from); err != nil {
		return Passed{}, fmt.Errorf("write the layer to disk: %w", err)
	}
	return c.pass(ctx, began)
}

// syncfs is a variable so that a test can have programs write meanwhile.
var syncfs = unix.Syncfs

// Last is a pass over an old layer that nobody writes any more.
func (c *Carrier) Last(ctx context.Context) (Passed, error) { return c.pass(ctx, time.Now()) }

func (c *Carrier) pass(ctx context.Context, began time.Time) (Passed, error) {
	room, err := c.Room()
	if err != nil {
		return Passed{}, err
	}
	c.spare.Store(room - Reserve)
	p := &pass{Carrier: c, ctx: ctx, began: began, marks: map[string]mark{}, left: mostNames,
		links: map[uint64]string{}}
	root := &entry{name: ".", parent: c.from, folder: c.from}
	if err := unix.Fstat(c.from, &root.stat); err != nil {
		return Passed{}, fmt.Errorf("look at the layer: %w", err)
	}
	p.marks[""] = markOf(&root.stat, p.began)
	if err := p.folder(root, &entry{name: ".", parent: c.to, folder: c.to}, 0); err != nil {
		return p.done, err
	}
	c.began, c.marks = p.began, p.marks
	return p.done, nil
}

// Reserve is how many bytes of a disk a copy leaves free for others.
const Reserve = 64 << 20

// ErrRoom is the cause where the disk has no room for the layer.
var ErrRoom = errors.New("the disk has no room for it")

// unchanged reports whether an entry has stood still since the pass before.
func (p *pass) unchanged(e *entry) bool {
	before, ok := p.Carrier.marks[e.path]
	return ok && before.settled && before.stamp == stampOf(&e.stat)
}

// folder makes one folder equal to another, both open.
func (p *pass) folder(from, to *entry, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("walk %q: folders are nested deeper than %d", from.path, maxDepth)
	}
	attrs, err := attributes(from)
	if err != nil {
		return err
	}
	names, err := namesIn(from.folder)
	if err != nil {
		return fmt.Errorf("list %q: %w", from.path, err)
	}
	if err := p.removeOthers(to, names); err != nil {
		return err
	}
	for _, name := range names {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		err := p.entry(from, to, name, depth)
		if err != nil && !errors.Is(err, errMoved) && !errors.Is(err, unix.ENOENT) {
			return err // what has moved is for the next pass
		}
	}
	if err := unix.Fstatat(to.parent, to.name, &to.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("look at %q: %w", to.path, err)
	}
	return imitate(to, &from.stat, attrs)
}

// removeOthers removes what the old folder does not have.
func (p *pass) removeOthers(to *entry, names []string) error {
	have, err := namesIn(to.folder)
	if err != nil {
		return fmt.Errorf("list %q: %w", to.path, err)
	}
	for _, name := range have {
		if _, found := slices.BinarySearch(names, name); !found {
			if err := removeAll(to.folder, name); err != nil {
				return fmt.Errorf("remove %q: %w", join(to.path, name), err)
			}
		}
	}
	return nil
}

// entry makes one name of a folder equal.
func (p *pass) entry(in, into *entry, name string, depth int) error {
	from := &entry{path: join(in.path, name), name: name, parent: in.folder, folder: -1}
	if err := unix.Fstatat(from.parent, name, &from.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("look at %q: %w", from.path, err)
	}
	if err := p.left.take(from.path); err != nil {
		return err
	}
	p.done.Entries++
	p.marks[from.path] = markOf(&from.stat, p.began)
	to := &entry{path: from.path, name: name, parent: into.folder, folder: -1}
	target, err := linkTarget(from)
	if err != nil {
		return err
	}
	there, err := p.fits(from, to, target)
	if err != nil {
		return err
	}
	if from.isFolder() {
		return p.subfolder(from, to, there, depth)
	}
	if from.isRegular() {
		linked, err := p.regular(from, to, there)
		if err != nil || linked {
			return err
		}
	} else if !there {
		if err := makeNode(from, to, target); err != nil {
			return fmt.Errorf("make %q: %w", from.path, err)
		}
	}
	return p.finish(from, to)
}

// fits reports whether something of the same kind stands at the new name; anything else is removed.
func (p *pass) fits(from, to *entry, target string) (bool, error) {
	err := unix.Fstatat(to.parent, to.name, &to.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at %q: %w", to.path, err)
	}
	same := from.kind() == to.kind() && (from.isRegular() || from.isFolder() ||
		from.stat.Rdev == to.stat.Rdev)
	if same && from.kind() == unix.S_IFLNK {
		now, err := linkTarget(to)
		if err != nil {
			return false, err
		}
		same = now == target
	}
	if same {
		return true, nil
	}
	if err := removeAll(to.parent, to.name); err != nil {
		return false, fmt.Errorf("remove %q: %w", to.path, err)
	}
	return false, nil
}

func (p *pass) subfolder(from, to *entry, there bool, depth int) error {
	if !there {
		if err := unix.Mkdirat(to.parent, to.name, 0o700); err != nil {
			return fmt.Errorf("make the folder %q: %w", to.path, err)
		}
	}
	var err error
	if from.folder, err = openFolder(from.parent, from.name); err != nil {
		return fmt.Errorf("open %q: %w", from.path, errMoved)
	}
	defer unix.Close(from.folder)
	if err := unix.Fstat(from.folder, &from.stat); err != nil {
		return fmt.Errorf("look at %q: %w", from.path, err)
	}
	if to.folder, err = openFolder(to.parent, to.name); err != nil {
		return fmt.Errorf("open %q: %w", to.path, err)
	}
	defer unix.Close(to.folder)
	return p.folder(from, to, depth+1)
}

// regular makes a file's contents equal, or its name another of a file that was copied already;
// then it reports true, and nothing of it is left to be done.
func (p *pass) regular(from, to *entry, there bool) (linked bool, err error) {
	if first, ok := p.links[from.stat.Ino]; ok && from.stat.Nlink > 1 {
		return true, p.link(first, to, there)
	}
	if from.stat.Nlink > 1 {
		p.links[from.stat.Ino] = from.path
	}
	p.done.Bytes += from.stat.Blocks * 512
	known := p.known[from.path]
	if there && known != nil && known.from == stampOf(&from.stat) && p.unchanged(from) &&
		!p.forgetful {
		return false, nil
	}
	if there && to.stat.Nlink > 1 { // its other names may be those of another file by now
		if err := unix.Unlinkat(to.parent, to.name, 0); err != nil {
			return false, fmt.Errorf("remove %q: %w", to.path, err)
		}
		there = false
	}
	p.done.Copied += from.stat.Blocks * 512
	return false, p.contents(from, to, there)
}

// link gives a file that was copied already one more name.
func (p *pass) link(first string, to *entry, there bool) error {
	parent, err := openBeneath(p.to, path.Dir(first), unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("open the folder of %q: %w", first, err)
	}
	defer unix.Close(parent)
	if there {
		var st unix.Stat_t
		err := unix.Fstatat(parent, path.Base(first), &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == nil && st.Ino == to.stat.Ino {
			return nil
		}
		if err := unix.Unlinkat(to.parent, to.name, 0); err != nil {
			return fmt.Errorf("remove %q: %w", to.path, err)
		}
	}
	if err := unix.Linkat(parent, path.Base(first), to.parent, to.name, 0); err != nil {
		return fmt.Errorf("link %q to %q: %w", to.path, first, err)
	}
	return nil
}

// finish gives what was made its owner, mode, attributes and times.
func (p *pass) finish(from, to *entry) error {
	if err := unix.Fstatat(to.parent, to.name, &to.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("look at %q: %w", to.path, err)
	}
	f, t := &from.stat, &to.stat
	if p.unchanged(from) && !p.forgetful && f.Mode == t.Mode && f.Uid == t.Uid && f.Gid == t.Gid &&
		f.Mtim == t.Mtim {
		return nil // a change of attributes would have changed its status
	}
	attrs, err := attributes(from)
	if err != nil {
		return err
	}
	if err := imitate(to, f, attrs); err != nil {
		return err
	}
	if known := p.known[to.path]; known != nil && known.read && to.isRegular() {
		if err := unix.Fstatat(to.parent, to.name, &to.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("look at %q: %w", to.path, err)
		}
		known.to, known.read = stampOf(&to.stat), false
	}
	return nil
}

// makeNode makes what is neither file nor folder. A whiteout of overlayfs is a device 0:0.
func makeNode(from, to *entry, target string) error {
	switch from.kind() {
	case unix.S_IFLNK:
		return unix.Symlinkat(target, to.parent, to.name)
	case unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK:
		return unix.Mknodat(to.parent, to.name, from.kind()|0o600, int(from.stat.Rdev))
	}
	return fmt.Errorf("it is of no kind that is known (mode %o)", from.stat.Mode)
}

// removeAll removes a name of the new layer, a folder with all that is in it.
func removeAll(parent int, name string) error {
	err := unix.Unlinkat(parent, name, 0)
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	fd, err := openFolder(parent, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeAll(fd, n); err != nil {
			return err
		}
	}
	return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
}
