// Package plan decides what to change: which capabilities each container loses and keeps and why,
// how to do it, and what prevents it. It is pure: it maps a snapshot, evidence and a policy to a
// document. It never grants anything, and does nothing itself.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/policy"
)

// Input is all that a plan is computed from.
type Input struct {
	Host     dropcap.Host
	Policy   dropcap.Policy
	Evidence []dropcap.WorkloadEvidence
	Subjects []Subject
	Options  Options
	Now      time.Time

	// Decided is told what each container would become, before any source is asked: those of one
	// project may have to change together. Nil: nobody is told.
	Decided func([]dropcap.Step)

	// inLayer has the workloads whose owner would lose what a container of theirs wrote.
	inLayer map[string]bool
	// provider is what the container of a step is re-created with; nil for all others.
	provider *provider
}

// Options are the operator's options.
type Options struct {
	// for containers that can be changed in several ways; empty: their owner's
	Strategy dropcap.Strategy
	// AcceptLow accepts evidence of low confidence, or none.
	AcceptLow bool
	// Deprivilege allows a privileged container to become an unprivileged one with capabilities.
	Deprivilege bool
	// NoFiles leaves owners' files alone, as in a fleet, where no operator is there to check the
	// path that a container's label names: the container itself is re-created.
	NoFiles bool
}

// Subject is a container, with what is known about how it was created.
type Subject struct {
	Container   dropcap.Container
	Fingerprint string
	// Inspect is the engine's description. It holds secrets; only dependencies and times are read
	// from it.
	Inspect json.RawMessage
	// Against returns the reasons not to change it by the given strategy (recreate or in-place);
	// nil if not determined.
	Against func(dropcap.Strategy) []Refusal
	// PeersLose reports whether its owner, which makes all containers of its service again, would
	// lose what another one of them has written into its own layer; nil if not determined.
	PeersLose func() bool
	Execs     int // docker execs running in it now
	// FreshLayer is set if the change discards what was written into the container's layer.
	FreshLayer bool
	// InPlaceNotes say what a change in place does to the engine besides stopping it.
	InPlaceNotes []string

	Notes []string // what a re-creation loses or may change
	Goes  []string // what else it loses when it is no longer privileged
	// Command returns the command that creates such a container by hand, without secrets; nil if
	// there is none.
	Command func(dropcap.Grant) Command
	Unsaid  []string // what that command cannot express
	// Dependants live in its namespaces, or link to it: they are re-created with it.
	Dependants []Dependant
	// DependsOn are the ids of the containers that it uses: their namespaces, legacy links, or what
	// compose says.
	DependsOn []string
	// Layer returns what a re-creation copies from its own layer; nil if nothing.
	Layer func() *dropcap.CarriedLayer
	// Source returns the change of the owner's source; nil if there is none or it is unknown.
	Source func(dropcap.Grant) Source
}

// Dependant is a container that lives in the namespaces of another one, or links to it.
type Dependant struct {
	Container dropcap.Container
	Against   []Refusal // what speaks against re-creating it
	Notes     []string  // what is lost, or may change, when it is
	Links     bool      // it links to it
	// Apart is why its owner would not make it again together with the other; empty if it does.
	Apart string
	// Follows is set where its owner makes it again once it finds another container in the place
	// of the other.
	Follows bool
}

// Source is a change of an owner's source, in the owner's terms.
type Source struct {
	// a patch, or what a person has to write, and the commands that put it into effect
	Text    string
	Applied bool // dropcap can apply it itself
	Against []Refusal
	// Away is why the source is not on this host, so that the container itself is changed unless
	// the operator asks otherwise; empty if it is.
	Away string
	// Follows is set where the owner makes the container again all the same.
	Follows bool
}

// Make returns the plan. A container retained for the backout of a change has no step.
func Make(in Input) dropcap.Plan {
	if in.Policy.Level == "" {
		in.Policy.Level = dropcap.LevelCIS
	}
	p := dropcap.Plan{
		Schema: dropcap.SchemaPlan, Created: in.Now.UTC().Format(time.RFC3339), Host: in.Host,
		Policy: dropcap.PolicyRef{Level: in.Policy.Level, Digest: in.Policy.Digest},
		Steps:  []dropcap.Step{},
	}
	if in.Decided != nil {
		in.Decided(in.decisions())
	}
	in.inLayer = in.lostByOwners()
	w := policy.NewWaivers(in.Policy.Waivers, in.Now)
	for _, s := range in.Subjects {
		if s.Container.Retained == "" {
			p.Steps = append(p.Steps, in.step(s, w))
		}
	}
	in.joined(p.Steps, w)
	p.Steps = ordered(together(byName(p.Steps)), in.Subjects)
	p.ID = identify(p)
	return p
}

// decisions are the steps as far as they say what each container would become.
func (in Input) decisions() (steps []dropcap.Step) {
	w := policy.NewWaivers(in.Policy.Waivers, in.Now)
	for _, s := range in.Subjects {
		if s.Container.Retained == "" {
			s.Source, s.Against, s.Command = nil, nil, nil
			steps = append(steps, in.step(s, w))
		}
	}
	return steps
}

// identify returns 12 hexadecimal digits of the content's digest, so that equal plans have equal
// ids.
func identify(p dropcap.Plan) string {
	p.ID, p.Created, p.Steps = "", "", slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Layer = nil
	}
	b, _ := json.Marshal(p) // of strings, sets and lists only, so it cannot fail
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
