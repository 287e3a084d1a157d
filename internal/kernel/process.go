package kernel

import (
	"context"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"dropcap"
)

// process holds what is kept of a process, or of a thread whose masks differ from its process's.
type process struct {
	pid    int
	parent int
	of     int // a thread's process; 0 for a process
	kind   int // index into look.kinds; -1 for one that does not count: a zombie
	comm   string
	origin string
}

// look collects what one container's processes hold. It keeps only a few words for each process, so
// that 100,000 of them fit.
type look struct {
	*Reader
	c     dropcap.Container
	home  cgroupSet
	ownNS string // the user namespace of the first process

	nsNames map[string]string // how other user namespaces relate to the container's, by their links

	list      []process
	at        map[int]int // index in list by pid, processes only
	kinds     []masks
	kindOf    map[masks]int
	strangers map[int]bool // parents known to be outside the container
	visited   []int        // climb's, kept for reuse
}

func (r *Reader) newLook(c dropcap.Container, h cgroupSet) *look {
	ns, _ := os.Readlink(r.path(c.PID, "ns/user"))
	return &look{Reader: r, c: c, home: h, ownNS: ns, nsNames: map[string]string{},
		at:     map[int]int{},
		kindOf: map[masks]int{}, strangers: map[int]bool{}}
}

// readAll reads every process, the first one first. A process that ends meanwhile does not count;
// the end of the first one is an error.
func (l *look) readAll(ctx context.Context, pids map[int]bool) error {
	l.list = make([]process, 0, len(pids))
	if err := l.read(l.c.PID); err != nil {
		return err
	}
	n := 0
	for pid := range pids {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.read(pid); err != nil && (!vanished(err) || l.hidden) {
			return err
		}
	}
	l.resolveOrigins()
	if _, ok := l.at[l.c.PID]; !ok || l.onlyZombies() {
		return &fs.PathError{Op: "read", Path: l.path(l.c.PID, "status"), Err: unix.ESRCH}
	}
	return nil
}

// onlyZombies reports whether every process read was a zombie.
func (l *look) onlyZombies() bool {
	for _, p := range l.list {
		if p.kind >= 0 {
			return false
		}
	}
	return true
}

// read adds a process and those of its threads that differ. pid may be a thread's, since a threaded
// cgroup lists threads.
func (l *look) read(pid int) error {
	if _, ok := l.at[pid]; ok {
		return nil
	}
	s, err := l.status(itoa(pid))
	if err != nil {
		return err
	}
	if s.tgid != pid {
		return l.read(s.tgid)
	}
	p := process{pid: pid, parent: s.parent, kind: -1, comm: s.name}
	s.masks.userNS = l.userNS(pid)
	if !s.zombie {
		p.kind = l.kind(s.masks)
	}
	l.at[pid] = len(l.list)
	l.list = append(l.list, p)
	if s.threads <= 1 {
		return nil
	}
	return l.readThreads(p, s.masks.userNS)
}

// readThreads adds the threads whose masks differ from their process's, because capabilities belong
// to threads (capabilities(7)). If the first thread of the process has ended, it adds all live
// ones.
func (l *look) readThreads(p process, ns string) error {
	names, err := l.threads(p.pid)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == itoa(p.pid) {
			continue
		}
		s, err := l.status(itoa(p.pid) + "/task/" + name)
		if vanished(err) {
			continue
		}
		if err != nil {
			return err
		}
		// shared by all threads: unshare(2) refuses CLONE_NEWUSER to a process with several
		s.masks.userNS = ns
		if s.zombie || l.kind(s.masks) == p.kind {
			continue
		}
		l.list = append(l.list, process{pid: atoi(name), of: p.pid, parent: s.parent,
			kind: l.kind(s.masks), comm: s.name})
	}
	return nil
}

func (l *look) threads(pid int) ([]string, error) {
	d, err := os.Open(l.path(pid, "task"))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// kind returns the index of a distinct set of masks.
func (l *look) kind(m masks) int {
	k, ok := l.kindOf[m]
	if !ok {
		k = len(l.kinds)
		l.kinds = append(l.kinds, m)
		l.kindOf[m] = k
	}
	return k
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
