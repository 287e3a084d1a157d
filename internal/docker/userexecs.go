package docker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"dropcap"
)

// healthBody is the part of a container's description from which its health check's command
// follows.
type healthBody struct {
	ExecIDs []string
	Config  struct {
		Shell       []string
		Healthcheck *struct{ Test []string }
	}
}

// command returns what the engine runs for the health check (moby daemon/health.go, cmdProbe.run);
// nil if there is none.
func (b healthBody) command() []string {
	if b.Config.Healthcheck == nil || len(b.Config.Healthcheck.Test) < 2 {
		return nil
	}
	kind, rest := b.Config.Healthcheck.Test[0], b.Config.Healthcheck.Test[1:]
	switch kind {
	case "CMD":
		return rest
	case "CMD-SHELL":
		shell := b.Config.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		return append(slices.Clone(shell), rest...)
	}
	return nil
}

// UserExecs returns the ids of a container's live execs except those of its health check, which
// come and go every few seconds and end with the container. inspect is the answer of GET
// /containers/ID/json. The result is never nil.
func (c *Client) UserExecs(ctx context.Context, inspect json.RawMessage) ([]string, error) {
	live := []string{}
	var b healthBody
	if err := json.Unmarshal(inspect, &b); err != nil {
		return nil, unreadable(request{method: "GET", path: "/containers/…/json"}, jsonError(err))
	}
	health := b.command()
	for _, id := range b.ExecIDs[:min(len(b.ExecIDs), maxExecs)] {
		if !fullID().MatchString(id) {
			return nil, unreadable(request{method: "GET", path: "/containers/…/json"}, badID(id))
		}
		var e struct {
			Running       bool
			ProcessConfig struct {
				Entrypoint string   `json:"entrypoint"`
				Arguments  []string `json:"arguments"`
			}
		}
		err := c.get(ctx, "/exec/"+id+"/json", nil, maxOne, &e)
		if errors.Is(err, dropcap.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ran := append([]string{e.ProcessConfig.Entrypoint}, e.ProcessConfig.Arguments...)
		if e.Running && (health == nil || !slices.Equal(ran, health)) {
			live = append(live, id)
		}
	}
	return live, nil
}
