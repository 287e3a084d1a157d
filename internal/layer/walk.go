package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDepth bounds how deep folders may be nested: each level holds a file open.
const maxDepth = 500

// mostNames bounds what is remembered of a layer, in bytes: a container can make names without end,
// and paths of any length, which occupy nothing that a disk's quota counts. perEntry is what is
// remembered of each besides its path.
const (
	mostNames = 512 << 20
	perEntry  = 300
)

var errNames = errors.New("it has more entries, or longer paths, than can be carried along")

// names is how many bytes may still be remembered.
type names int64

func (n *names) take(path string) error {
	if *n -= names(len(path) + perEntry); *n < 0 {
		return errNames
	}
	return nil
}

// entry is one name in a layer. It is valid during the call that gets it.
type entry struct {
	path   string // in the layer: "etc/hosts"; "" for the layer itself
	name   string // the last part; "." for the layer itself
	parent int    // the open folder that holds it
	folder int    // the open folder itself, if it is one and is being left; else -1
	stat   unix.Stat_t
}

func (e *entry) kind() uint32    { return e.stat.Mode & unix.S_IFMT }
func (e *entry) isRegular() bool { return e.kind() == unix.S_IFREG }
func (e *entry) isFolder() bool  { return e.kind() == unix.S_IFDIR }

// magic is a path that leads to the entry without following a link in the layer: the kernel
// resolves the first part to the open folder itself (proc(5), /proc/pid/fd).
func (e *entry) magic() string { return "/proc/self/fd/" + strconv.Itoa(e.parent) + "/" + e.name }

// walk visits everything below an open folder, names in byte order, each folder before what is in
// it, and last the folder itself again with folder set; the layer itself is visited in that second
// way only. What vanishes while it is looked at is left out.
func walk(ctx context.Context, root int, visit func(*entry) error) error {
	e := &entry{name: ".", parent: root, folder: root}
	if err := unix.Fstat(root, &e.stat); err != nil {
		return fmt.Errorf("look at the layer: %w", err)
	}
	left := names(mostNames)
	return walkFolder(ctx, e, 0, func(e *entry) error {
		if e.folder < 0 {
			if err := left.take(e.path); err != nil {
				return err
			}
		}
		return visit(e)
	})
}

func walkFolder(ctx context.Context, dir *entry, depth int, visit func(*entry) error) error {
	if depth > maxDepth {
		return fmt.Errorf("walk %q: folders are nested deeper than %d", dir.path, maxDepth)
	}
	names, err := namesIn(dir.folder)
	if err != nil {
		return fmt.Errorf("list %q: %w", dir.path, err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := &entry{path: join(dir.path, name), name: name, parent: dir.folder, folder: -1}
		switch err := unix.Fstatat(e.parent, name, &e.stat, unix.AT_SYMLINK_NOFOLLOW); {
		case errors.Is(err, unix.ENOENT):
			continue
		case err != nil:
			return fmt.Errorf("look at %q: %w", e.path, err)
		}
		if err := walkEntry(ctx, e, depth, visit); err != nil {
			return err
		}
	}
	return visit(dir)
}

func walkEntry(ctx context.Context, e *entry, depth int, visit func(*entry) error) error {
	if err := visit(e); err != nil || !e.isFolder() {
		return err
	}
	fd, err := openFolder(e.parent, e.name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // it has become something else meanwhile
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", e.path, err)
	}
	defer unix.Close(fd)
	inside := *e
	inside.folder = fd
	if err := unix.Fstat(fd, &inside.stat); err != nil {
		return fmt.Errorf("look at %q: %w", e.path, err)
	}
	return walkFolder(ctx, &inside, depth+1, visit)
}

func openFolder(parent int, name string) (int, error) {
	const how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NOATIME | unix.O_CLOEXEC
	return unix.Openat(parent, name, how, 0)
}

// openBeneath opens what stands at a path in a layer, following no link on the way, to look at it
// or to begin a path there.
func openBeneath(root int, path string, how uint64) (int, error) {
	return unix.Openat2(root, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | how,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// namesIn lists an open folder without moving its position for others.
func namesIn(folder int) ([]string, error) {
	fd, err := openFolder(folder, ".")
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "folder")
	defer f.Close()
	var list []string
	for left := names(mostNames); ; {
		some, err := f.Readdirnames(1 << 12)
		for _, name := range some {
			if err := left.take(name); err != nil {
				return nil, err
			}
		}
		if list = append(list, some...); errors.Is(err, io.EOF) {
			slices.Sort(list)
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}
