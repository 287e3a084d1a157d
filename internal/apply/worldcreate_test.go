package apply

import (
	"encoding/json"
	"fmt"
	"maps"

	"dropcap"
)

// create makes what an honest engine would: the original with the capabilities of the body.
func (s *scripted) create(e dropcap.Effect) (dropcap.Result, error) {
	if s.find(e.Call().Query["name"]) != nil {
		return refuse(409, "the name is in use", nil)
	}
	var body struct {
		HostConfig struct {
			CapAdd, CapDrop               []string
			NetworkMode, PidMode, IpcMode string
		}
	}
	if err := json.Unmarshal(e.Call().Body, &body); err != nil {
		return dropcap.Result{Status: 400}, err
	}
	s.next++
	b := &box{id: fmt.Sprintf("%064x", s.next), name: e.Call().Query["name"],
		raw: maps.Clone(s.template(e)), policy: s.wish, layer: ownLayer{files: map[string]string{}}}
	host := maps.Clone(b.raw["HostConfig"].(map[string]any))
	b.raw["HostConfig"] = host
	host["CapAdd"], host["CapDrop"] = body.HostConfig.CapAdd, body.HostConfig.CapDrop
	host["NetworkMode"], host["PidMode"] = body.HostConfig.NetworkMode, body.HostConfig.PidMode
	host["IpcMode"] = body.HostConfig.IpcMode
	s.boxes[b.id] = b
	answer, _ := json.Marshal(map[string]string{"Id": b.id})
	return dropcap.Result{Status: 201, Body: answer}, nil
}
