package recreate

import (
	"encoding/json"

	"dropcap"
)

// Original is what the engine says about a container, in raw answers.
type Original struct {
	// the negotiated version, "1.45", of all answers below unless they say otherwise
	API string
	// the oldest version that the engine supports (GET /version); empty if unknown
	MinAPI  string
	Engine  string // "docker" or "podman"
	Version string // of the engine

	Inspect json.RawMessage // GET /containers/ID/json
	// Older is the same under API 1.51, for an engine with 1.52 or later, which no longer reports a
	// configured MAC address (moby daemon/server/router/container/inspect.go). Nil otherwise.
	Older json.RawMessage
	// GET /images/ID/json by the container's Image, not by name; nil if it is gone
	Image json.RawMessage
	// Networks are GET /networks/NAME of those in NetworkSettings.Networks, by that name; a network
	// that is gone has no entry. Nil: not asked.
	Networks map[string]json.RawMessage
	Changes  json.RawMessage // GET /containers/ID/changes; "null" is no change. Nil: not asked
	Info     json.RawMessage // GET /info; nil: not asked

	// Layer describes the container's own layer if it can be copied; else it is nil, and NoLayer
	// says briefly why, if it was tried.
	Layer   *LayerFacts `json:",omitempty"`
	NoLayer string      `json:",omitempty"`

	// Sources are GET /containers/NAME/json of those in HostConfig.VolumesFrom, by the name (or id)
	// used there. Nil: not asked.
	Sources map[string]json.RawMessage

	// ids of the container's live execs; nil: not asked, then each that the container lists counts
	Execs   []string
	Others  []dropcap.Ref // every other container of the engine, stopped ones too; nil: not asked
	Sharers []dropcap.Ref // those that use this one's network, pid or ipc namespace, see Uses
	Linkers []dropcap.Ref // those with a legacy link to this one, see Uses
	// Down are those that this one links to, or whose namespace it shares, and that do not run
	Down []dropcap.Ref `json:",omitempty"`

	// Carries says briefly why stopping this container would cut dropcap's connection to the
	// engine, or the operator's to this host: "it publishes the port that dropcap is connected to".
	// Empty if it would not.
	Carries string

	// MountInfo is /proc/PID/mountinfo of the container's first process; nil if it does not run or
	// cannot be read. Only it shows whether read-only binds were made recursive.
	MountInfo []byte
	// Filled are destinations of volumes that are known not to be empty. A create would copy the
	// image's files into others, even if the workload has deleted them, so it is told not to.
	Filled []string

	// linked are the ids of containers that a new one is to link to, by the names that the engine
	// tells of them: see Pointing.
	linked map[string]string
}

// Read parses an original. The error says which part is not an engine's answer.
func Read(o Original) (*Recipe, error) { return read(o) }

// Recipe is what re-creates a container.
type Recipe struct {
	o        Original
	id, name string
	in       inspected
	config   config
	host     hostConfig
	image    image
	changes  []change
	mac      string // configured for the main network
}

// ID returns the container's id.
func (r *Recipe) ID() string { return r.id }

// Name returns the container's name, without the leading slash.
func (r *Recipe) Name() string { return r.name }

// Creation is the requests that create a container: POST /containers/create, then a POST
// /networks/NETWORK/connect for each of Connect.
type Creation struct {
	// for the create; empty: the negotiated one. Connects use the negotiated one
	API     string
	Query   map[string]string // name, platform
	Body    json.RawMessage
	Connect []Connect
}

// Connect is a further network. Body returns the request's body once the container's id is known.
type Connect struct {
	Network  string // its name
	Endpoint json.RawMessage
}

// Body returns the body of POST /networks/NETWORK/connect.
func (c Connect) Body(id string) json.RawMessage {
	body, _ := json.Marshal(map[string]any{"Container": id, "EndpointConfig": c.Endpoint})
	return body
}
