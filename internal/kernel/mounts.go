package kernel

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// mount is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	root, point, kind string
	options           []string // the file system's own, with the kernel's escapes
	id, device        string   // the ids of the mount and of the file system ("8:1")
	// what is mounted, in the words of whoever mounted it: a device, or any word
	source string
	// readOnly is the mount's own: others of the same file system may be writable.
	readOnly bool
}

// parseMountinfo parses every line in the kernel's format and skips all others.
func parseMountinfo(text []byte) []mount {
	var list []mount
	for line := range bytes.Lines(text) {
		// ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] - TYPE SOURCE SUPEROPTIONS
		left, right, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		l, r := strings.Split(left, " "), strings.Split(right, " ")
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		list = append(list, mount{
			root: unescape(l[3]), point: unescape(l[4]), kind: r[0],
			options: strings.Split(r[2], ","),
			id:      l[0], device: l[2], source: unescape(r[1]),
			readOnly: slices.Contains(strings.Split(l[5], ","), "ro"),
		})
	}
	return list
}

// unescape undoes the kernel's escapes of space, tab, newline, # and backslash: a backslash and
// three octal digits (fs/seq_file.c, mangle_path).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && s[i+1] < '4' && octal(s[i+2]) &&
			octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return '0' <= c && c <= '7' }

// hidesOthers reports whether /proc is mounted with hidepid (proc(5)). Then a missing process may
// be a hidden one.
func hidesOthers(mounts []mount) bool {
	hides := false
	for _, m := range mounts {
		if m.kind != "proc" || m.point != "/proc" {
			continue
		}
		hides = slices.ContainsFunc(m.options, func(o string) bool {
			value, ok := strings.CutPrefix(o, "hidepid=")
			return ok && value != "0" && value != "off"
		})
	}
	return hides
}

// hierarchy is a mounted cgroup tree. Version 2 lists no controllers here.
type hierarchy struct {
	// of version 1, as in the mount's options: "cpu", "cpuacct", "name=systemd"
	controllers []string
	root        string // the cgroup that is mounted
	point       string // the mount point
}

func (h hierarchy) v2() bool { return h.controllers == nil }

// hierarchies returns the cgroup mounts, whole trees before partial ones.
func hierarchies(mounts []mount) []hierarchy {
	var list []hierarchy
	for _, m := range mounts {
		switch m.kind {
		case "cgroup2":
			list = append(list, hierarchy{nil, m.root, m.point})
		case "cgroup":
			list = append(list, hierarchy{m.options, m.root, m.point})
		}
	}
	slices.SortStableFunc(list, func(a, b hierarchy) int { return len(a.root) - len(b.root) })
	return list
}

// serves reports whether a line of /proc/PID/cgroup is about this hierarchy.
func (h hierarchy) serves(m membership) bool {
	if h.v2() || m.controllers == "" {
		return h.v2() && m.controllers == ""
	}
	first, _, _ := strings.Cut(m.controllers, ",") // each controller is in one hierarchy only
	return slices.Contains(h.controllers, first)
}

// dir returns the folder of a cgroup; false if this mount does not reach it.
func (h hierarchy) dir(cgroup string) (string, bool) {
	if path.Clean(cgroup) != cgroup || strings.HasPrefix(cgroup, "/..") {
		// outside this process's cgroup namespace (kernel/cgroup/cgroup.c, cgroup_path_ns)
		return "", false
	}
	if h.root == "/" {
		return h.point + cgroup, true
	}
	rest, ok := strings.CutPrefix(cgroup, h.root)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return h.point + rest, true
}

// cgroupMode returns the layout: "v1", "v2", "hybrid" if both are mounted, "" if none is.
func cgroupMode(list []hierarchy) string {
	one, two := false, false
	for _, h := range list {
		one, two = one || !h.v2(), two || h.v2()
	}
	switch {
	case one && two:
		return "hybrid"
	case two:
		return "v2"
	case one:
		return "v1"
	default:
		return ""
	}
}
