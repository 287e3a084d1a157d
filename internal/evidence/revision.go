// Package evidence turns judged checks into what a workload needs: it builds, merges, weighs and
// recommends. It is pure: values and documents in and out. It does not trust documents of other
// hosts: Import checks them, and conclusions are always recomputed from the needs.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"dropcap"
)

// Identity identifies the workload that evidence belongs to.
type Identity struct {
	Workload string // "docker:web", "compose:shop/web"
	Revision string // from Makings.Revision
	ImageID  string // "sha256:…"
}

// Makings is the configuration that makes up a revision of a workload. Evidence of other makings
// counts with lower confidence.
type Makings struct {
	ImageID    string
	Entrypoint []string // the container's, from the image or its own; nil and empty are equal
	Command    []string
	User       string
	Network    string // the network mode
}

// MakingsOf combines a container's document with the parts of its configuration that the document
// lacks.
func MakingsOf(c dropcap.Container, entrypoint, command []string) Makings {
	return Makings{ImageID: c.ImageID, Entrypoint: entrypoint, Command: command, User: c.User,
		Network: c.Network}
}

// Revision returns "sha256:" and the hash of the makings.
func (m Makings) Revision() string {
	lists := [][]string{{"dropcap.revision/v1", m.ImageID, m.User, network(m.Network)},
		list(m.Entrypoint), list(m.Command)}
	b, _ := json.Marshal(lists) // strings only: cannot fail; JSON keeps the parts apart
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// network makes equal modes equal: the default has two names, and another container's id changes
// whenever that one is re-created.
func network(mode string) string {
	switch {
	case mode == "" || mode == "default":
		return "bridge"
	case strings.HasPrefix(mode, "container:"):
		return "container"
	default:
		return mode
	}
}

func list(l []string) []string { return append([]string{}, l...) }
