// Package plan decides what to change: which capabilities each container loses and keeps and why,
// in which way, and what speaks against it. It is pure: a snapshot, evidence and a policy in, a
// document out. It never grants anything, and nothing that it says is done here.
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

// Input is all that a plan is made of.
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
}

// Options are what the operator asked for.
type Options struct {
	// of containers that may be changed in several ways; empty: as their owner does it
	Strategy dropcap.Strategy
	// AcceptLow lets evidence of low confidence, or none, decide.
	AcceptLow bool
	// Deprivilege lets a privileged container become one with capabilities.
	Deprivilege bool
	// NoFiles refuses to edit a file of an owner, as over a fleet: nobody is there to look at what
	// a container's label names.
	NoFiles bool
}

// Subject is a container, with what is known of how it is made.
type Subject struct {
	Container   dropcap.Container
	Fingerprint string
	// Inspect is the engine's own description. It holds secrets: what is read of it is what the
	// container depends on and how long it takes.
	Inspect json.RawMessage
	// Against is what speaks against changing it in the given way (re-creating it, or in place);
	// nil if nothing was asked.
	Against func(dropcap.Strategy) []Refusal
	Execs   int // docker execs that run in it now
	// FreshLayer is set where the change leaves behind what was written into the container's layer.
	FreshLayer bool
	// InPlaceNotes say what a change in place does to the engine beside stopping it.
	InPlaceNotes []string

	Notes []string // what is lost, or may change, when it is re-created
	Goes  []string // what else goes when it is no longer privileged
	// Command is what makes such a container by hand, without secrets; nil if it cannot be said.
	Command func(dropcap.Grant) Command
	Unsaid  []string // what that line has no words for
	// Dependants live in its namespaces: they are re-created with it.
	Dependants []Dependant
	// DependsOn are the ids of the containers that it uses: their namespaces, legacy links, or what
	// compose says.
	DependsOn []string
	// Layer returns what is carried along of its own layer when it is re-created; nil if nothing
	// is.
	Layer func() *dropcap.CarriedLayer
	// Source is the change of the owner's own source; nil where the owner has none, or it is not
	// known.
	Source func(dropcap.Grant) Source
}

// Dependant is a container that lives in the namespaces of another one.
type Dependant struct {
	Container dropcap.Container
	Against   []Refusal // what speaks against re-creating it
	Notes     []string  // what is lost, or may change, when it is
}

// Source is a change of an owner's own source, in the owner's language.
type Source struct {
	// a patch, or what a person has to write, and the commands that bring it into effect
	Text    string
	Applied bool // dropcap can make it itself
	Against []Refusal
	// Away is why the source is not on this host, so that the container itself is changed unless
	// the operator asks otherwise; empty if it is.
	Away string
}

// Make makes the plan. A container that is retained for the backout of a change has no step.
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
	w := policy.NewWaivers(in.Policy.Waivers, in.Now)
	for _, s := range in.Subjects {
		if s.Container.Retained == "" {
			p.Steps = append(p.Steps, in.step(s, w))
		}
	}
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

// identify gives 12 hexadecimal digits over the content, so that equal plans have equal ids.
func identify(p dropcap.Plan) string {
	p.ID, p.Created, p.Steps = "", "", slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Layer = nil
	}
	b, _ := json.Marshal(p) // of strings, sets and lists only, so it cannot fail
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
