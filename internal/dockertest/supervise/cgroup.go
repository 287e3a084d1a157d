package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cgroupMounts returns the folder of every mounted cgroup hierarchy, v2 first.
func cgroupMounts() ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var v1, v2 []string
	for in := bufio.NewScanner(f); in.Scan(); {
		// 36 35 98:0 /root /mount/point options … - type source options
		before, after, _ := strings.Cut(in.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 1 {
			continue
		}
		switch kind[0] {
		case "cgroup2":
			v2 = append(v2, fields[4])
		case "cgroup":
			v1 = append(v1, fields[4])
		}
	}
	return append(v2, v1...), nil
}

// joinCgroup moves us, and so every later daemon and shim, into /ID/engine of one hierarchy, where
// a later sweep finds them if we are killed. It leaves the other hierarchies alone, so that the
// limits of the caller's cgroups apply to the daemons too.
func joinCgroup(id string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	if len(mounts) == 0 {
		return errors.New("cannot make a cgroup: no hierarchy is mounted")
	}
	// A leaf, since a v2 cgroup with controllers for containers may hold no processes.
	dir := filepath.Join(mounts[0], id, "engine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a cgroup: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
}

// leaveCgroup moves us out again, so that /ID can be removed.
func leaveCgroup() error {
	mounts, err := cgroupMounts()
	if err != nil || len(mounts) == 0 {
		return err
	}
	return os.WriteFile(filepath.Join(mounts[0], "cgroup.procs"), []byte("0"), 0)
}

// cgroupsOf returns the engine's cgroups in every hierarchy, each before its parent.
func cgroupsOf(spec Spec) []string {
	mounts, _ := cgroupMounts()
	var dirs []string
	for _, mount := range mounts {
		for _, name := range append([]string{spec.ID}, otherCgroups(spec)...) {
			filepath.WalkDir(filepath.Join(mount, name), func(path string, d fs.DirEntry,
				err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
		}
	}
	slices.Reverse(dirs)
	return dirs
}

// pidsIn returns the processes in a cgroup.
func pidsIn(dir string) []int {
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		// 0 is a process outside our pid namespace.
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// thaw lets the processes of a paused container take their SIGKILL.
func thaw(dir string) {
	writeExisting(filepath.Join(dir, "freezer.state"), "THAWED")
	writeExisting(filepath.Join(dir, "cgroup.freeze"), "0")
}

func writeExisting(file, value string) {
	if f, err := os.OpenFile(file, os.O_WRONLY, 0); err == nil {
		f.WriteString(value)
		f.Close()
	}
}
