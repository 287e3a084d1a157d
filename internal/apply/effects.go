package apply

import (
	"encoding/json"
	"net/http"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// slow is for what the engine may need long for on a busy disk: creating, starting, removing.
const slow = 2 * time.Minute

// backupName is the retained container's, and newName the new one's until it has proven itself, or
// after it was backed out. 12 random digits make it ours.
func (c *change) backupName() string { return c.Name + "-dropcap-" + c.ID }
func (c *change) newName() string    { return c.backupName() + "-new" }

func post(name, says, path string, query map[string]string, body json.RawMessage,
	timeout time.Duration, fine ...int) dropcap.Effect {
	return dropcap.Effect{Name: name, Says: says, Action: &dropcap.Call{
		Method: http.MethodPost, Path: path, Query: query, Body: body, Timeout: timeout, Fine: fine,
	}}
}

func create(name, says string, from recreate.Creation) dropcap.Effect {
	e := post(name, says, "/containers/create", from.Query, from.Body, slow)
	e.Call().API = from.API
	return e
}

func connect(name, id string, to recreate.Connect) dropcap.Effect {
	return post(name, "connect it to the network "+to.Network, "/networks/"+to.Network+"/connect",
		nil, to.Body(id), 0)
}

// stop lets the engine use the container's own signal and grace period, and waits for as long. 304:
// it is stopped already.
func stop(name, says, id string, grace time.Duration) dropcap.Effect {
	limit := grace + time.Minute
	if grace < 0 {
		limit = 30 * time.Minute
	}
	return post(name, says, "/containers/"+id+"/stop", nil, nil, limit, http.StatusNotModified)
}

func rename(name, id, to string) dropcap.Effect {
	return post(name, "rename "+short(id)+" to "+to, "/containers/"+id+"/rename",
		map[string]string{"name": to}, nil, 0)
}

// policy changes nothing but the restart policy: the engine leaves alone what an update does not
// name.
func policy(name, says, id string, p restartPolicy) dropcap.Effect {
	if p.Name == "" {
		p.Name = "no" // an empty one would mean: leave it
	}
	body, _ := json.Marshal(map[string]restartPolicy{"RestartPolicy": p}) // of strings and numbers
	return post(name, says, "/containers/"+id+"/update", nil, body, 0)
}

func start(name, says, id string) dropcap.Effect {
	return post(name, says, "/containers/"+id+"/start", nil, nil, slow, http.StatusNotModified)
}

// remove never forces and never takes volumes along. 404: it is gone already.
func remove(name, says, id string) dropcap.Effect {
	return dropcap.Effect{Name: name, Says: says, Action: &dropcap.Call{
		Method: http.MethodDelete, Path: "/containers/" + id, Query: map[string]string{"v": "0",
			"force": "0"}, Timeout: slow,
		Fine: []int{http.StatusNotFound},
	}}
}

func inspect(name, says, idOrName string) dropcap.Effect {
	return dropcap.Effect{Name: name, Says: says, Action: &dropcap.Call{Method: http.MethodGet,
		Path: "/containers/" + idOrName + "/json"}}
}
