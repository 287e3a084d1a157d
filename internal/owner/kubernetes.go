package owner

import "regexp"

func kubernetes(l map[string]string, _ string) (claim, bool) {
	pod, space := l["io.kubernetes.pod.name"], l["io.kubernetes.pod.namespace"]
	cl := claim{kind: "kubernetes", project: space, service: pod, workload: "kubernetes:" + space +
		"/" + controller(pod)}
	if container := l["io.kubernetes.container.name"]; container != "" {
		cl.workload += "/" + container
	}
	return cl, pod != "" && space != ""
}

// Kubernetes makes up names from an alphabet without vowels (apimachinery pkg/util/rand), so that a
// word is not taken for one.
var (
	ofReplicaSet = regexp.MustCompile(
		`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	ofDaemonSet = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

// controller takes from a pod's name what differs from one pod to the next.
func controller(pod string) string {
	for _, form := range []*regexp.Regexp{ofReplicaSet, ofDaemonSet} {
		if m := form.FindStringSubmatch(pod); m != nil {
			return m[1]
		}
	}
	return pod
}
