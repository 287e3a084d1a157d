package docker

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// libpodBody is the part of GET /libpod/containers/{id}/json that Docker's API lacks.
type libpodBody struct {
	ID           string `json:"Id"`
	OCIRuntime   string
	BoundingCaps json.RawMessage // null is the empty set, missing is unknown
}

// libpodInspect fills in what only Podman's own API contains: the bounding set in the container's
// specification, which the next start grants.
func (c *Client) libpodInspect(ctx context.Context, out *dropcap.Container) error {
	if c.engine.libpod == "" {
		out.WhyNot = "Podman's own API cannot be reached"
		return nil
	}
	var b libpodBody
	path := c.libpod("/containers/" + out.ID + "/json")
	err := c.getAt(ctx, path, nil, maxOne, &b)
	if forbidden(err) {
		out.WhyNot = "Podman's own API is not allowed"
		return nil
	}
	if err != nil {
		return inspectError(out.ID, err)
	}
	if b.ID != out.ID {
		return unreadable(request{method: http.MethodGet, path: path}, badID(b.ID))
	}
	if b.OCIRuntime != "" {
		out.Runtime = runtimeWord(infoBody{}, b.OCIRuntime)
	}
	out.Predicted, out.WhyNot = bounding(b.BoundingCaps)
	return nil
}

func bounding(raw json.RawMessage) (set *caps.Set, whyNot string) {
	if raw == nil {
		return nil, "the engine does not tell what it grants"
	}
	var s caps.Set
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, "the engine's word about what it grants is not understood"
	}
	return &s, ""
}

// libpodInfo fills in what Podman grants by default. containers.conf can change it, and only
// Podman's own API contains it.
func (c *Client) libpodInfo(ctx context.Context, h *dropcap.Host) error {
	if c.engine.libpod == "" {
		return nil
	}
	var b struct {
		Host struct {
			Security struct{ Capabilities string }
		}
	}
	if err := c.getAt(ctx, c.libpod("/info"), nil, maxOne, &b); err != nil && !forbidden(err) {
		return err
	}
	if b.Host.Security.Capabilities == "" {
		return nil
	}
	if set, err := caps.ParseAll(strings.Split(b.Host.Security.Capabilities, ",")); err == nil {
		h.Defaults = &set
	}
	return nil
}

func (c *Client) libpod(path string) string { return "/v" + c.engine.libpod + "/libpod" + path }
