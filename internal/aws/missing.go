package aws

import (
	"maps"
	"slices"
	"strings"

	"dropcap"
)

const (
	noNodes     = "no-nodes"
	unknownNode = "unknown-node"
	seeNodes    = "dropcap fleet ls --targets all tells which there are; a node must run, with " +
		"the agent and a role of its own"
)

// missing returns failures for the targets that no answering place has.
func missing(t dropcap.Targets, bare []string, placed map[dropcap.Place][]string,
	asked []dropcap.Place, results []found) []dropcap.HostFailure {
	var out []dropcap.HostFailure
	here := map[dropcap.Place]found{}
	var answered []found // those where the whole search succeeded
	for _, f := range results {
		if f.err == nil {
			here[f.place] = f
			if slices.Contains(asked, f.place) {
				answered = append(answered, f)
			}
		}
	}
	if t.All {
		for _, f := range answered {
			if len(f.nodes) == 0 {
				out = append(out, dropcap.HostFailure{Host: f.place.String(), Cause: noNodes,
					Message: "there is no managed node in " + f.place.String(),
					Hint: "see that the region is right, and that its instances run the agent " +
						"with a role of their own"})
			}
		}
	} else if len(answered) > 0 {
		out = append(out, missingEverywhere(bare, answered, asked)...)
		out = append(out, unmatched(t, answered)...)
	}
	for _, f := range here {
		for p, ids := range placed {
			if p.String() == f.place.String() {
				out = append(out, missingHere(f, ids)...)
			}
		}
		for id, group := range f.members {
			if _, ok := f.nodes[id]; !ok {
				out = append(out, dropcap.HostFailure{Host: f.place.String() + "/" + id,
					Cause: unknownNode,
					Message: "the resource group " + oneLine(group) + " has " + id +
						", which is no managed node", Hint: seeNodes})
			}
		}
	}
	return out
}

// missingHere are ids that were requested of a place by name and that it does not have.
func missingHere(f found, ids []string) []dropcap.HostFailure {
	var out []dropcap.HostFailure
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if _, ok := f.nodes[id]; !ok {
			out = append(out, dropcap.HostFailure{Host: f.place.String() + "/" + id,
				Cause:   unknownNode,
				Message: "there is no managed node " + id + " in " + f.place.String(),
				Hint:    seeNodes})
		}
	}
	return out
}

// missingEverywhere are bare ids that no place has. With several places, nobody knows which one was
// meant.
func missingEverywhere(bare []string, answered []found,
	asked []dropcap.Place) []dropcap.HostFailure {
	if len(asked) == 1 {
		return missingHere(answered[0], bare)
	}
	var out []dropcap.HostFailure
	for _, id := range slices.Compact(slices.Sorted(slices.Values(bare))) {
		if slices.ContainsFunc(answered, func(f found) bool { _, ok := f.nodes[id]; return ok }) {
			continue
		}
		out = append(out, dropcap.HostFailure{Host: id, Cause: unknownNode,
			Message: "there is no managed node " + id + " in " + plural(len(answered),
				"the place that answered", "the %d places that answered"), Hint: seeNodes})
	}
	return out
}

// unmatched are tags and groups that match nothing in any place: each place reports it.
func unmatched(t dropcap.Targets, answered []found) []dropcap.HostFailure {
	anywhere := func(what string) bool {
		return slices.ContainsFunc(answered, func(f found) bool { return f.matched[what] })
	}
	var without []string
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		if !anywhere("tag:" + key) {
			without = append(without, "the tag "+describeTag(key, t.Tags[key]))
		}
	}
	if len(without) == 0 && len(t.Tags) > 0 && !anywhere("tags") {
		var all []string
		for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
			all = append(all, describeTag(key, t.Tags[key]))
		}
		without = append(without, "all of the tags "+strings.Join(all, ", "))
	}
	for _, g := range t.Groups {
		if !anywhere("group:" + g) {
			without = append(without, "a place in the resource group "+oneLine(g))
		}
	}
	var out []dropcap.HostFailure
	for _, f := range answered {
		for _, w := range without {
			out = append(out, dropcap.HostFailure{Host: f.place.String(), Cause: noNodes,
				Message: "no managed node in " + f.place.String() + " has " + w,
				Hint:    "see how it is spelled (upper and lower case matter), and the region"})
		}
	}
	return out
}

func describeTag(key string, values []string) string {
	if len(values) == 0 {
		return oneLine(key)
	}
	return oneLine(key + "=" + strings.Join(values, "|"))
}
