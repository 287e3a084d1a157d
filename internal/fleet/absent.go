package fleet

import (
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/foreign"
)

// Nowhere are the containers or workloads that a run asked for by name and none of the hosts that
// answered has, and how many hosts those are. A host that lacks what another has did all that there
// was to do.
func Nowhere(f dropcap.Fleet) (names []string, answered int) {
	for _, word := range f.Run.Args {
		name, value, _ := strings.Cut(word, "=")
		if (name == "--container" || name == "--workload") && !slices.Contains(names, value) {
			names = append(names, value)
		}
	}
	for _, d := range f.Documents {
		if len(names) == 0 {
			break
		}
		var said struct {
			Schema string
			Absent []string
		}
		if err := foreign.Decode(foreign.Raw(d), &said); err != nil ||
			said.Schema != foreign.SchemaOf(f.Run.Verb) {
			continue
		}
		answered++
		names = slices.DeleteFunc(names, func(n string) bool {
			return !slices.Contains(said.Absent, n)
		})
	}
	if answered == 0 {
		return nil, 0
	}
	return names, answered
}
