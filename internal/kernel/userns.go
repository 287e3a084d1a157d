package kernel

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"dropcap"
)

// userNS returns the user namespace that a process's sets refer to; empty if unknown.
//
// What a process in the container's cgroup holds counts as the container's, whatever its namespace,
// with one exception: in a namespace created within the container's own it means nothing outside.
// Capabilities are relative to the namespace of the process's credentials. A process that creates
// or enters a namespace loses all that it held in the former one (kernel/user_namespace.c,
// set_cred_user_ns, replaces each set); cap_capable (security/commoncap.c) finds nothing for it in
// an outer one; and it cannot go back, since setns asks for CAP_SYS_ADMIN there (userns_install). A
// namespace that is not certainly such a one may be an outer one, a sibling, or another
// container's: there the process may hold what the container was never granted.
func (l *look) userNS(pid int) string {
	host := l.hostNS()
	if host == "" || l.ownNS == "" {
		return ""
	}
	ns, path := l.ownNS, l.path(pid, "ns/user")
	if pid != l.c.PID {
		var err error
		if ns, err = os.Readlink(path); err != nil {
			return ""
		}
	}
	switch {
	case ns == host:
		return dropcap.UserNSHost
	case ns == l.ownNS:
		return dropcap.UserNSOwn
	}
	if name, known := l.nsNames[ns]; known {
		return name
	}
	around := l.around(path)
	if len(around) == 0 || around[0] != ns {
		// not readable, or the number is another process's by now
		return dropcap.UserNSOther
	}
	name := dropcap.UserNSOther
	if slices.Contains(around, l.ownNS) {
		name = dropcap.UserNSNested
	}
	l.nsNames[ns] = name
	return name
}

// maxUserNSDepth is how deep user namespaces may be nested (kernel/user_namespace.c,
// create_user_ns).
const maxUserNSDepth = 33

// aroundUserNS returns the user namespace that a file of /proc leads to and its ancestors, the
// nearest first, as far as visible: the kernel answers EPERM for one outside this process's own
// (ns_get_owner).
func aroundUserNS(path string) []string {
	fd, err := openAt(cwd, path, unix.O_RDONLY)
	var list []string
	for err == nil && len(list) <= maxUserNSDepth {
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err == nil {
			list = append(list, fmt.Sprintf("user:[%d]", st.Ino))
		}
		up := -1
		if err == nil {
			up, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT) // ioctl_ns(2), since Linux 4.9
		}
		unix.Close(fd)
		fd = up
	}
	if err == nil {
		unix.Close(fd)
	}
	return list
}

// initialUserNS is the kernel's number for the first user namespace (include/uapi/linux/nsfs.h,
// USER_NS_INIT_INO; the same since 3.8).
const initialUserNS = "user:[4026531837]"

// hostUserNS returns the user namespace of the host's first process. Where that is unreadable, it
// returns the kernel's first one if this process is in it.
func hostUserNS(proc string) string {
	if ns, err := os.Readlink(proc + "/1/ns/user"); err == nil {
		return ns
	}
	return initialUserNS
}
