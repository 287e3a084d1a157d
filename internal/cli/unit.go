package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"dropcap/internal/host"
	"dropcap/internal/kernel"
	"dropcap/internal/source"
)

// unitFolders are where systemd looks for units, the first before the others (systemd.unit(5)).
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// units finds the services that run docker, from their files and from the clients that they run.
func units(k *kernel.Reader, folders []string) []source.Unit {
	var list []source.Unit
	seen := map[string]bool{}
	for _, folder := range folders {
		files, _ := filepath.Glob(filepath.Join(folder, "*.service")) // the pattern is good
		for _, file := range files {
			name := filepath.Base(file)
			if seen[name] {
				continue
			}
			seen[name] = true
			text, err := host.ReadOwnerFile(file) // a link is a unit's alias or its mask, and not read
			if err != nil {
				continue
			}
			for _, line := range execStarts(string(text)) {
				list = append(list, source.Unit{Name: name, ExecStart: expanded(line, name)})
			}
		}
	}
	for _, c := range k.Clients() {
		if !slices.ContainsFunc(list, func(u source.Unit) bool { return u.Name == c.Unit }) {
			list = append(list, source.Unit{Name: c.Unit, ExecStart: strings.Join(c.Args, " ")})
		}
	}
	return list
}

// execStarts are the commands of a unit file that call docker. Lines that end in a backslash go on (systemd.syntax(7)).
func execStarts(text string) []string {
	var list []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		key, command, _ := strings.Cut(strings.TrimSpace(line), "=")
		program, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(command), "-@:+!|"), " ")
		if strings.TrimSpace(key) == "ExecStart" && filepath.Base(program) == "docker" {
			list = append(list, strings.TrimSpace(command))
		}
	}
	return list
}

// expanded puts the unit's name in the place of the specifiers for it.
func expanded(line, unit string) string {
	stem := strings.TrimSuffix(unit, ".service")
	prefix, instance, _ := strings.Cut(stem, "@")
	return strings.NewReplacer("%%", "%%", "%n", unit, "%N", stem, "%p", prefix, "%i", instance).Replace(line)
}

// starts tells whether the unit's command is about the container: docker start names it or its id, docker run and create by --name.
func starts(u source.Unit, name, id string) bool {
	words := strings.Fields(strings.NewReplacer(`"`, " ", "'", " ", "--name=", "--name ").Replace(u.ExecStart))
	verb := slices.IndexFunc(words, func(w string) bool { return w == "run" || w == "create" || w == "start" || w == "restart" })
	if verb < 0 {
		return false
	}
	rest := words[verb+1:]
	if words[verb] == "run" || words[verb] == "create" {
		i := slices.Index(rest, "--name")
		return i >= 0 && i+1 < len(rest) && rest[i+1] == name
	}
	return slices.ContainsFunc(rest, func(w string) bool { return w == name || len(w) >= 12 && strings.HasPrefix(id, w) })
}

// launches is whether the unit makes the container, and does not only start it.
func launches(u source.Unit) bool {
	return slices.ContainsFunc(strings.Fields(u.ExecStart), func(w string) bool { return w == "run" || w == "create" })
}
