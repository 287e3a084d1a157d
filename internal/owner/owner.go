package owner

import (
	"maps"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// kinds are all owners. Those that labels tell of are asked in this order, the outermost first. To
// add an owner, write its file and name it here.
var kinds = []Kind{kubernetes, ecs, nomad, swarm, compose, podman, systemd, docker}

// Kind is what dropcap knows of one kind of owner. What is left out is as with docker, which has
// all.
type Kind struct {
	Name string // dropcap.Owner.Kind
	// Manager names it in "it belongs to …, which would make it again as its source says"; empty
	// where dropcap can change its containers.
	Manager string
	// Unowned is set where nobody makes a container again but the person who made it.
	Unowned bool
	// AcrossHosts is set where a workload of one name is the same on every host.
	AcrossHosts bool
	// Source is how dropcap changes its source; empty where a person does.
	Source Source

	// claim reads what labels say of the container of that name; nil: labels do not tell of it.
	claim func(labels map[string]string, container string) (claim, bool)
	// proof is a label that only the owner itself gives to a container, and proven are those that
	// it gives along with it: they are believed with the proof, whatever stands on the image.
	proof  string
	proven []string
	// service are labels whose values together name what the owner makes again at once.
	service []string
	// dependsOn reads the services that are to be started before the container.
	dependsOn func(labels map[string]string) []string
	// lasting is what stays of a container's name when it is made again; nil: all.
	lasting func(container string) string

	// strategies are how dropcap changes its containers, its own way first; none: a person does it.
	strategies []dropcap.Strategy
	// counts is set where the owner takes every container with its labels for one of a service's.
	counts bool
	// comesUndone warns of a change that is not made in its own way.
	comesUndone string

	// fix says an edit of a container's lists, privileged that it is no longer to be privileged,
	// and restart how it is restarted.
	fix        func(dropcap.Container, caps.Edit) string
	privileged func(dropcap.Container) string
	restart    func(dropcap.Container) string
	// text says in full what its source has to say, how that is brought into effect, and the way
	// back; nil where it depends on the source's own text.
	text func(c dropcap.Container, is dropcap.Grant) string
	// title and lists say what a container is to be granted, as its source has it.
	title string
	lists func(drop, add []string) string
}

// Source is a kind of source that dropcap can change or read itself.
type Source string

// The sources.
const (
	SourceCompose Source = "compose files"
	SourceSwarm   Source = "a swarm service"
	SourceUnit    Source = "a unit of systemd" // read only
)

// claim is what labels say about who would make a container again.
type claim struct {
	kind             string // where it is not the name of who reads it
	project, service string
	workload         string
}

// Of returns the kind of that name. The empty one is docker's, and one that nobody knows is neither
// recognised nor changed.
func Of(kind string) Kind {
	if kind == "" {
		return docker
	}
	for _, k := range kinds {
		if k.Name == kind {
			return k
		}
	}
	return Kind{Name: kind}
}

// Recognise returns who would re-create the container, and its workload, by the labels that are
// believed. What others claim is named, and counts for nothing. Engine is the engine's name, which
// begins the workload of a container that nobody owns.
func Recognise(l dropcap.Labels, name, engine string) (dropcap.Owner, string) {
	out := dropcap.Owner{Kind: docker.Name}
	believed := Believed(l)
	for _, k := range kinds {
		if k.claim == nil {
			continue
		}
		if cl, ok := k.claim(believed, name); ok {
			out.Kind, out.Project, out.Service = k.Name, cl.project, cl.service
			if cl.kind != "" {
				out.Kind = cl.kind
			}
			return out, cl.workload
		}
		if cl, ok := k.claim(l.Own, name); ok && out.Claimed == "" {
			out.Claimed = cl.workload
		}
	}
	return out, engine + ":" + name
}

// Settle puts what labels tell into the container, whose Said then is empty: only what is believed
// is left to be read.
func Settle(c *dropcap.Container, engine string) {
	c.Labels = slices.Sorted(maps.Keys(c.EngineLabels.Own))
	if c.Labels == nil {
		c.Labels = []string{}
	}
	c.LabelValues, c.ImageLabels = Believed(c.EngineLabels), Brought(c.EngineLabels)
	c.Owner, c.Workload = Recognise(c.EngineLabels, c.Name, engine)
	c.EngineLabels = dropcap.Labels{}
}

// AcrossHosts reports whether a workload of that name is the same on every host.
func AcrossHosts(workload string) bool {
	kind, _, named := strings.Cut(workload, ":")
	return named && Of(kind).AcrossHosts
}

// Lasting returns what stays of the container's name when it is made again.
func Lasting(c dropcap.Container) string {
	if k := Of(c.Owner.Kind); k.lasting != nil {
		return k.lasting(c.Name)
	}
	return c.Name
}

// Title names who would re-create the container: "compose shop/web", "docker".
func Title(o dropcap.Owner) string {
	s := o.Kind
	switch {
	case o.Project != "" && o.Service != "":
		s += " " + o.Project + "/" + o.Service
	case o.Project+o.Service != "":
		s += " " + o.Project + o.Service
	}
	return s
}
