package owner

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"dropcap"
)

// systemd is recognised by its units (ByUnit), not by labels.
var systemd = Kind{Name: "systemd", Manager: "systemd", Source: SourceUnit}

// Client is a process that is, or claims to be, a docker client. It chooses its own arguments.
type Client struct {
	PID, UID int
	Program  string   // what it executes
	Cgroups  []string // its path in each hierarchy
	Args     []string
}

// Unit is a unit of systemd that runs a docker client.
type Unit struct {
	Name      string // "web.service"
	ExecStart string // the command, as written or as it runs
	User      bool   // belongs to the manager of the user that runs the engine
}

// ByUnit returns the container's owner: if labels name none, it is the unit that starts the
// container.
func ByUnit(c dropcap.Container, known []Unit) dropcap.Owner {
	if Of(c.Owner.Kind).Unowned {
		for _, u := range known {
			if Starts(u.ExecStart, c.Name, c.ID) {
				return dropcap.Owner{Kind: systemd.Name, Service: u.Name, Claimed: c.Owner.Claimed}
			}
		}
	}
	return c.Owner
}

// UnknownClients warns of processes that claim to be docker clients of the container, but that
// nobody with authority is known to have started. They have no effect, and their names are not
// repeated.
func UnknownClients(c dropcap.Container, clients []Client) []string {
	var list []string
	for _, s := range clients {
		if Of(c.Owner.Kind).Unowned && Starts(strings.Join(s.Args, " "), c.Name, c.ID) {
			list = append(list,
				fmt.Sprintf("process %d of user %d says that it runs this container:"+
					" if a service of that user's makes it again, the change is undone", s.PID,
					s.UID))
		}
	}
	return list
}

// UnitOf returns the unit that a client runs in, if the unit's owner may decide about the engine's
// containers: root, or the user engine, who runs a rootless engine (0 if root runs it). Placed
// reports whether root has placed a unit of that name. Anybody can start a process that claims to
// be docker, in a service or a container; such a process is not trusted.
func UnitOf(c Client, engine int, placed func(unit string) bool) (unit string, user, ok bool) {
	if path.Base(c.Program) != "docker" {
		return "", false, false
	}
	for _, cgroup := range c.Cgroups {
		if unit, ok := under(cgroup, "/system.slice"); ok && c.UID == 0 && placed(unit) {
			return unit, false, true
		}
		if id := strconv.Itoa(engine); engine > 0 && c.UID == engine {
			if unit, ok := under(cgroup, "/user.slice/user-"+id+".slice/user@"+id+".service"); ok {
				return unit, true, true
			}
		}
	}
	return "", false, false
}

// under reads the service from a cgroup's path: it comes last, after the prefix and slices only. A
// service or scope chooses the names below itself.
func under(cgroup, beginning string) (unit string, ok bool) {
	rest, found := strings.CutPrefix(cgroup, beginning+"/")
	if !found {
		return "", false
	}
	parts := strings.Split(rest, "/")
	last := parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		if !strings.HasSuffix(p, ".slice") {
			return "", false
		}
	}
	return last, strings.HasSuffix(last, ".service") && len(last) > len(".service")
}

// Files returns the names of the files that can define a unit: its own and its template's.
func Files(unit string) []string {
	prefix, _, instance := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	if !instance {
		return []string{unit}
	}
	return []string{unit, prefix + "@.service"}
}

// ExecStarts returns the commands of a unit file that call docker. A backslash continues a line
// (systemd.syntax(7)). Specifiers for the unit's name are expanded.
func ExecStarts(text, unit string) []string {
	stem := strings.TrimSuffix(unit, ".service")
	prefix, instance, _ := strings.Cut(stem, "@")
	names := strings.NewReplacer("%%", "%%", "%n", unit, "%N", stem, "%p", prefix, "%i", instance)
	var list []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		key, command, _ := strings.Cut(strings.TrimSpace(line), "=")
		program, _, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(command), "-@:+!|"), " ")
		if strings.TrimSpace(key) == "ExecStart" && path.Base(program) == "docker" {
			list = append(list, names.Replace(strings.TrimSpace(command)))
		}
	}
	return list
}

// Starts reports whether a command starts the container: docker start by name or id, docker run and
// create by --name.
func Starts(command, name, id string) bool {
	words := strings.Fields(strings.NewReplacer(`"`, " ", "'", " ", "--name=", "--name ").
		Replace(command))
	verb := slices.IndexFunc(words, func(w string) bool {
		return w == "run" || w == "create" || w == "start" || w == "restart"
	})
	if verb < 0 {
		return false
	}
	rest := words[verb+1:]
	if words[verb] == "run" || words[verb] == "create" {
		i := slices.Index(rest, "--name")
		return i >= 0 && i+1 < len(rest) && rest[i+1] == name
	}
	return slices.ContainsFunc(rest, func(w string) bool {
		return w == name || len(w) >= 12 && strings.HasPrefix(id, w)
	})
}

// Launches reports whether a command creates the container, and does not only start it.
func Launches(command string) bool {
	return slices.ContainsFunc(strings.Fields(command), func(w string) bool {
		return w == "run" || w == "create"
	})
}
