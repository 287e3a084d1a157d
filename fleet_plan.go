package dropcap

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"slices"
	"strings"
)

// PlanGroup is the plans of several hosts that say the same.
type PlanGroup struct {
	Hosts []string // "account/region/node"
	Plan  Plan     // the first host's
}

// GroupPlans puts equal plans together, the largest group first. Plans are equal if they have the same steps in the same order at the same
// level, apart from the containers' ids and fingerprints, the hosts, and when they were made.
func GroupPlans(plans iter.Seq2[string, Plan]) []PlanGroup {
	var out []PlanGroup
	at := map[[sha256.Size]byte]int{}
	for host, p := range plans {
		k := p.likeness()
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, PlanGroup{Plan: p})
		}
		out[i].Hosts = append(out[i].Hosts, host)
	}
	slices.SortStableFunc(out, func(a, b PlanGroup) int { return cmp.Compare(len(b.Hosts), len(a.Hosts)) })
	return out
}

// likeness is a digest that equal plans have. An id that a text quotes, whole or as docker shortens it, is read as the container's name.
func (p Plan) likeness() [sha256.Size]byte {
	steps := slices.Clone(p.Steps)
	var ids []string
	for i := range steps {
		c := &steps[i].Container
		if len(c.ID) > 12 { // the whole id first: a replacer takes the first that fits
			ids = append(ids, c.ID, "="+c.Name+"=", c.ID[:12], "="+c.Name+"=")
		}
		c.Fingerprint = ""
	}
	text, _ := json.Marshal(struct {
		Level Level
		Steps []Step
	}{p.Policy.Level, steps}) // of plain values, so it cannot fail
	return sha256.Sum256([]byte(strings.NewReplacer(ids...).Replace(string(text))))
}

// Plans walks through the plans of a fleet that can be read.
func (f Fleet) Plans() iter.Seq2[string, Plan] {
	return func(yield func(string, Plan) bool) {
		for d, r := range Read(f, HostDocument.Plan) {
			if r.Failure == nil && !yield(d.Host, r.Document) {
				return
			}
		}
	}
}
