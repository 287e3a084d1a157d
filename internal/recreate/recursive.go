package recreate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// nonRecursive reports whether mounts inside the container's read-only binds stay writable, as with
// those created below API 1.44 (or by an engine before 25, if not restarted since). Only the kernel
// shows it: a mount inside such a bind without "ro".
func (r *Recipe) nonRecursive() bool {
	if len(r.o.MountInfo) == 0 {
		return false
	}
	var folders []string
	for _, m := range r.in.Mounts {
		if m.Type == "bind" && !m.RW && !r.saysRecursion(cleaned(m.Destination)) {
			folders = append(folders, cleaned(m.Destination))
		}
	}
	own := r.mounted()
	lines := bufio.NewScanner(bytes.NewReader(r.o.MountInfo))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// proc_pid_mountinfo(5): the fifth is the mount point, the sixth its own options
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 {
			continue
		}
		point := unescaped(fields[4])
		inside := below(point, folders) && !slices.Contains(folders, point) &&
			!below(point, minus(own, folders))
		if inside && !slices.Contains(strings.Split(fields[5], ","), "ro") {
			return true
		}
	}
	return false
}

// saysRecursion reports whether the mount at a destination declares its recursion.
func (r *Recipe) saysRecursion(destination string) bool {
	for _, m := range r.host.Mounts {
		var o struct{ NonRecursive, ReadOnlyNonRecursive, ReadOnlyForceRecursive bool }
		if cleaned(text(m["Target"])) == destination && json.Unmarshal(orEmpty(m["BindOptions"]),
			&o) == nil {
			return o.NonRecursive || o.ReadOnlyNonRecursive || o.ReadOnlyForceRecursive
		}
	}
	return false
}

// unescaped decodes mountinfo's \040 and similar escapes (fs/proc_namespace.c, mangle).
func unescaped(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func minus(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		return slices.Contains(some, s)
	})
}
