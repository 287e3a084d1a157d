package audit

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Edit is a change of a declaration's lists.
type Edit struct {
	RemoveAdd caps.Set  // names to take out of CapAdd
	AddDrop   caps.Set  // names to put into CapDrop
	Only      *caps.Set // instead of both: CapDrop ALL, and exactly this in CapAdd
}

// Without finds the shortest edit after which the engine no longer grants the set, of what it
// grants now. A name in CapAdd has to go from there, since an add wins over a drop; the rest is
// dropped by name, or everything is and the little that stays is added.
func Without(d dropcap.Declared, defaults *caps.Set, granted *caps.Set, set caps.Set) Edit {
	var e Edit
	for _, c := range set.List() {
		if named(d.Add, c) {
			e.RemoveAdd |= caps.Of(c)
		}
		dropAll := hasAll(d.Drop) && !hasAll(d.Add)
		if hasAll(d.Add) || !dropAll && (defaults == nil || defaults.Has(c)) {
			e.AddDrop |= caps.Of(c)
		}
	}
	if granted != nil {
		if stay := granted.Minus(set); stay.Len()+1 < e.RemoveAdd.Len()+e.AddDrop.Len() {
			return Edit{Only: &stay}
		}
	}
	return e
}

// Apply gives the declaration after the edit; names that stay keep their spelling.
func (e Edit) Apply(d dropcap.Declared) dropcap.Declared {
	out := dropcap.Declared{Privileged: d.Privileged}
	if e.Only != nil {
		out.Drop = []string{caps.All}
		for _, c := range e.Only.List() {
			out.Add = append(out.Add, c.Short())
		}
		return out
	}
	for _, n := range d.Add {
		if c, err := caps.Parse(n); err == nil && e.RemoveAdd.Has(c) {
			continue
		}
		out.Add = append(out.Add, n)
	}
	out.Drop = append(out.Drop, d.Drop...)
	for _, c := range e.AddDrop.List() {
		if !named(d.Drop, c) {
			out.Drop = append(out.Drop, c.Short())
		}
	}
	return out
}

// fix says the edit in the owner's own language.
func (x subject) fix(set caps.Set) string {
	e := Without(x.c.Declared, x.host.Defaults, x.c.Predicted, set)
	l := languages[x.c.Owner.Kind]
	if l == nil {
		l = dockerRun
	}
	return l(x.c, e)
}

// mend is one fix for all findings that a change of the lists mends, if they are several.
func (x subject) mend(findings []dropcap.Finding) string {
	var set caps.Set
	n := 0
	for _, f := range findings {
		switch f.Rule {
		case dropcap.RuleNetRaw, dropcap.RuleAdded, dropcap.RuleUnneeded:
			if f.Counts() {
				set |= f.Caps
				n++
			}
		}
	}
	if n < 2 {
		return ""
	}
	return x.fix(set)
}

// languages tells, by owner, how an edit is said there.
var languages = map[string]func(dropcap.Container, Edit) string{
	"compose": func(c dropcap.Container, e Edit) string {
		// The project may not be the one that the file's folder stands for: without its name a
		// second one would be started.
		return fmt.Sprintf("in the compose file of project %[1]s, service %[2]s: %[3]s; then "+
			"docker compose -p %[1]s up -d --no-deps %[2]s",
			quoted(c.Owner.Project), quoted(c.Owner.Service), words(c.Declared, e, "cap_add",
				"cap_drop: [%s]", "cap_add: [%s]"))
	},
	"swarm": func(c dropcap.Container, e Edit) string {
		update := "docker service update" + swarmFlags(c.Declared, e) + " " +
			quoted(c.Owner.Service)
		if c.State == "exited" || c.State == "dead" {
			// swarm keeps some ended tasks, and never starts one again
			return update + " && docker rm " + quoted(c.Name)
		}
		return update
	},
	"ecs": func(c dropcap.Container, e Edit) string {
		return "in a new revision of task definition " + quoted(c.Owner.Project) + ", container " +
			quoted(c.Owner.Service) + ": " +
			words(c.Declared, e, "linuxParameters.capabilities.add",
				"linuxParameters.capabilities.drop: [%s]", "linuxParameters.capabilities.add: [%s]")
	},
	"kubernetes": func(c dropcap.Container, e Edit) string {
		return "in the pod's securityContext: " + words(c.Declared, e, "capabilities.add",
			"capabilities.drop: [%s]", "capabilities.add: [%s]")
	},
	"nomad": func(c dropcap.Container, e Edit) string {
		return "in the job's docker task config: " + words(c.Declared, e, "cap_add",
			"cap_drop = [%s]", "cap_add = [%s]")
	},
}

// dockerRun is the language of a container that somebody started by hand: the control's own
// command.
func dockerRun(c dropcap.Container, e Edit) string {
	image := "<image>" // an agentless look does not tell it
	if c.Image != "" {
		image = quoted(c.Image)
	}
	rest := " <arguments> " + image + " <command>"
	switch {
	case e.Only != nil && len(c.Declared.Add)+len(c.Declared.Drop) > 0:
		// an ALL that stays among the arguments would win
		return "re-create it, in place of its own --cap-add and --cap-drop with: docker run " +
			"--cap-drop=ALL" + flags(*e.Only, " --cap-add=") + rest
	case e.Only != nil:
		return "re-create it: docker run --cap-drop=ALL" + flags(*e.Only, " --cap-add=") + rest
	case !e.RemoveAdd.Empty():
		return "re-create it without" + flags(e.RemoveAdd, " --cap-add=") + ": docker run" +
			flags(e.AddDrop, " --cap-drop=") + rest
	default:
		return "re-create it: docker run" + flags(e.AddDrop, " --cap-drop=") + rest
	}
}

// swarmFlags says an edit by the flags of `docker service update`, which take one capability each.
// Dropping what the service adds only takes the add back, and the other way round (docker/cli
// updateCapabilities, since 20.10): where that is not enough, the word RESET empties both lists,
// and they are written anew.
func swarmFlags(d dropcap.Declared, e Edit) string {
	if e.Only == nil && (e.RemoveAdd & e.AddDrop).Empty() {
		return flags(e.RemoveAdd|e.AddDrop, " --cap-drop ")
	}
	after := e.Apply(d)
	s := " --cap-add RESET --cap-drop RESET"
	for _, n := range after.Drop {
		s += " --cap-drop " + quoted(n)
	}
	for _, n := range after.Add {
		s += " --cap-add " + quoted(n)
	}
	return s
}

// words says an edit of a file: which names are taken out, and how the lists are written there. A
// list of drops is told as a whole, with the names that it had.
func words(d dropcap.Declared, e Edit, adds, drop, add string) string {
	if e.Only != nil {
		return fmt.Sprintf(drop, caps.All) + " and " + fmt.Sprintf(add, join(*e.Only))
	}
	var parts []string
	if !e.RemoveAdd.Empty() {
		parts = append(parts, "take "+join(e.RemoveAdd)+" out of "+adds)
	}
	if !e.AddDrop.Empty() {
		parts = append(parts, fmt.Sprintf(drop, shortNames(e.Apply(d).Drop)))
	}
	return strings.Join(parts, " and ")
}

func flags(s caps.Set, prefix string) string {
	var b strings.Builder
	for _, c := range s.List() {
		b.WriteString(prefix + c.Short())
	}
	return b.String()
}

func join(s caps.Set) string {
	l := s.List()
	out := make([]string, len(l))
	for i, c := range l {
		out[i] = c.Short()
	}
	return strings.Join(out, ", ")
}

// shortNames writes declared names as they are written in files: without CAP_, and plain.
func shortNames(l []string) string {
	out := make([]string, len(l))
	for i, n := range l {
		out[i] = plain(n)
		if c, err := caps.Parse(n); err == nil {
			out[i] = c.Short()
		}
	}
	return strings.Join(out, ", ")
}

func (x subject) fixPrivileged() string {
	const instead = "add only the devices and capabilities that it needs, with --device and " +
		"--cap-add, after --cap-drop=ALL"
	switch x.c.Owner.Kind {
	case "compose":
		return fmt.Sprintf("in the compose file of project %s, service %s: remove privileged: "+
			"true; add only the devices and cap_add that it needs",
			quoted(x.c.Owner.Project), quoted(x.c.Owner.Service))
	case "ecs":
		return "in a new revision of the task definition: privileged: false; add only the " +
			"linuxParameters.devices and capabilities that it needs"
	case "kubernetes":
		return "in the pod's securityContext: privileged: false; add only the capabilities that " +
			"it needs"
	case "nomad":
		return "in the job's docker task config: privileged = false; add only the devices and " +
			"cap_add that it needs"
	default:
		return "re-create it without --privileged; " + instead
	}
}

func (x subject) fixInert(set caps.Set) string {
	switch {
	case x.c.Declared.Privileged:
		return "remove --privileged, so that the drops count"
	case set.Empty():
		return "name what it needs in CapAdd instead of ALL"
	default:
		return "take " + set.Short() + " out of CapAdd, so that the drop counts"
	}
}

func (x subject) restart() string {
	switch x.c.Owner.Kind {
	case "compose":
		return "docker compose -p " + quoted(x.c.Owner.Project) + " restart " +
			quoted(x.c.Owner.Service)
	case "swarm":
		return "docker service update --force " + quoted(x.c.Owner.Service)
	default:
		return "docker restart " + quoted(x.c.Name)
	}
}

// quoted makes a name that a container controls safe to paste into a shell: in single quotes unless
// it is plain.
func quoted(s string) string {
	s = plain(s)
	if s != "" && strings.IndexFunc(s, notPlain) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func notPlain(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("_-./:@+%", r))
}
