package owner

import (
	"maps"
	"slices"

	"dropcap"
)

// claim is what labels say about who would re-create a container.
type claim struct {
	kind, project, service string
	workload               string
}

// reader reads one owner's claim out of labels; false if they make none. Name is the container's.
type reader func(labels map[string]string, name string) (claim, bool)

// readers are the owners that labels tell of, the outermost first.
var readers = []reader{kubernetes, ecs, nomad, swarm, compose, podman}

// Recognise tells who would re-create the container, and its workload, by the labels that are
// believed. What others claim is named, and counts for nothing. Engine is the engine's name, which
// begins the workload of a container that nobody owns.
func Recognise(l dropcap.Labels, name, engine string) (dropcap.Owner, string) {
	out := dropcap.Owner{Kind: "docker"}
	believed := Believed(l)
	for _, read := range readers {
		if cl, ok := read(believed, name); ok {
			out.Kind, out.Project, out.Service = cl.kind, cl.project, cl.service
			return out, cl.workload
		}
		if cl, ok := read(l.Own, name); ok && out.Claimed == "" {
			out.Claimed = cl.workload
		}
	}
	return out, engine + ":" + name
}

// Settle puts what labels tell into the container, whose Said then is empty: only what is believed
// is left to be read.
func Settle(c *dropcap.Container, engine string) {
	c.Labels = slices.Sorted(maps.Keys(c.Said.Own))
	if c.Labels == nil {
		c.Labels = []string{}
	}
	c.LabelValues, c.ImageLabels = Believed(c.Said), Brought(c.Said)
	c.Owner, c.Workload = Recognise(c.Said, c.Name, engine)
	c.Said = dropcap.Labels{}
}
