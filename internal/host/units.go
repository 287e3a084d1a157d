package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"dropcap/internal/kernel"
	"dropcap/internal/owner"
)

// unitFolders are where systemd looks for units that people write, the first before the others
// (systemd.unit(5)); made are those for units that programs make.
var (
	unitFolders = []string{
		"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
		"/usr/lib/systemd/system", "/lib/systemd/system",
	}
	madeFolders = []string{"/run/systemd/transient", "/run/systemd/generator",
		"/run/systemd/generator.early", "/run/systemd/generator.late"}
)

// Units are the units of systemd that run docker clients on this machine, and the clients of which
// nobody knows whether somebody who may decide has put them there.
type Units struct {
	Known     []owner.Unit
	Strangers []owner.Client
}

// Units finds them from unit files and from running clients.
func (s *Session) Units() Units {
	engine := 0
	if socket, ok := s.Local(); ok {
		if _, pid, ok := s.Kernel.EngineCaps(socket); ok {
			engine = s.Kernel.UID(pid)
		}
	}
	return findUnits(s.Kernel, unitFolders, madeFolders, 0, engine)
}

// findUnits looks into folders whose units count only where they belong to the user root.
func findUnits(k *kernel.Reader, folders, made []string, root, engine int) Units {
	var u Units
	seen := map[string]bool{}
	for _, folder := range folders {
		if !ownedBy(folder, root) {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(folder, "*.service")) // the pattern is good
		for _, file := range files {
			name := filepath.Base(file)
			if seen[name] || !ownedBy(file, root) {
				continue
			}
			seen[name] = true
			text, err := ReadOwnerFile(file) // a link is a unit's alias or its mask, and not read
			if err != nil {
				continue
			}
			for _, command := range owner.ExecStarts(string(text), name) {
				u.Known = append(u.Known, owner.Unit{Name: name, ExecStart: command})
			}
		}
	}
	placed := func(unit string) bool {
		return isPlaced(unit, append(slices.Clone(folders), made...), root)
	}
	for _, p := range k.Clients() {
		c := owner.Client(p)
		name, user, ok := owner.UnitOf(c, engine, placed)
		switch {
		case !ok:
			u.Strangers = append(u.Strangers, c)
		case !slices.ContainsFunc(u.Known, func(o owner.Unit) bool {
			return o.Name == name && !user
		}):
			u.Known = append(u.Known, owner.Unit{Name: name, ExecStart: strings.Join(c.Args, " "),
				User: user})
		}
	}
	return u
}

// isPlaced reports whether root has put a unit of that name into one of the folders.
func isPlaced(unit string, folders []string, root int) bool {
	for _, folder := range folders {
		for _, name := range owner.Files(unit) {
			if ownedBy(folder, root) && ownedBy(filepath.Join(folder, name), root) {
				return true
			}
		}
	}
	return false
}

// ownedBy reports whether a file or folder, and what it leads to if it is a link, belongs to the
// user and can be written by nobody else.
func ownedBy(path string, uid int) bool {
	for _, look := range []func(string) (os.FileInfo, error){os.Lstat, os.Stat} {
		i, err := look(path)
		if err != nil {
			return false
		}
		st, ok := i.Sys().(*syscall.Stat_t)
		link := i.Mode()&os.ModeSymlink != 0
		if !ok || int(st.Uid) != uid || !link && i.Mode().Perm()&0o022 != 0 {
			return false
		}
	}
	return true
}
