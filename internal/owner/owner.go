package owner

import (
	"maps"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// kinds are all owners. Labels are read in this order, the outermost owner first. To add an owner,
// write its file and list it here.
var kinds = []Kind{kubernetes, ecs, nomad, swarm, compose, podman, systemd, docker}

// Kind is what dropcap knows about one kind of owner. Fields left out are as for docker, which has
// all.
type Kind struct {
	Name string // dropcap.Owner.Kind
	// Manager names it in "it belongs to …, which would make it again as its source says"; empty if
	// dropcap can change its containers.
	Manager string
	// Unowned is set if only the person who made a container would re-create it.
	Unowned bool
	// AcrossHosts is set if a workload of one name is the same on every host.
	AcrossHosts bool
	// Source is how dropcap changes its source; empty if a person does.
	Source Source

	// claim reads the owner of the container of that name from labels; nil: labels do not show it.
	claim func(labels map[string]string, container string) (claim, bool)
	// proof is a label that only the owner itself sets on a container, and proven are those that it
	// sets with it: they are trusted together with the proof, whatever the image has.
	proof  string
	proven []string
	// service are the labels whose values together name what the owner re-creates as one.
	service []string
	// dependsOn reads the services that must start before the container.
	dependsOn func(labels map[string]string) []string
	// lasting returns the part of a container's name that stays when it is re-created; nil: all.
	lasting func(container string) string

	// strategies are how dropcap can change its containers, the preferred one first; none: a person
	// does it.
	strategies []dropcap.Strategy
	// counts is set where the owner takes every container with its labels for one of a service's.
	counts bool
	// comesUndone warns of a change by another than the preferred strategy.
	comesUndone string

	// fix describes an edit of a container's lists, privileged how to make it unprivileged, and
	// restart how to restart it.
	fix        func(dropcap.Container, caps.Edit) string
	privileged func(dropcap.Container) string
	restart    func(dropcap.Container) string
	// text returns the full text for its source, how to put it into effect, and how to revert it;
	// nil if that depends on the source's text.
	text func(c dropcap.Container, is dropcap.Grant) string
	// title and lists format the grant of a container as its source has it.
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

// claim is what labels say about who would re-create a container.
type claim struct {
	kind             string // if it is not the name of the owner that reads it
	project, service string
	workload         string
}

// Of returns the kind of that name. The empty name is docker's; an unknown kind is neither
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

// Recognise returns the owner that would re-create the container, and its workload, by the trusted
// labels. What untrusted labels claim is named but has no effect. Engine is the engine's name,
// which begins the workload of a container without owner.
func Recognise(l dropcap.Labels, name, engine string) (dropcap.Owner, string) {
	out := dropcap.Owner{Kind: docker.Name}
	believed := TrustedLabels(l)
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

// ResolveLabels sets what labels say about the container and clears EngineLabels, so that only
// trusted labels can be read.
func ResolveLabels(c *dropcap.Container, engine string) {
	c.Labels = slices.Sorted(maps.Keys(c.EngineLabels.Own))
	if c.Labels == nil {
		c.Labels = []string{}
	}
	c.LabelValues, c.ImageLabels = TrustedLabels(c.EngineLabels), UntrustedLabels(c.EngineLabels)
	c.Owner, c.Workload = Recognise(c.EngineLabels, c.Name, engine)
	c.EngineLabels = dropcap.Labels{}
}

// AcrossHosts reports whether a workload of that name is the same on every host.
func AcrossHosts(workload string) bool {
	kind, _, named := strings.Cut(workload, ":")
	return named && Of(kind).AcrossHosts
}

// Lasting returns the part of the container's name that stays when it is re-created.
func Lasting(c dropcap.Container) string {
	if k := Of(c.Owner.Kind); k.lasting != nil {
		return k.lasting(c.Name)
	}
	return c.Name
}

// Title names the owner that would re-create the container: "compose shop/web", "docker".
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
