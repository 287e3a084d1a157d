package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const downWithin = 20 * time.Second

// down ends every process of the engine and removes every trace of it.
func (s *supervisor) down() error {
	// The engine first: it would restart containers that have a restart policy. Nothing is stopped
	// gently: nobody will look at what it leaves.
	for _, d := range []*daemon{s.engine, s.helper} {
		if d != nil {
			syscall.Kill(d.pid, syscall.SIGKILL)
		}
	}
	if err := leaveCgroup(); err != nil {
		return fmt.Errorf("cannot leave the cgroup: %w", err)
	}
	return takeDown(s.spec, func() []int { return descendants(os.Getpid()) })
}

// takeDown ends the processes in the engine's cgroups and those that others returns,
// then removes the cgroups and the root folder.
func takeDown(spec Spec, others func() []int) error {
	dirs := cgroupsOf(spec)
	for end := time.Now().Add(downWithin); ; time.Sleep(10 * time.Millisecond) {
		pids := others()
		for _, dir := range dirs {
			thaw(dir)
			pids = append(pids, pidsIn(dir)...)
		}
		if len(pids) == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("cannot end processes %v of %s", pids, spec.ID)
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		dirs = cgroupsOf(spec)
	}
	if err := removeCgroups(spec); err != nil {
		return err
	}
	removeShared(spec)
	return removeRoot(spec.Root)
}

func removeCgroups(spec Spec) error {
	for end := time.Now().Add(downWithin); ; time.Sleep(10 * time.Millisecond) {
		dirs := cgroupsOf(spec)
		if len(dirs) == 0 {
			return nil
		}
		var failed error
		for _, dir := range dirs {
			if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
				failed = err
			}
		}
		if failed != nil && time.Now().After(end) {
			return fmt.Errorf("cannot remove a cgroup: %w", failed)
		}
	}
}

// removeShared removes cgroups that other engines may use too: those that are empty. A
// cgroup stays busy for a moment after its last process has ended.
func removeShared(spec Spec) {
	mounts, _ := cgroupMounts()
	for _, mount := range mounts {
		for _, name := range spec.SharedCgroups {
			dir := filepath.Join(mount, name)
			for range 100 {
				err := os.Remove(dir)
				if !errors.Is(err, syscall.EBUSY) || len(pidsIn(dir)) > 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
}

// removeRoot removes the engine's folder. What is mounted below it is mounted in this
// namespace only; deepest first.
func removeRoot(root string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		fields := strings.Fields(lines[i])
		if len(fields) > 4 && strings.HasPrefix(fields[4]+"/", root+"/") {
			unix.Unmount(fields[4], unix.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return fmt.Errorf("cannot remove the engine's folder: %w", err)
	}
	return nil
}

// otherCgroups returns names of containers' cgroups outside /ID, for an engine that
// has no setting for their parent.
func otherCgroups(spec Spec) []string {
	if spec.ContainerList == "" {
		return nil
	}
	text, err := os.ReadFile(spec.ContainerList)
	if err != nil {
		return nil
	}
	var containers []struct{ ID string }
	if json.Unmarshal(text, &containers) != nil {
		return nil
	}
	var names []string
	for _, c := range containers {
		for _, pattern := range spec.ContainerCgroups {
			if len(c.ID) == 64 && !strings.ContainsAny(c.ID, "/.") {
				names = append(names, fmt.Sprintf(pattern, c.ID))
			}
		}
	}
	return names
}
