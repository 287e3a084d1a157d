package source

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Elsewhere is what a person changes for an owner that dropcap does not touch: the exact text, how
// to bring it into effect, and how to take it back. Labels are the container's; false for an owner
// that has none of these.
func Elsewhere(kind string, labels map[string]string, d Declaration) (string, bool) {
	switch kind {
	case "ecs":
		return ecs(labels, d), true
	case "kubernetes":
		return kubernetes(labels, d), true
	case "nomad":
		return nomad(labels, d), true
	}
	return "", false
}

// or gives a label's value, or a word in capitals for what the labels do not tell.
func or(labels map[string]string, name, otherwise string) string {
	if v := labels[name]; v != "" {
		return v
	}
	return otherwise
}

type lists struct {
	Add  []string `json:"add"`
	Drop []string `json:"drop"`
}

func (d Declaration) lists() lists { return lists{shorts(d.Is.CapAdd), shorts(d.Is.CapDrop)} }

func compact(v any) string {
	text, _ := json.Marshal(v) // of strings and booleans
	return string(text)
}

// ecs: a task definition is never changed, a new revision takes its place. What describe tells and
// register does not take is deleted (Amazon ECS API, RegisterTaskDefinition). Names are without
// CAP_ there.
func ecs(l map[string]string, d Declaration) string {
	const p = "com.amazonaws.ecs."
	family, name := or(l, p+"task-definition-family", "FAMILY"),
		or(l, p+"container-name", "CONTAINER")
	revision, cluster := or(l, p+"task-definition-version", "REVISION"),
		or(l, p+"cluster", "CLUSTER")
	part := map[string]any{"linuxParameters": map[string]any{"capabilities": d.lists()}}
	change := ".linuxParameters.capabilities = " + compact(d.lists())
	if d.Was.Privileged && !d.Is.Privileged {
		part["privileged"] = false
		change += " | .privileged = false"
	}
	jq := fmt.Sprintf("(.containerDefinitions[] | select(.name == %s)) |= (%s) | "+
		"del(.taskDefinitionArn, .revision, .status, .requiresAttributes, "+
		".compatibilities, .registeredAt, .registeredBy, .deregisteredAt)",
		compact(printable(name)), change)
	file := strings.Map(func(r rune) rune {
		if r == '/' || r == '\'' || r <= ' ' {
			return '_'
		}
		return r
	}, printable(family)) + ".json"
	var b strings.Builder
	fmt.Fprintf(&b, "in a new revision of the task definition %s, container %s:\n%s\n",
		printable(family), printable(name), compact(part))
	fmt.Fprintf(&b, "aws ecs describe-task-definition --task-definition %s --query "+
		"taskDefinition --output json | jq %s >%s\n",
		Quoted(family+":"+revision), Quoted(jq), Quoted(file))
	fmt.Fprintf(&b, "aws ecs register-task-definition --cli-input-json %s\n",
		Quoted("file://"+file))
	fmt.Fprintf(&b, "aws ecs update-service --cluster %s --service SERVICE --task-definition %s\n",
		Quoted(cluster), Quoted(family))
	fmt.Fprintf(&b, "backout: aws ecs update-service --cluster %s --service SERVICE "+
		"--task-definition %s\n", Quoted(cluster), Quoted(family+":"+revision))
	return b.String()
}

// kubernetes: the lists are replaced as a whole by a strategic merge (they are atomic), and
// containers are merged by name.
func kubernetes(l map[string]string, d Declaration) string {
	const p = "io.kubernetes."
	space, pod, name := or(l, p+"pod.namespace", "default"), or(l, p+"pod.name", "POD"),
		or(l, p+"container.name", "CONTAINER")
	context := map[string]any{"capabilities": d.lists()}
	if d.Was.Privileged && !d.Is.Privileged {
		context["privileged"] = false
		context["allowPrivilegeEscalation"] = false
	}
	container := map[string]any{"name": printable(name), "securityContext": context}
	patch :=
		map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}}
	var b strings.Builder
	fmt.Fprintf(&b, "in the manifest of whatever makes the pod %s, container %s:\n", printable(pod),
		printable(name))
	b.WriteString("securityContext:\n")
	if d.Was.Privileged && !d.Is.Privileged {
		b.WriteString("  privileged: false\n  allowPrivilegeEscalation: false\n")
	}
	fmt.Fprintf(&b, "  capabilities:\n    add: [%s]\n    drop: [%s]\n",
		strings.Join(shorts(d.Is.CapAdd), ", "), strings.Join(shorts(d.Is.CapDrop), ", "))
	fmt.Fprintf(&b, "kubectl -n %s get pod %s -o "+
		"jsonpath='{.metadata.ownerReferences[*].kind}/{.metadata.ownerReferences[*].name}'\n",
		Quoted(space), Quoted(pod))
	fmt.Fprintf(&b, "kubectl -n %s patch KIND NAME --type strategic --patch %s\n", Quoted(space),
		Quoted(compact(patch)))
	fmt.Fprintf(&b, "backout: kubectl -n %s rollout undo KIND/NAME\n", Quoted(space))
	return b.String()
}

// nomad: the docker driver's lists; what is added must also be in allow_caps of the client's
// plugin.
func nomad(l map[string]string, d Declaration) string {
	const p = "com.hashicorp.nomad."
	job, group, task := or(l, p+"job_name", "JOB"), or(l, p+"task_group_name", "GROUP"),
		or(l, p+"task_name", "TASK")
	words := func(list []string) string {
		var out []string
		for _, n := range shorts(list) {
			out = append(out, `"`+strings.ToLower(printable(n))+`"`)
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "in the job %s, group %s, task %s:\nconfig {\n", printable(job),
		printable(group), printable(task))
	if d.Was.Privileged && !d.Is.Privileged {
		b.WriteString("  privileged = false\n")
	}
	fmt.Fprintf(&b, "  cap_drop = %s\n  cap_add  = %s\n}\n", words(d.Is.CapDrop),
		words(d.Is.CapAdd))
	fmt.Fprintf(&b, "nomad job plan FILE && nomad job run FILE\nbackout: nomad job revert %s "+
		"VERSION (nomad job history %s tells it)\n", Quoted(job), Quoted(job))
	return b.String()
}
