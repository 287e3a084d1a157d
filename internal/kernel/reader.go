// Package kernel reads what the processes of a container hold from the kernel itself: /proc,
// cgroups and namespaces. It never writes anything, never signals or traces a process, and never
// takes a name for an identity: a container's processes are those in the cgroup of its first
// process.
package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Reader reads one /proc and the cgroup hierarchies mounted beside it. It is safe for concurrent
// use.
type Reader struct {
	root   string // "/", or a tree of fixtures
	proc   string
	hidden bool // /proc is mounted so that it hides other users' processes
	trees  []hierarchy

	hostNS func() string // returns the user namespace of the host's first process
	// returns a user namespace and its ancestors, the nearest first
	around func(path string) []string
}

// New reads the mounts of this process, once. root is "/" except in tests. It fails if there is no
// usable /proc.
func New(root string) (*Reader, error) {
	r := &Reader{root: root, proc: filepath.Join(root, "proc"), around: aroundUserNS}
	text, err := os.ReadFile(filepath.Join(r.proc, "self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("read the mounts of this process: %w", err)
	}
	mounts := parseMountinfo(text)
	r.trees = hierarchies(mounts)
	r.hidden = hidesOthers(mounts) && os.Geteuid() != 0
	r.hostNS = sync.OnceValue(func() string { return hostUserNS(r.proc) })
	return r, nil
}

// path returns the path of a process's file.
func (r *Reader) path(pid int, file string) string {
	return r.proc + "/" + itoa(pid) + "/" + file
}
