package owner

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

const swarmID = "com.docker.swarm.service.id"

// swarm containers change through the specification of their service.
var swarm = Kind{
	Name: "swarm", AcrossHosts: true, Source: SourceSwarm,
	claim: func(l map[string]string, _ string) (claim, bool) {
		service := l["com.docker.swarm.service.name"]
		return claim{
			project: l["com.docker.stack.namespace"], service: service, workload: "swarm:" +
				service,
		}, service != "" && l[swarmID] != ""
	},
	service:    []string{swarmID},
	strategies: []dropcap.Strategy{dropcap.StrategySource},
	fix: func(c dropcap.Container, e caps.Edit) string {
		update := "docker service update" + swarmFlags(c.Declared, e) +
			" " + printable.Shell(c.Owner.Service)
		if c.State == "exited" || c.State == "dead" {
			// swarm keeps some ended tasks, but never restarts one
			return update + " && docker rm " + printable.Shell(c.Name)
		}
		return update
	},
	restart: func(c dropcap.Container) string {
		return "docker service update --force " + printable.Shell(c.Owner.Service)
	},
	// A task is named SERVICE.SLOT.TASK, and its last part is new each time.
	lasting: func(container string) string {
		if at := strings.LastIndexByte(container, '.'); at > 0 {
			return container[:at]
		}
		return container
	},
	text: swarmText,
}

// swarmText returns the command, and the text for the stack file: without it, the next `docker
// stack deploy` would revert the change.
func swarmText(c dropcap.Container, is dropcap.Grant) string {
	service, stack := c.Owner.Service, c.Owner.Project
	var b strings.Builder
	fmt.Fprintf(&b, "docker service update --cap-add RESET --cap-drop RESET%s%s %s\n",
		Flags(" --cap-drop ", is.CapDrop), Flags(" --cap-add ", is.CapAdd),
		printable.Shell(service))
	if stack != "" {
		fmt.Fprintf(&b, "and in the file of the stack %s, or its next deployment takes the "+
			"change back:\n%s",
			name(stack), ServiceYAML(strings.TrimPrefix(service, stack+"_"), false, is))
	}
	return b.String()
}

// swarmFlags formats an edit as flags of `docker service update`, which take one capability each.
// Dropping what the service adds only removes the add, and the other way round (docker/cli
// updateCapabilities, since 20.10): if that is not enough, RESET empties both lists, and they are
// set again.
func swarmFlags(d dropcap.Declared, e caps.Edit) string {
	if e.Only == nil && (e.RemoveAdd & e.AddDrop).Empty() {
		return flags(e.RemoveAdd|e.AddDrop, " --cap-drop ")
	}
	after := e.Apply(d)
	s := " --cap-add RESET --cap-drop RESET"
	for _, n := range after.Drop {
		s += " --cap-drop " + printable.Shell(n)
	}
	for _, n := range after.Add {
		s += " --cap-add " + printable.Shell(n)
	}
	return s
}

// SwarmID returns the id of the swarm service that the trusted labels name; empty if they name none
// or an invalid id.
func SwarmID(l map[string]string) string {
	id := l[swarmID]
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') {
			return ""
		}
	}
	return id
}
