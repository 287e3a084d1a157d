package apply

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

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
			Links                         []string
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
	for _, l := range body.HostConfig.Links {
		name, alias, _ := strings.Cut(l, ":")
		to := s.find(name)
		if to == nil {
			return refuse(400, "could not get container for "+name, nil)
		}
		b.stored = append(b.stored, tie{name, alias, to.id})
	}
	b.links = slices.Clone(b.stored)
	s.boxes[b.id] = b
	answer, _ := json.Marshal(map[string]string{"Id": b.id})
	return dropcap.Result{Status: 201, Body: answer}, nil
}

// events tells of the ends of a container whose restart policy has started it again.
func (s *scripted) events(e dropcap.Effect) (dropcap.Result, error) {
	b := s.find("web")
	if q := e.Call().Query; b == nil || !strings.Contains(q["filters"], b.id) || q["until"] == "" {
		return refuse(400, "that is asked of nobody, or without an end", nil)
	}
	body := ""
	for _, code := range s.ended {
		body += fmt.Sprintf(
			`{"Type":"container","Action":"die","Actor":{"ID":%q,"Attributes":{"exitCode":"%d","name":"web"}}}`+"\n", b.id, code)
	}
	return dropcap.Result{Status: 200, Body: json.RawMessage(body)}, nil
}
