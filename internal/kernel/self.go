package kernel

import (
	"bytes"
	"os"
	"slices"
	"strings"
)

// MountInfo returns /proc/PID/mountinfo of a process; nil if it cannot be read.
func (r *Reader) MountInfo(pid int) []byte {
	b, err := os.ReadFile(r.path(pid, "mountinfo"))
	if pid <= 0 || err != nil {
		return nil
	}
	return b
}

// Inside reports whether this process itself runs in the container: its cgroup names it, or the
// files that the engine binds into each container come from its folder, which a private cgroup
// namespace does not hide. A host's own table names that folder too, as the place where the engine
// mounts the container's shared memory (moby daemon/container_operations_unix.go, setupIpcDirs), so
// only what is mounted counts, and not where.
func (r *Reader) Inside(id string) bool {
	pid := os.Getpid()
	if len(id) != 64 || mentions(r.path(pid, "cgroup"), id) {
		return len(id) == 64
	}
	for _, m := range parseMountinfo(r.MountInfo(pid)) {
		name, etc := strings.CutPrefix(m.point, "/etc/")
		if etc && slices.Contains(boundFiles, name) && strings.HasSuffix(m.root, "/containers/"+id+
			"/"+name) {
			return true
		}
	}
	return false
}

// boundFiles are what the engine binds into each container's /etc (moby daemon/volumes_unix.go,
// NetworkMounts in container/container_unix.go).
var boundFiles = []string{"hostname", "hosts", "resolv.conf"}

// Listens reports whether the process behind a unix socket runs in the container, as a proxy in
// front of an engine does.
func (r *Reader) Listens(socket, id string) bool {
	pid := peer(socket)
	return len(id) == 64 && pid > 0 && mentions(r.path(pid, "cgroup"), id)
}

func mentions(file, text string) bool {
	b, err := os.ReadFile(file)
	return err == nil && bytes.Contains(b, []byte(text))
}
