// Package kernel reads what the processes of a container hold by the kernel's own word: /proc, cgroups and namespaces. It never writes
// anything, never signals or traces a process, and never takes a name for an identity: a container's processes are those of the cgroup
// that its first process is in.
package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Reader looks through one /proc and the cgroup hierarchies mounted beside it. It may be used by several goroutines at once.
type Reader struct {
	root   string // "/", or a tree of fixtures
	proc   string
	hidden bool // the mount of /proc hides the processes of others
	trees  []hierarchy

	hostNS func() string              // the user namespace of the host's first process
	around func(path string) []string // a user namespace and those around it, the nearest first
}

// New reads the mounts of this process, once. root is "/" except in tests. The error says that there is no usable /proc.
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

// path gives the file of a process.
func (r *Reader) path(pid int, file string) string {
	return r.proc + "/" + itoa(pid) + "/" + file
}
