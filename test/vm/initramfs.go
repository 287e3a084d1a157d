package vm

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archive is a cpio archive in the "newc" form, which the kernel unpacks into its first root file
// system (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	buf   bytes.Buffer
	inode int
	dirs  map[string]bool
}

func newArchive() *archive { return &archive{dirs: map[string]bool{".": true}} }

const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeChar = 0o020000
)

// file adds a file and the folders above it; name is absolute.
func (a *archive) file(name string, data []byte, mode os.FileMode) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	a.parents(name)
	a.entry(name, modeFile|uint32(mode.Perm()), 0, 0, data)
}

func (a *archive) dir(name string) { a.parents(strings.TrimPrefix(name, "/") + "/x") }

func (a *archive) parents(name string) {
	dir := path.Dir(name)
	if a.dirs[dir] {
		return
	}
	a.parents(dir)
	a.dirs[dir] = true
	a.entry(dir, modeDir|0o755, 0, 0, nil)
}

func (a *archive) entry(name string, mode uint32, major, minor int, data []byte) {
	a.inode++
	fmt.Fprintf(&a.buf, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	a.pad()
	a.buf.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}

func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	return a.buf.Bytes()
}

// modules lists the files of kernel modules, each after those it needs, from depmod's list. A
// module that is built into the kernel is in no list and needs no loading.
func modules(kernel string, names []string) ([]string, error) {
	release, err := os.ReadFile(filepath.Join(kernel, "release"))
	if err != nil {
		return nil, err
	}
	root := filepath.Join(kernel, "lib/modules", strings.TrimSpace(string(release)))
	needs, err := moduleNeeds(filepath.Join(root, "modules.dep"))
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(root, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	var files []string
	seen := map[string]bool{}
	for _, name := range names {
		line, loadable := needs[name]
		if !loadable && !strings.Contains(string(builtin), "/"+name+".ko\n") {
			return nil, fmt.Errorf("cannot find the module %s for kernel %s", name, release)
		}
		// depmod lists the module first and the deepest dependency last.
		for i := len(line) - 1; i >= 0; i-- {
			if !seen[line[i]] {
				seen[line[i]] = true
				files = append(files, filepath.Join(root, line[i]))
			}
		}
	}
	return files, nil
}

func moduleNeeds(file string) (map[string][]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		files := strings.Fields(strings.Replace(line, ":", "", 1))
		if len(files) > 0 {
			needs[strings.TrimSuffix(filepath.Base(files[0]), ".ko")] = files
		}
	}
	return needs, nil
}
