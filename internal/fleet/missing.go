package fleet

import (
	"slices"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/wire"
)

// Missing returns the requested names of containers or workloads that no answering host has, and
// the number of those hosts. A host that lacks what another has did its part.
func Missing(f dropcap.Fleet) (names []string, answered int) {
	args, _ := wire.ParseArgs(f.Run.Verb, f.Run.Args)
	for _, name := range slices.Concat(args.Containers, args.Workloads) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, d := range f.Documents {
		if len(names) == 0 {
			break
		}
		var answer struct {
			Schema string
			Absent []string
		}
		if err := foreign.Decode(foreign.Raw(d), &answer); err != nil ||
			answer.Schema != wire.SchemaOf(f.Run.Verb) {
			continue
		}
		answered++
		names = slices.DeleteFunc(names, func(n string) bool {
			return !slices.Contains(answer.Absent, n)
		})
	}
	if answered == 0 {
		return nil, 0
	}
	return names, answered
}
