package kernel

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// MountInfo is /proc/PID/mountinfo of a process; nil if it cannot be read.
func (r *Reader) MountInfo(pid int) []byte {
	b, err := os.ReadFile(r.path(pid, "mountinfo"))
	if pid <= 0 || err != nil {
		return nil
	}
	return b
}

// Inside tells whether this very process runs in the container: its cgroup names it, or the files that the engine mounts into each container
// (/etc/hostname) come from its folder, which a private cgroup namespace does not hide.
func (r *Reader) Inside(id string) bool {
	pid := os.Getpid()
	return len(id) == 64 && (mentions(r.path(pid, "cgroup"), id) || mentions(r.path(pid, "mountinfo"), "/containers/"+id+"/"))
}

// Listens tells whether the process behind a unix socket runs in the container, as a proxy in front of an engine does.
func (r *Reader) Listens(socket, id string) bool {
	pid := peer(socket)
	return len(id) == 64 && pid > 0 && mentions(r.path(pid, "cgroup"), id)
}

func mentions(file, text string) bool {
	b, err := os.ReadFile(file)
	return err == nil && bytes.Contains(b, []byte(text))
}

// Client is a docker client that a unit of systemd runs.
type Client struct {
	Unit string   // "web.service"
	Args []string // its command line
}

// Clients finds the processes that are called docker and run in a service's cgroup, as far as they may be seen. A process may call itself
// anything, so that this is a hint that a container is somebody's, and never a proof that it is nobody's.
func (r *Reader) Clients() []Client {
	var list []Client
	_ = r.eachPID(func(pid int) error {
		if firstLine(r.path(pid, "comm")) != "docker" {
			return nil
		}
		text, _ := os.ReadFile(r.path(pid, "cgroup"))
		args, _ := os.ReadFile(r.path(pid, "cmdline"))
		for _, m := range parseCgroup(text) {
			slice, _, _ := strings.Cut(strings.TrimPrefix(m.path, "/"), "/")
			if unit := filepath.Base(m.path); strings.HasSuffix(unit, ".service") && strings.HasSuffix(slice, ".slice") {
				list = append(list, Client{unit, strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")})
				break
			}
		}
		return nil
	})
	return list
}
