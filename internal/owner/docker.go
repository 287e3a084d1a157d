package owner

import (
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// docker is no owner: a person made the container, with `docker run` or another client.
var docker = Kind{
	Name: "docker", Unowned: true,
	strategies: []dropcap.Strategy{dropcap.StrategyRecreate, dropcap.StrategyInPlace},
	fix:        dockerRun,
	privileged: func(dropcap.Container) string {
		return "re-create it without --privileged; add only the devices and capabilities" +
			" that it needs, with --device and --cap-add, after --cap-drop=ALL"
	},
	restart: func(c dropcap.Container) string {
		return "docker restart " + printable.Shell(c.Name)
	},
	title: "docker run",
	lists: func(drop, add []string) string {
		var words []string
		for _, n := range drop {
			words = append(words, "--cap-drop="+n)
		}
		for _, n := range add {
			words = append(words, "--cap-add="+n)
		}
		return strings.Join(words, " ")
	},
}

// dockerRun is the control's own command.
func dockerRun(c dropcap.Container, e caps.Edit) string {
	image := "<image>" // unknown to an agentless audit
	if c.Image != "" {
		image = printable.Shell(c.Image)
	}
	rest := " <arguments> " + image + " <command>"
	switch {
	case e.Only != nil && len(c.Declared.Add)+len(c.Declared.Drop) > 0:
		// An ALL left among the arguments would win.
		return "re-create it, in place of its own --cap-add and --cap-drop with:" +
			" docker run --cap-drop=ALL" + flags(*e.Only, " --cap-add=") + rest
	case e.Only != nil:
		return "re-create it: docker run --cap-drop=ALL" + flags(*e.Only, " --cap-add=") + rest
	case !e.RemoveAdd.Empty():
		return "re-create it without" + flags(e.RemoveAdd, " --cap-add=") +
			": docker run" + flags(e.AddDrop, " --cap-drop=") + rest
	default:
		return "re-create it: docker run" + flags(e.AddDrop, " --cap-drop=") + rest
	}
}

func flags(s caps.Set, prefix string) string {
	var b strings.Builder
	for _, c := range s.List() {
		b.WriteString(prefix + c.Short())
	}
	return b.String()
}
