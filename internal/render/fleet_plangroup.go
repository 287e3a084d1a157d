package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"dropcap"
)

// planGroup is equal plans of several hosts.
type planGroup struct {
	Hosts []string     // "account/region/node"
	Plan  dropcap.Plan // the first host's
}

// groupPlans groups equal plans, the largest group first. Plans are equal if they have the same
// steps in the same order at the same level, apart from the containers' ids and fingerprints, the
// hosts, and the times of creation.
func groupPlans(plans iter.Seq2[dropcap.HostDocument, dropcap.Plan]) []planGroup {
	var out []planGroup
	at := map[[sha256.Size]byte]int{}
	for d, p := range plans {
		k := likeness(p)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, planGroup{Plan: p})
		}
		out[i].Hosts = append(out[i].Hosts, d.Host)
	}
	slices.SortStableFunc(out, func(a, b planGroup) int {
		return cmp.Compare(len(b.Hosts), len(a.Hosts))
	})
	return out
}

// likeness returns a digest that equal plans share. It replaces an id quoted in a text, whole or
// shortened by docker, by the container's name.
func likeness(p dropcap.Plan) [sha256.Size]byte {
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
		Level dropcap.Level
		Steps []dropcap.Step
	}{p.Policy.Level, steps}) // plain values: cannot fail
	return sha256.Sum256([]byte(strings.NewReplacer(ids...).Replace(string(text))))
}
