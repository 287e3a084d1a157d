package owner

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

const ecsLabels = "com.amazonaws.ecs."

// ecs containers change through a new revision of the task definition.
var ecs = Kind{
	Name: "ecs", Manager: "Amazon ECS", AcrossHosts: true,
	claim: func(l map[string]string, _ string) (claim, bool) {
		family, container := l[ecsLabels+"task-definition-family"], l[ecsLabels+"container-name"]
		return claim{
			project: family, service: container, workload: "ecs:" + family + "/" + container,
		}, family != "" && container != ""
	},
	fix: func(c dropcap.Container, e caps.Edit) string {
		const at = "linuxParameters.capabilities."
		return "in a new revision of task definition " + printable.Shell(c.Owner.Project) +
			", container " + printable.Shell(c.Owner.Service) + ": " +
			words(c.Declared, e, at+"add", at+"drop: [%s]", at+"add: [%s]")
	},
	privileged: func(dropcap.Container) string {
		return "in a new revision of the task definition: privileged: false;" +
			" add only the linuxParameters.devices and capabilities that it needs"
	},
	text:  ecsText,
	title: "ECS",
	lists: func(drop, add []string) string {
		if set, _ := caps.ParseAll(add); set&notInECS != 0 {
			return fmt.Sprintf("ECS has no name for %s; such a task must keep what it has",
				(set & notInECS).Short())
		}
		return fmt.Sprintf(`"linuxParameters": {"capabilities": {"drop": [%s], "add": [%s]}}`,
			jsonList(drop), jsonList(add))
	},
}

// notInECS are capabilities that the enumeration of linuxParameters.capabilities lacks.
var notInECS = caps.Of(caps.AuditRead, caps.BPF, caps.Perfmon, caps.CheckpointRestore)

// ecsText: a task definition never changes, a new revision replaces it. What describe returns and
// register does not accept is deleted (Amazon ECS API, RegisterTaskDefinition). Names have no CAP_
// there.
func ecsText(c dropcap.Container, is dropcap.Grant) string {
	l := c.LabelValues
	family := or(l, ecsLabels+"task-definition-family", "FAMILY")
	container := or(l, ecsLabels+"container-name", "CONTAINER")
	revision := or(l, ecsLabels+"task-definition-version", "REVISION")
	cluster := or(l, ecsLabels+"cluster", "CLUSTER")
	part := map[string]any{"linuxParameters": map[string]any{"capabilities": listsOf(is)}}
	change := ".linuxParameters.capabilities = " + compact(listsOf(is))
	if deprivileged(c, is) {
		part["privileged"] = false
		change += " | .privileged = false"
	}
	jq := fmt.Sprintf("(.containerDefinitions[] | select(.name == %s)) |= (%s)"+
		" | del(.taskDefinitionArn, .revision, .status, .requiresAttributes, "+
		".compatibilities, .registeredAt, .registeredBy, .deregisteredAt)",
		compact(name(container)), change)
	file := strings.Map(func(r rune) rune {
		if r == '/' || r == '\'' || r <= ' ' {
			return '_'
		}
		return r
	}, name(family)) + ".json"
	q := printable.Shell
	var b strings.Builder
	fmt.Fprintf(&b, "in a new revision of the task definition %s, container %s:\n%s\n",
		name(family), name(container), compact(part))
	fmt.Fprintf(&b, "aws ecs describe-task-definition --task-definition %s --query taskDefinition"+
		" --output json | jq %s >%s\n", q(family+":"+revision), q(jq), q(file))
	fmt.Fprintf(&b, "aws ecs register-task-definition --cli-input-json %s\n", q("file://"+file))
	update := "aws ecs update-service --cluster " + q(cluster) +
		" --service SERVICE --task-definition "
	fmt.Fprintf(&b, "%s%s\n", update, q(family))
	fmt.Fprintf(&b, "backout: %s%s\n", update, q(family+":"+revision))
	return b.String()
}
