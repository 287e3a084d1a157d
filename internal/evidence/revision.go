// Package evidence turns judged checks into what a workload needs: it builds, merges, weighs and
// recommends. It is pure: values and documents in and out. Documents of other hosts are not
// trusted: Import checks them, and conclusions are always drawn anew from the needs.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"dropcap"
)

// Identity says whose evidence it is.
type Identity struct {
	Workload string // "docker:web", "compose:shop/web"
	Revision string // of Makings.Revision
	ImageID  string // "sha256:…"
}

// Makings are what makes a workload one: evidence of other makings counts with lower confidence.
type Makings struct {
	ImageID string
	// as the container has it, the image's or its own; nil and empty are the same
	Entrypoint []string
	Command    []string
	User       string
	Network    string // the network mode
}

// MakingsOf puts together what a container shows with the parts of its configuration that its
// document lacks.
func MakingsOf(c dropcap.Container, entrypoint, command []string) Makings {
	return Makings{ImageID: c.ImageID, Entrypoint: entrypoint, Command: command, User: c.User,
		Network: c.Network}
}

// Revision is "sha256:" and the hash over the makings.
func (m Makings) Revision() string {
	lists := [][]string{{"dropcap.revision/v1", m.ImageID, m.User, network(m.Network)},
		list(m.Entrypoint), list(m.Command)}
	// of strings only, so it cannot fail; JSON keeps the parts from running together
	b, _ := json.Marshal(lists)
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// network makes equal what is: the default has two names, and another container's id changes
// whenever that one is made again.
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
