package kernel

import (
	"cmp"
	"slices"

	"dropcap"
	"dropcap/caps"
)

// resolveOrigins finds every process's origin, and drops those that turn out to have ended or not
// to belong to the container.
func (l *look) resolveOrigins() {
	execs := map[int]string{}
	for _, e := range l.c.Execs {
		if e.PID > 0 {
			execs[e.PID] = dropcap.OriginExec
			if e.Privileged {
				execs[e.PID] = dropcap.OriginExecPrivileged
			}
		}
	}
	for i := 0; i < len(l.list); i++ { // the list grows by parents that it lacked
		if l.list[i].of == 0 {
			l.climb(i, execs)
		}
	}
	for i, p := range l.list {
		if of, ok := l.at[p.of]; ok {
			l.list[i].origin = l.list[of].origin
		}
	}
	l.list = slices.DeleteFunc(l.list, func(p process) bool { return p.origin == "" })
	clear(l.at)
	for i, p := range l.list {
		if p.of == 0 {
			l.at[p.pid] = i
		}
	}
}

// climb follows a process's parents until an origin is known, and gives it to every process on the
// path. Descendants of the first process are children, and descendants of an exec belong to that
// exec. A process that another one outside the container put there is an exec that the engine did
// not name.
func (l *look) climb(i int, execs map[int]string) {
	climbed := append(l.visited[:0], i)
	defer func() { l.visited = climbed }()
	for steps := 0; len(climbed) > 0; steps++ {
		i := climbed[len(climbed)-1]
		if origin := l.originOf(i, execs); origin != "" {
			l.setOrigin(climbed, origin)
			return
		}
		switch up, found := l.parent(i); {
		case steps > 4*len(l.list):
			l.setOrigin(climbed, dropcap.OriginExec) // numbers reused during the look form a ring
			return
		case found == inside:
			climbed = append(climbed, up)
		case found == outside:
			l.setOrigin(climbed, dropcap.OriginExec)
			return
		case found == gone: // it is not reported, and those below it have another parent now
			delete(l.at, l.list[i].pid)
			climbed = climbed[:len(climbed)-1]
		}
	}
}

// originOf returns the origin that a process passes to its children, if it is known without the
// parent.
func (l *look) originOf(i int, execs map[int]string) string {
	p := &l.list[i]
	if p.pid == l.c.PID {
		p.origin = dropcap.OriginInit
		return dropcap.OriginChild
	}
	if kind, ok := execs[p.pid]; ok {
		return kind
	}
	return p.origin
}

func (l *look) setOrigin(climbed []int, origin string) {
	for _, i := range climbed {
		if l.list[i].origin == "" {
			l.list[i].origin = origin
		}
	}
}

// The results of looking for a process's parent.
const (
	inside  = iota // the parent belongs to this container
	outside        // it does not
	gone           // the process itself has ended
)

// parent returns the index of a process's parent. If the parent seems not to belong to this
// container, parent reads the process again to make sure: the parent may have ended meanwhile, or
// the process's number may belong to a stranger now.
func (l *look) parent(i int) (up, found int) {
	for range 3 {
		p := l.list[i]
		if up, ok := l.at[p.parent]; ok {
			return up, inside
		}
		if !l.strangers[p.parent] && l.stillMember(p.parent) && l.read(p.parent) == nil {
			if up, ok := l.at[p.parent]; ok {
				return up, inside
			}
		}
		l.strangers[p.parent] = true
		s, err := l.status(itoa(p.pid))
		if err != nil || !l.stillMember(p.pid) {
			return 0, gone
		}
		if s.parent == p.parent {
			return 0, outside
		}
		l.list[i].parent = s.parent
	}
	return 0, outside
}

// stillMember reports whether a process is in the container's cgroups now.
func (l *look) stillMember(pid int) bool {
	if pid <= 0 {
		return false
	}
	list, err := l.memberships(pid)
	return err == nil && l.home.contains(list)
}

// result returns this look's part of the document. What a nested user namespace holds is listed
// separately (see userNS).
func (l *look) result() dropcap.Kernel {
	all := masks{noNewPrivs: true}
	var nested *caps.Set
	for _, p := range l.list {
		if p.kind < 0 {
			continue
		}
		m := l.kinds[p.kind]
		all.noNewPrivs = all.noNewPrivs && m.noNewPrivs
		if m.userNS == dropcap.UserNSNested {
			if nested == nil {
				nested = new(caps.Set)
			}
			*nested |= m.held()
			continue
		}
		all.bounding |= m.bounding
		all.effective |= m.effective
		all.permitted |= m.permitted
		all.inheritable |= m.inheritable
		all.ambient |= m.ambient
	}
	held := all.held()
	return dropcap.Kernel{
		Visible: true, Held: &held, Bounding: &all.bounding, Effective: &all.effective,
		Permitted:   &all.permitted,
		Inheritable: &all.inheritable, Ambient: &all.ambient, NoNewPrivs: all.noNewPrivs,
		UserNS: l.userNS(l.c.PID), Nested: nested,
		Processes: l.processes(),
	}
}

// processes groups those with the same origin and masks: the first process's group first, then by
// origin and number.
func (l *look) processes() []dropcap.Process {
	type key struct {
		origin string
		kind   int
	}
	slices.SortFunc(l.list, func(a, b process) int {
		return cmp.Or(cmp.Compare(rank(a.origin), rank(b.origin)), cmp.Compare(a.pid, b.pid))
	})
	at, list := map[key]int{}, []dropcap.Process{}
	for _, p := range l.list {
		if p.kind < 0 {
			continue
		}
		k := key{p.origin, p.kind}
		i, ok := at[k]
		if !ok {
			i, at[k] = len(list), len(list)
			list = append(list, describe(p, l.kinds[p.kind]))
		}
		list[i].Count++
		if len(list[i].PIDs) < MostPIDs {
			list[i].PIDs = append(list[i].PIDs, p.pid)
		}
	}
	return list
}

// MostPIDs limits how many processes of one entry are listed by number.
const MostPIDs = 1000

func describe(p process, m masks) dropcap.Process {
	return dropcap.Process{
		Comm: p.comm, Origin: p.origin, Bounding: m.bounding.Mask(), Effective: m.effective.Mask(),
		Permitted:   m.permitted.Mask(),
		Inheritable: m.inheritable.Mask(), Ambient: m.ambient.Mask(), NoNewPrivs: m.noNewPrivs,
		UserNS: m.userNS,
	}
}

func rank(origin string) int {
	return slices.Index([]string{dropcap.OriginInit, dropcap.OriginChild, dropcap.OriginExec,
		dropcap.OriginExecPrivileged}, origin)
}
