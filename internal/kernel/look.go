package kernel

import (
	"context"
	"fmt"
	"strings"

	"dropcap"
)

// Look reads the sets of every process and thread in a container's cgroups. What cannot be seen is no error: then Visible is false and
// WhyNot is one clause. The error is dropcap.ErrGone when the container's first process does not exist, so that the caller can inspect
// again; the Kernel that comes with it holds the WhyNot for an engine that insists. Other errors are ctx's.
func (r *Reader) Look(ctx context.Context, c dropcap.Container) (dropcap.Kernel, error) {
	if !c.Running() {
		return unseen(dropcap.NotRunning), nil
	}
	if why := r.unfit(c); why != "" {
		return unseen(why), nil
	}
	list, err := r.memberships(c.PID)
	if err != nil {
		return r.lost(c.PID, err)
	}
	h := homeOf(list, c.ID)
	if len(h) == 0 {
		return unseen(fmt.Sprintf("process %d is not in this container's cgroup: the engine runs on another machine, in a VM or in another PID namespace", c.PID)), nil
	}
	pids, err := r.find(h, c.PID)
	if err != nil {
		return r.lost(c.PID, err)
	}
	l := r.newLook(c, h)
	if err := l.readAll(ctx, pids); err != nil {
		if ctx.Err() != nil {
			return dropcap.Kernel{}, ctx.Err()
		}
		return r.lost(c.PID, err)
	}
	return l.result(), nil
}

// unfit says why a container's processes would not tell the truth, or cannot be looked for.
func (r *Reader) unfit(c dropcap.Container) string {
	switch {
	case c.PID <= 0:
		return "the engine names no process of it"
	case !isID(c.ID):
		return "the engine's id for it is not 64 hexadecimal digits"
	default:
		return ownKernel(c.Runtime)
	}
}

// ownKernel recognises runtimes whose containers have a kernel of their own: their processes on this host are the sandbox's.
func ownKernel(runtime string) string {
	for _, k := range []struct{ word, what string }{
		{"runsc", "gVisor"}, {"gvisor", "gVisor"}, {"kata", "Kata Containers"}, {"krun", "libkrun"}, {"firecracker", "Firecracker"},
	} {
		if strings.Contains(strings.ToLower(runtime), k.word) {
			return fmt.Sprintf("runtime %s (%s) keeps its own kernel", runtime, k.what)
		}
	}
	return ""
}

// find lists the container's processes by its cgroups, or by all of /proc where they are not mounted.
func (r *Reader) find(h home, first int) (map[int]bool, error) {
	pids, ok, err := r.members(h)
	if err != nil {
		return nil, err
	}
	if ok && pids[first] {
		return pids, nil
	}
	return r.scan(h) // not mounted here, or what is mounted is not the hierarchy that the process is in
}

// lost turns an error into what is said of the container: gone, or not to be seen.
func (r *Reader) lost(pid int, err error) (dropcap.Kernel, error) {
	switch {
	case vanished(err) && r.hidden:
		return unseen(fmt.Sprintf("process %d is hidden: /proc is mounted with hidepid", pid)), nil
	case vanished(err):
		k := unseen(fmt.Sprintf("process %d does not exist here: the engine runs on another machine, in a VM or in another PID namespace", pid))
		return k, fmt.Errorf("look at process %d: %w", pid, dropcap.ErrGone)
	default:
		return unseen(reason(err)), nil
	}
}

func unseen(why string) dropcap.Kernel {
	return dropcap.Kernel{WhyNot: why, Processes: []dropcap.Process{}}
}
