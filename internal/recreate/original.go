package recreate

import (
	"encoding/json"

	"dropcap"
)

// Original is what was learnt of a container from the engine. The raw answers are as they came.
type Original struct {
	// the agreed version, "1.45"; everything below is asked under it unless it says otherwise
	API string
	// the oldest version that the engine still speaks (GET /version); empty if not known
	MinAPI  string
	Engine  string // "docker" or "podman"
	Version string // of the engine

	Inspect json.RawMessage // GET /containers/ID/json
	// Older is the same under API 1.51, for an engine that speaks 1.52 or later: from there on a
	// configured MAC address is not told any more (moby daemon/server/router/container/inspect.go).
	// Nil otherwise.
	Older json.RawMessage
	// GET /images/ID/json by the container's Image, not by its name; nil if it is gone
	Image json.RawMessage
	// Networks are GET /networks/NAME of those in NetworkSettings.Networks, by that name; a network
	// that is gone has no entry. Nil: not asked.
	Networks map[string]json.RawMessage
	Changes  json.RawMessage // GET /containers/ID/changes; "null" is no change. Nil: not asked
	Info     json.RawMessage // GET /info; nil: not asked

	// Layer is what stands in the container's own layer, where that can be carried along; nil where
	// it cannot, and then NoLayer says why, in a few words, if it was tried.
	Layer   *LayerFacts `json:",omitempty"`
	NoLayer string      `json:",omitempty"`

	// Sources are GET /containers/NAME/json of those in HostConfig.VolumesFrom, by the name (or id)
	// that stands there. Nil: not asked.
	Sources map[string]json.RawMessage

	// ids of the container's live execs; nil: not asked, then each that the container lists counts
	Execs   []string
	Others  []dropcap.Ref // every other container of the engine, stopped ones too; nil: not asked
	Sharers []dropcap.Ref // those that use this one's network, pid or ipc namespace, see Uses
	Linkers []dropcap.Ref // those with a legacy link to this one, see Uses

	// Carries says how dropcap's own connection to the engine, or the person's to this host, goes
	// through this container, in a few words: "it publishes the port that dropcap is connected to".
	// Empty if it does not.
	Carries string

	// MountInfo is /proc/PID/mountinfo of the container's first process; nil if it does not run or
	// cannot be read. It alone tells whether read-only binds were made recursive.
	MountInfo []byte
	// Filled are destinations of volumes that are known to hold something. Into others the image's
	// files would be copied by a create, also where the workload has deleted them, so a create is
	// told not to.
	Filled []string
}

// Read understands an original. The error says what of it is not the answer of an engine.
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

// ID is the container's.
func (r *Recipe) ID() string { return r.id }

// Name is the container's, without the leading slash.
func (r *Recipe) Name() string { return r.name }

// Creation is what makes a container: POST /containers/create, then a POST
// /networks/NETWORK/connect for each of Connect.
type Creation struct {
	// to ask the create under; empty: the agreed one. Connects are asked under the agreed one
	API     string
	Query   map[string]string // name, platform
	Body    json.RawMessage
	Connect []Connect
}

// Connect is a further network. Body gives the request's body once the container's id is known.
type Connect struct {
	Network  string // its name
	Endpoint json.RawMessage
}

// Body is the body of POST /networks/NETWORK/connect.
func (c Connect) Body(id string) json.RawMessage {
	body, _ := json.Marshal(map[string]any{"Container": id, "EndpointConfig": c.Endpoint})
	return body
}
