package recreate

import (
	"encoding/json"

	"dropcap"
)

// Options are a person's choices.
type Options struct {
	Strategy     dropcap.Strategy // recreate if empty; in place, what only a re-creation would lose is no refusal
	DiscardLayer bool             // what was written in the container's own layer may be lost
}

// Refusal is why a container is not to be changed by itself.
type Refusal struct {
	Slug    string // stable
	Message string // begins with "cannot"
	Hint    string
}

// Refusals gives every reason not to change the container, each with its own message; none if it may be changed.
func (r *Recipe) Refusals(o Options) []Refusal { return nil }

// Warnings says what a re-creation will change for a person who looks closely: contents of tmpfs, logs, addresses.
func (r *Recipe) Warnings() []string { return nil }

// Declared is what was declared for the container, in a canonical form: equal bytes for an equal declaration, whether it runs or not. It
// holds secrets.
func (r *Recipe) Declared() []byte { return nil }

// Grant is the container's own declaration of capabilities; Holds is not filled.
func (r *Recipe) Grant() dropcap.Grant { return dropcap.Grant{} }

// Create gives what makes the same container under another name, with the capabilities of g.
func (r *Recipe) Create(name string, g dropcap.Grant) (Creation, error) { return Creation{}, nil }

// Exact gives what makes the container again as it was.
func (r *Recipe) Exact(name string) (Creation, error) { return r.Create(name, r.Grant()) }

// Difference is a place where two containers differ. Values are secrets, so there is the place only.
type Difference struct {
	Path    string // "HostConfig.Binds[1]", "NetworkSettings.Networks.front.Aliases"
	Because string // what about it: "differs", "missing", "new"
}

// Check compares a container that was made by Create with the original: what differs and is not allowed to. The declaration must be g.
func (r *Recipe) Check(after json.RawMessage, g dropcap.Grant) []Difference { return nil }

// Compare compares two inspects of containers that are to be the same, capabilities included; ids, names, times and what the engine assigns at
// each start do not count.
func Compare(before, after json.RawMessage) []Difference { return nil }

// Deprivileged lists what else goes when a privileged container is made one that is not: sentences. Nil if it is not privileged.
func (r *Recipe) Deprivileged() []string { return nil }

// IDFile is the file that holds the container's id (docker run --cidfile), to be rewritten after a change; empty if there is none. It is
// untrusted: whoever could create the container named it.
func (r *Recipe) IDFile() string { return "" }

// Command is the complete docker run (or create, connect and start) that makes the container with the capabilities of g, for sh. What may be
// a secret stands in the file only, whose contents are given beside; nil if there is nothing to put there.
func (r *Recipe) Command(g dropcap.Grant, file string) (line string, contents []byte) {
	return "", nil
}

// Unsaid lists what docker run has no words for, so that the line of Command does not say it: sentences.
func (r *Recipe) Unsaid() []string { return nil }

// Use is a container's use of another one.
type Use struct {
	Kind      string // "network", "pid", "ipc" (namespaces), "link" (legacy), "volumes" (--volumes-from)
	Container string // the other's id or name, without the slash
}

// Uses gives what a container (GET /containers/ID/json) uses of others.
func Uses(inspect json.RawMessage) ([]Use, error) { return nil, nil }

func read(o Original) (*Recipe, error) { return &Recipe{o: o}, nil }
