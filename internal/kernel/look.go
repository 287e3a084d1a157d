package kernel

import (
	"context"
	"fmt"
	"strings"

	"dropcap"
)

// Look reads the sets of every process and thread in a container's cgroups. An unreadable container
// is not an error: then Visible is false and WhyNot is one clause. The error is dropcap.ErrGone if
// the container's first process does not exist, so that the caller can inspect the container again;
// the Kernel returned with it has the WhyNot to use if the engine insists that the process runs.
// All other errors come from ctx.
func (r *Reader) Look(ctx context.Context, c dropcap.Container) (dropcap.Kernel, error) {
	if !c.Running() {
		return unseen(dropcap.NotRunning), nil
	}
	if why := r.whyUnreadable(c); why != "" {
		return unseen(why), nil
	}
	list, err := r.memberships(c.PID)
	if err != nil {
		return r.lookError(c.PID, err)
	}
	h := cgroupsOf(list, c.ID)
	if len(h) == 0 {
		return unseen(fmt.Sprintf("process %d is not in this container's cgroup: the engine runs "+
			"on another machine, in a VM or in another PID namespace", c.PID)), nil
	}
	pids, err := r.find(h, c.PID)
	if err != nil {
		return r.lookError(c.PID, err)
	}
	l := r.newLook(c, h)
	if err := l.readAll(ctx, pids); err != nil {
		if ctx.Err() != nil {
			return dropcap.Kernel{}, ctx.Err()
		}
		return r.lookError(c.PID, err)
	}
	return l.result(), nil
}

// whyUnreadable returns why a container's processes would mislead, or cannot be looked for; "" if
// nothing prevents it.
func (r *Reader) whyUnreadable(c dropcap.Container) string {
	switch {
	case c.PID <= 0:
		return "the engine names no process of it"
	case !isID(c.ID):
		return "the engine's id for it is not 64 hexadecimal digits"
	default:
		return ownKernel(c.Runtime)
	}
}

// ownKernel recognises runtimes whose containers have a kernel of their own. Their processes on
// this host belong to the sandbox.
func ownKernel(runtime string) string {
	for _, k := range []struct{ word, what string }{
		{"runsc", "gVisor"}, {"gvisor", "gVisor"}, {"kata", "Kata Containers"}, {"krun", "libkrun"},
		{"firecracker", "Firecracker"},
	} {
		if strings.Contains(strings.ToLower(runtime), k.word) {
			return fmt.Sprintf("runtime %s (%s) keeps its own kernel", runtime, k.what)
		}
	}
	return ""
}

// find lists the container's processes by its cgroups, or by scanning /proc where no cgroups are
// mounted.
func (r *Reader) find(h cgroupSet, first int) (map[int]bool, error) {
	pids, ok, err := r.members(h)
	if err != nil {
		return nil, err
	}
	if ok && pids[first] {
		return pids, nil
	}
	return r.scan(h) // not mounted here, or not the hierarchy that the process is in
}

// lookError turns an error into what Look returns: the container is gone, or not visible.
func (r *Reader) lookError(pid int, err error) (dropcap.Kernel, error) {
	switch {
	case vanished(err) && r.hidden:
		return unseen(fmt.Sprintf("process %d is hidden: /proc is mounted with hidepid", pid)), nil
	case vanished(err):
		k := unseen(fmt.Sprintf("process %d does not exist here: the engine runs on another "+
			"machine, in a VM or in another PID namespace", pid))
		return k, fmt.Errorf("look at process %d: %w", pid, dropcap.ErrGone)
	default:
		return unseen(reason(err)), nil
	}
}

func unseen(why string) dropcap.Kernel {
	return dropcap.Kernel{WhyNot: why, Processes: []dropcap.Process{}}
}
