package kernel

import (
	"bytes"
	"os"
)

// MountInfo returns /proc/PID/mountinfo of a process; nil if it cannot be read.
func (r *Reader) MountInfo(pid int) []byte {
	b, err := os.ReadFile(r.path(pid, "mountinfo"))
	if pid <= 0 || err != nil {
		return nil
	}
	return b
}

// Inside reports whether this process itself runs in the container: its cgroup names the container,
// or the files that the engine mounts into each container (/etc/hostname) come from the container's
// folder, which a private cgroup namespace does not hide.
func (r *Reader) Inside(id string) bool {
	pid := os.Getpid()
	return len(id) == 64 && (mentions(r.path(pid, "cgroup"), id) ||
		mentions(r.path(pid, "mountinfo"), "/containers/"+id+"/"))
}

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
