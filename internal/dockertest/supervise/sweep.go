package supervise

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Sweep takes down the engines under the folder base whose supervisor was killed.
func Sweep(base string) error {
	roots, _ := filepath.Glob(filepath.Join(base, Prefix+"*"))
	for _, root := range roots {
		info, err := os.Lstat(root)
		// base is open to other users: only what root created counts.
		if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != 0 {
			continue
		}
		r, err := readRecord(root)
		switch {
		case err != nil && time.Since(info.ModTime()) > time.Hour:
			// Its test process was killed before the supervisor had begun.
			os.RemoveAll(root)
		case err == nil && !r.alive():
			if err := takeDown(r.Spec, func() []int { return inside(root) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func readRecord(root string) (r record, err error) {
	text, err := os.ReadFile(filepath.Join(root, recordFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.Spec.Root != root {
		return r, fmt.Errorf("record of %s names %s", root, r.Spec.Root)
	}
	return r, r.Spec.check()
}

// alive reports whether the supervisor is at work.
func (r record) alive() bool {
	p := look(r.Pid)
	return p.started == r.Started && p.state != "Z"
}

// inside returns the processes that have the folder root, or something below it,
// mounted: those in the engine's mount namespace, where root is mounted on itself, and
// those in its containers. No other process sees such a mount.
func inside(root string) []int {
	var pids []int
	for _, pid := range processes() {
		mounts, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		if bytes.Contains(mounts, []byte(root+" ")) || bytes.Contains(mounts, []byte(root+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Begun reports whether a supervisor has begun in an engine's folder, and so is responsible for it.
func Begun(root string) bool {
	_, err := readRecord(root)
	return err == nil
}
