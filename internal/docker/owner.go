package docker

import (
	"context"
	"regexp"
	"strings"

	"dropcap"
)

// claim is what a container's labels say about who would re-create it.
type claim struct {
	kind, project, service string
	workload               string
	// proof are sets of labels: the claim is believed if every label of one set was given to the container and not by its image.
	proof [][]string
}

// owner tells who would re-create the container, and its workload. An image's labels are merged into its containers', so a label that also
// stands on the image with the same value proves nothing. The image is asked about only when labels claim something.
func (c *Client) owner(ctx context.Context, b containerBody) (dropcap.Owner, string) {
	name := strings.TrimPrefix(b.Name, "/")
	out := dropcap.Owner{Kind: "docker"}
	found := claims(b.Config.Labels, name)
	if len(found) == 0 {
		return out, c.engine.name + ":" + name
	}
	image, err := c.images.labels(ctx, c, b.Image)
	for _, cl := range found {
		if err == nil && cl.proven(b.Config.Labels, image) {
			out.Kind, out.Project, out.Service = cl.kind, cl.project, cl.service
			return out, cl.workload
		}
		if out.Claimed == "" {
			out.Claimed = cl.workload
		}
	}
	return out, c.engine.name + ":" + name
}

func (cl claim) proven(labels, image map[string]string) bool {
	for _, set := range cl.proof {
		if given(set, labels, image) {
			return true
		}
	}
	return false
}

func given(names []string, labels, image map[string]string) bool {
	for _, n := range names {
		v, ok := labels[n]
		if w, same := image[n]; !ok || v == "" || (same && v == w) {
			return false
		}
	}
	return true
}

// claims lists what the labels claim, the outermost owner first.
func claims(l map[string]string, name string) []claim {
	var out []claim
	for _, read := range []func(map[string]string, string) (claim, bool){kubernetes, ecs, nomad, swarm, compose, systemd} {
		if cl, ok := read(l, name); ok {
			out = append(out, cl)
		}
	}
	return out
}

// compose: an image that compose built carries project and service too (docker/compose pkg/compose/build.go, getImageBuildLabels), so
// the hash, which only a container gets, is proof by itself: whoever set it, compose, sets the others along with it.
func compose(l map[string]string, _ string) (claim, bool) {
	const project, service, hash = "com.docker.compose.project", "com.docker.compose.service", "com.docker.compose.config-hash"
	return claim{
		kind: "compose", project: l[project], service: l[service],
		workload: "compose:" + l[project] + "/" + l[service],
		proof:    [][]string{{project, service}, {hash}},
	}, l[project] != "" && l[service] != ""
}

func swarm(l map[string]string, _ string) (claim, bool) {
	const name, id = "com.docker.swarm.service.name", "com.docker.swarm.service.id"
	return claim{
		kind: "swarm", project: l["com.docker.stack.namespace"], service: l[name],
		workload: "swarm:" + l[name],
		proof:    [][]string{{name, id}},
	}, l[name] != "" && l[id] != ""
}

func ecs(l map[string]string, _ string) (claim, bool) {
	const family, container = "com.amazonaws.ecs.task-definition-family", "com.amazonaws.ecs.container-name"
	return claim{
		kind: "ecs", project: l[family], service: l[container],
		workload: "ecs:" + l[family] + "/" + l[container],
		proof:    [][]string{{family, container}},
	}, l[family] != "" && l[container] != ""
}

func kubernetes(l map[string]string, _ string) (claim, bool) {
	const pod, space, container = "io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.container.name"
	within := controller(l[pod])
	cl := claim{
		kind: "kubernetes", project: l[space], service: l[pod],
		workload: "kubernetes:" + l[space] + "/" + within,
		proof:    [][]string{{pod, space}},
	}
	if l[container] != "" {
		cl.workload += "/" + l[container]
	}
	return cl, l[pod] != "" && l[space] != ""
}

// Kubernetes makes up names from an alphabet without vowels (apimachinery pkg/util/rand), so that a word is not taken for one.
var (
	ofReplicaSet = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	ofDaemonSet  = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
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

// nomad: only the allocation is always there; with extra_labels the job and task are too. Its driver names a container TASK-ALLOCATION.
func nomad(l map[string]string, name string) (claim, bool) {
	const alloc, job, group, task = "com.hashicorp.nomad.alloc_id", "com.hashicorp.nomad.job_name", "com.hashicorp.nomad.task_group_name", "com.hashicorp.nomad.task_name"
	cl := claim{kind: "nomad", project: l[job], service: l[task], proof: [][]string{{alloc}}}
	if cl.service == "" {
		cl.service = strings.TrimSuffix(name, "-"+l[alloc])
	}
	parts := []string{}
	for _, p := range []string{l[job], l[group], cl.service} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	cl.workload = "nomad:" + strings.Join(parts, "/")
	return cl, l[alloc] != ""
}

// systemd: Podman's generated units and quadlets label their containers.
func systemd(l map[string]string, _ string) (claim, bool) {
	const unit = "PODMAN_SYSTEMD_UNIT"
	return claim{kind: "systemd", service: l[unit], workload: "systemd:" + l[unit], proof: [][]string{{unit}}}, l[unit] != ""
}
