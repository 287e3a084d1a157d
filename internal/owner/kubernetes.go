package owner

import (
	"fmt"
	"regexp"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

const kubernetesLabels = "io.kubernetes."

// kubernetes containers change through the manifest of whatever creates the pod.
var kubernetes = Kind{
	Name: "kubernetes", Manager: "Kubernetes",
	claim: func(l map[string]string, _ string) (claim, bool) {
		pod, space := l[kubernetesLabels+"pod.name"], l[kubernetesLabels+"pod.namespace"]
		cl := claim{project: space, service: pod, workload: "kubernetes:" + space + "/" +
			controller(pod)}
		if container := l[kubernetesLabels+"container.name"]; container != "" {
			cl.workload += "/" + container
		}
		return cl, pod != "" && space != ""
	},
	fix: func(c dropcap.Container, e caps.Edit) string {
		return "in the pod's securityContext: " +
			words(c.Declared, e, "capabilities.add", "capabilities.drop: [%s]",
				"capabilities.add: [%s]")
	},
	privileged: func(dropcap.Container) string {
		return "in the pod's securityContext: privileged: false;" +
			" add only the capabilities that it needs"
	},
	text:  kubernetesText,
	title: "Kubernetes",
	lists: func(drop, add []string) string {
		return "securityContext:\n  capabilities:\n" +
			yamlList("    ", "drop", drop) + yamlList("    ", "add", add)
	},
}

// Kubernetes generates names from an alphabet without vowels (apimachinery pkg/util/rand), so a
// word is not mistaken for one.
var (
	ofReplicaSet = regexp.MustCompile(
		`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	ofDaemonSet = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

// controller removes the part of a pod's name that differs between its pods.
func controller(pod string) string {
	for _, form := range []*regexp.Regexp{ofReplicaSet, ofDaemonSet} {
		if m := form.FindStringSubmatch(pod); m != nil {
			return m[1]
		}
	}
	return pod
}

// kubernetesText: the lists are replaced as a whole by a strategic merge (they are atomic), and
// containers are merged by name.
func kubernetesText(c dropcap.Container, is dropcap.Grant) string {
	l := c.LabelValues
	space := or(l, kubernetesLabels+"pod.namespace", "default")
	pod := or(l, kubernetesLabels+"pod.name", "POD")
	container := name(or(l, kubernetesLabels+"container.name", "CONTAINER"))
	context := map[string]any{"capabilities": listsOf(is)}
	if deprivileged(c, is) {
		context["privileged"] = false
		context["allowPrivilegeEscalation"] = false
	}
	part := []any{map[string]any{"name": container, "securityContext": context}}
	template := map[string]any{"spec": map[string]any{"containers": part}}
	patch := map[string]any{"spec": map[string]any{"template": template}}
	q := printable.Shell
	var b strings.Builder
	fmt.Fprintf(&b, "in the manifest of whatever makes the pod %s, container %s:\n", name(pod),
		container)
	b.WriteString("securityContext:\n")
	if deprivileged(c, is) {
		b.WriteString("  privileged: false\n  allowPrivilegeEscalation: false\n")
	}
	fmt.Fprintf(&b, "  capabilities:\n    add: [%s]\n    drop: [%s]\n", listed(is.CapAdd),
		listed(is.CapDrop))
	fmt.Fprintf(&b, "kubectl -n %s get pod %s -o jsonpath="+
		"'{.metadata.ownerReferences[*].kind}/{.metadata.ownerReferences[*].name}'\n", q(space),
		q(pod))
	fmt.Fprintf(&b, "kubectl -n %s patch KIND NAME --type strategic --patch %s\n", q(space),
		q(compact(patch)))
	fmt.Fprintf(&b, "backout: kubectl -n %s rollout undo KIND/NAME\n", q(space))
	return b.String()
}
