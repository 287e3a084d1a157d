package kernel

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/caps"
)

// engines are the names of the processes that grant capabilities. A proxy in front of an engine
// holds a different set.
var engines = []string{"dockerd", "podman"}

// EngineCaps returns the effective set of the engine that listens on a unix socket, and its
// process. ok is false unless that process is certain: it is the socket's peer or, under socket
// activation, where the peer is systemd, the only engine that holds the listening socket.
func (r *Reader) EngineCaps(socket string) (set caps.Set, pid int, ok bool) {
	pid = peer(socket)
	if pid <= 0 { // nobody listens, or a process of a PID namespace that is not below ours
		return 0, 0, false
	}
	if s, err := r.status(itoa(pid)); err == nil && isEngine(s.name) {
		return s.masks.effective, pid, true
	}
	var found []int
	_ = r.eachPID(func(pid int) error {
		if isEngine(firstLine(r.path(pid, "comm"))) && r.listens(pid, socket) {
			found = append(found, pid)
		}
		return nil
	})
	if len(found) != 1 {
		return 0, 0, false
	}
	s, err := r.status(itoa(found[0]))
	return s.masks.effective, found[0], err == nil
}

func isEngine(comm string) bool { return slices.Contains(engines, comm) }

// peer returns the process that called listen(2) on the socket (unix(7), SO_PEERCRED); 0 if
// unknown.
func peer(socket string) int {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET,
			unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// listens reports whether a process holds the listening socket: the path leads it to the same file
// as us, its network namespace lists a listening socket bound there, and it has that socket open.
func (r *Reader) listens(pid int, socket string) bool {
	same, err := sameFile(socket, r.path(pid, "root")+socket)
	if err != nil || !same {
		return false
	}
	text, err := os.ReadFile(r.path(pid, "net/unix"))
	if err != nil {
		return false
	}
	inodes := listening(text, func(path string) bool {
		same, err := sameFile(socket, path)
		return err == nil && same
	})
	return len(inodes) > 0 && r.holdsSocket(pid, inodes)
}

// listening parses /proc/PID/net/unix (proc_pid_net(5)) and returns the inodes of the listening
// sockets whose path matches.
func listening(text []byte, matches func(path string) bool) (inodes []string) {
	for line := range bytes.Lines(text) {
		// Num RefCount Protocol Flags Type St Inode Path
		f := strings.Fields(string(line))
		const acceptsConnections = "00010000" // __SO_ACCEPTCON (include/uapi/linux/net.h)
		if len(f) == 8 && f[3] == acceptsConnections && strings.HasPrefix(f[7], "/") &&
			matches(f[7]) {
			inodes = append(inodes, f[6])
		}
	}
	return inodes
}

func (r *Reader) holdsSocket(pid int, inodes []string) bool {
	dir := r.path(pid, "fd")
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		link, _ := os.Readlink(filepath.Join(dir, n))
		inode, isSocket := strings.CutPrefix(link, "socket:[")
		if isSocket && slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
			return true
		}
	}
	return false
}

func sameFile(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	y, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(x, y), nil
}

// Args are the words that a process was started with; nil if they may not be seen.
func (r *Reader) Args(pid int) []string {
	text, err := os.ReadFile(r.path(pid, "cmdline"))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// Dockerd is the engine's process behind a socket, if it is certainly a dockerd.
func (r *Reader) Dockerd(socket string) (pid int, ok bool) {
	_, pid, ok = r.EngineCaps(socket)
	return pid, ok && firstLine(r.path(pid, "comm")) == "dockerd"
}

// SameThere reports whether a path leads a process to the same file as us.
func (r *Reader) SameThere(pid int, path string) (bool, error) {
	return sameFile(path, r.path(pid, "root")+path)
}
