package deny

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
)

// folder is where a Denier is pinned. In it each version of the program has a folder of its own,
// and that is whole once it has a link.
type folder struct {
	*os.File
	path string
}

const (
	linkName    = "link"
	programFile = "program"
	turnFolder  = "turn" // see Exclusively
	bpffs       = "/sys/fs/bpf"
)

// openFolder makes the folder, if need be, and locks it.
func openFolder(path string) (*folder, error) {
	path = filepath.Clean(path)
	if err := inBPFFS(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make a folder for what is held: %w", err)
	}
	f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the folder of what is held: %w", err)
	}
	if err := ours(f); err != nil {
		f.Close()
		return nil, err
	}
	return &folder{f, path}, nil
}

func inBPFFS(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err == nil && st.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeHost, "mount it: mount -t bpf bpf "+bpffs,
		"cannot pin anything in %s: no bpf file system is mounted there", path)
}

func ours(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Uid == uint32(os.Geteuid()) && st.Mode&0o077 == 0 {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeError, "look who made "+f.Name()+", and remove it",
		"cannot pin anything in %s: others may write there", f.Name())
}

// lock keeps other processes from changing what is pinned, until the returned function is called.
func (f *folder) lock() (unlock func(), err error) {
	if f == nil {
		return func() {}, nil
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.path, err)
	}
	return func() { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }, nil
}

// versionName returns the name of this program's folder at a hook. A bpffs allows no dots in names.
func versionName(hook string) string {
	sum := sha256.Sum256(_DenialBytes)
	return programName(hook) + "-" + hex.EncodeToString(sum[:8])
}

// versions returns the folders in f that are of some version, whole or not.
func (f *folder) versions() ([]string, error) {
	list, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	var out []string
	for _, e := range list {
		for _, h := range hooks {
			if strings.HasPrefix(e.Name(), programName(h.name)+"-") {
				out = append(out, e.Name())
			}
		}
	}
	return out, nil
}

// pinned goes on with what is pinned by this version, or takes over from another, without a gap.
func pinned(o Options) (*Denier, error) {
	f, err := openFolder(o.Pin)
	if err != nil {
		return nil, err
	}
	d, err := f.open(o)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d.folder = f
	return d, nil
}

func (f *folder) open(o Options) (*Denier, error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, h := range hooks {
		if o.Hook != "" && o.Hook != h.name {
			continue
		}
		if d, err := f.resume(h.name); err == nil {
			return d, nil
		}
	}
	others, err := f.versions()
	if err != nil {
		return nil, err
	}
	d, err := fresh(o)
	if err != nil {
		return nil, err
	}
	for _, name := range others {
		if err := d.inherit(filepath.Join(f.path, name)); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	if err := f.pin(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, name := range others {
		if name != versionName(d.hook) {
			err = errors.Join(err, removeVersion(filepath.Join(f.path, name)))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("remove an earlier version: %w", err), d.Close())
	}
	return d, nil
}

// resume takes up what an earlier process of the same version pinned.
func (f *folder) resume(hook string) (*Denier, error) {
	dir := filepath.Join(f.path, versionName(hook))
	l, err := link.LoadPinnedLink(filepath.Join(dir, linkName), nil)
	if err != nil {
		return nil, err
	}
	spec, err := object()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	clear(spec.Programs)
	maps := map[string]*ebpf.Map{}
	for name := range spec.Maps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinName(name)), nil)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		defer m.Close()
		maps[name] = m
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: maps})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	d := &Denier{hook: hook, collection: c, link: l}
	d.program, err = ebpf.LoadPinnedProgram(filepath.Join(dir, programFile), nil)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// inherit takes over what another version denies. What it cannot read was not whole.
func (d *Denier) inherit(dir string) error {
	for _, name := range []string{denialMapDenied, denialMapExpected} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinName(name)), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("take over what is held: %w", err)
		}
		err = copyInto(d.collection.Maps[name], m)
		if err = errors.Join(err, m.Close()); err != nil {
			return fmt.Errorf("take over what is held: %w", err)
		}
	}
	return errors.Join(d.settle(), d.announce())
}

func copyInto(to, from *ebpf.Map) error {
	var key, value []byte
	all := from.Iterate()
	for all.Next(&key, &value) {
		if err := to.Put(key, value); err != nil {
			return err
		}
	}
	return all.Err()
}

// pinName returns a map's name in a bpffs, where no dot may be.
func pinName(name string) string { return strings.TrimPrefix(name, ".") }

// pin pins everything, the link last: from then on the folder is whole.
func (f *folder) pin(d *Denier) error {
	dir := filepath.Join(f.path, versionName(d.hook))
	if err := removeVersion(dir); err != nil { // one that is not whole
		return fmt.Errorf("remove what is not whole: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a folder for what is held: %w", err)
	}
	for name, m := range d.collection.Maps {
		if err := m.Pin(filepath.Join(dir, pinName(name))); err != nil {
			return fmt.Errorf("pin what is held: %w", err)
		}
	}
	if err := d.program.Pin(filepath.Join(dir, programFile)); err != nil {
		return fmt.Errorf("pin what is held: %w", err)
	}
	if err := d.link.Pin(filepath.Join(dir, linkName)); err != nil {
		return fmt.Errorf("pin what is held: %w", err)
	}
	return nil
}

// removeVersion removes a version's folder. Its link goes first, so that what is left of a removal
// that was interrupted denies nothing.
func removeVersion(dir string) error {
	err := os.Remove(filepath.Join(dir, linkName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// Exclusively calls f while no other process is within Exclusively for the same folder.
func (d *Denier) Exclusively(f func() error) error {
	if d.folder == nil {
		return f()
	}
	path := filepath.Join(d.folder.path, turnFolder)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("wait for others to change what is held: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("wait for others to change what is held: %w", err)
	}
	turn := folder{dir, path}
	defer turn.Close()
	unlock, err := turn.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// Held returns what is denied by what is pinned in a folder, by container. It changes nothing. It
// is no error if there is nothing.
func Held(pin string) (map[string]caps.Set, error) {
	out := map[string]caps.Set{}
	dirs, err := os.ReadDir(pin)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	for _, d := range dirs {
		dir := filepath.Join(pin, d.Name())
		if _, err := os.Stat(filepath.Join(dir, linkName)); err != nil {
			continue
		}
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, denialMapExpected),
			&ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			return nil, fmt.Errorf("read what is held: %w", err)
		}
		held, err := expectedIn(m)
		if err = errors.Join(err, m.Close()); err != nil {
			return nil, err
		}
		for id, s := range held {
			out[id] |= s
		}
	}
	return out, nil
}

// clear denies nothing any more.
func (d *Denier) clear() error {
	err := errors.Join(empty(d.collection.Maps[denialMapDenied]),
		empty(d.collection.Maps[denialMapExpected]))
	return errors.Join(err, d.announce(), d.settle())
}

func empty(m *ebpf.Map) (err error) {
	var keys [][]byte
	var key, value []byte
	all := m.Iterate()
	for all.Next(&key, &value) {
		keys = append(keys, slices.Clone(key))
	}
	err = all.Err()
	for _, k := range keys {
		err = errors.Join(err, m.Delete(k))
	}
	return err
}

// Release removes what is pinned in a folder; the kernel lets go of everything at once. It is no
// error if there is nothing.
func Release(pin string) error {
	if _, err := os.Stat(pin); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := openFolder(pin)
	if err != nil {
		return err
	}
	defer f.Close()
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, h := range hooks { // other processes may have it open
		if d, e := f.resume(h.name); e == nil {
			err = errors.Join(err, d.clear(), d.Close())
		}
	}
	list, e := f.versions()
	err = errors.Join(err, e)
	for _, name := range list {
		err = errors.Join(err, removeVersion(filepath.Join(f.path, name)))
	}
	_ = os.Remove(filepath.Join(f.path, turnFolder)) // it need not be there
	if err = errors.Join(err, os.Remove(f.path)); err != nil {
		return fmt.Errorf("release what is held: %w", err)
	}
	return nil
}
