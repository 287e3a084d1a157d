package source

import "strings"

// Lodges reports whether the files say that a service lives in namespaces of services of the same
// project, so that compose makes it again with them. A container that is named directly
// ("container:vpn") compose does not follow, and what a variable or another file says is not known.
func Lodges(files []File, service string) bool {
	modes, known := []string(nil), true
	for _, f := range files {
		d, err := parse(f.Path, f.Text)
		if err != nil {
			return false
		}
		known = d.modes(service, &modes, 0) && known
	}
	lodges := false
	for _, mode := range modes {
		if strings.HasPrefix(mode, "container:") || strings.Contains(mode, "$") {
			return false
		}
		lodges = lodges || strings.HasPrefix(mode, "service:")
	}
	return lodges && known
}

// modes adds what a service, and what it extends in the same file, says of its namespaces; false if
// another file says more.
func (d *document) modes(service string, into *[]string, depth int) bool {
	_, services := value(d.root, "services")
	s := resolved(entry(resolved(services), service))
	if s == nil {
		return true
	}
	known := true
	if from := resolved(entry(s, "extends")); from != nil {
		name := from.Value
		if name == "" {
			name = scalarOf(from, "service")
		}
		known = entry(from, "file") == nil && depth < maxDepth && d.modes(name, into, depth+1)
	}
	for _, key := range []string{"network_mode", "pid", "ipc"} {
		if mode := scalarOf(s, key); mode != "" {
			*into = append(*into, mode)
		}
	}
	return known
}
