package docker

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// infoBody is the part of GET /info that is used.
type infoBody struct {
	ID              string
	Name            string
	KernelVersion   string
	ServerVersion   string
	DockerRootDir   string
	CgroupVersion   string // "1" or "2"; not told before API 1.41
	SecurityOptions []string
	DefaultRuntime  string
	Runtimes        map[string]struct {
		Path string `json:"path"`
		Type string `json:"runtimeType"`
	}
}

// askInfo asks GET /info; where something before the engine does not allow it, it makes do with GET
// /version.
func (c *Client) askInfo(ctx context.Context) (infoBody, error) {
	var b infoBody
	err := c.get(ctx, "/info", nil, maxOne, &b)
	if !forbidden(err) && statusOf(err) != http.StatusNotFound {
		return b, err
	}
	var v versionBody
	if c.getAt(ctx, "/version", nil, maxOne, &v) != nil {
		return infoBody{}, err
	}
	return infoBody{KernelVersion: v.KernelVersion, ServerVersion: v.Version}, nil
}

// Identity is the same for all who talk to this engine, whichever way, and another for every other
// engine of its machine. Engines of one machine may share an id: up to 23 it was made of a key in
// /etc/docker (moby daemon/trustkey.go), wherever their root is. Empty if it is not told.
func (c *Client) Identity(ctx context.Context) (string, error) {
	info, err := c.info.get(ctx, c.askInfo)
	if err != nil || info.DockerRootDir == "" {
		return "", err
	}
	return info.ID + " " + info.DockerRootDir, nil
}

// Host describes the engine and its machine by the engine's word. ID is "engine:" and the engine's
// own id, and empty for Podman, which makes up another for each request; Cgroup is never "hybrid",
// since engines do not tell; LSM holds those that the engine uses itself. Grantable is left nil.
// Where /info is not allowed, what only it tells is empty.
func (c *Client) Host(ctx context.Context) (dropcap.Host, error) {
	info, err := c.info.get(ctx, c.askInfo)
	if err != nil {
		return dropcap.Host{}, err
	}
	h := c.host()
	h.Name, h.Kernel = printable(info.Name, 253), printable(info.KernelVersion, 65)
	if h.Engine.Version == "" {
		h.Engine.Version = printable(info.ServerVersion, 60)
	}
	switch info.CgroupVersion {
	case "1", "2":
		h.Cgroup = "v" + info.CgroupVersion
	}
	h.Engine.Rootless = slices.Contains(info.SecurityOptions, "name=rootless")
	for _, lsm := range []string{"apparmor", "selinux"} {
		if slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
			return o == "name="+lsm || strings.HasPrefix(o, "name="+lsm+",")
		}) {
			h.LSM = append(h.LSM, lsm)
		}
	}
	if c.podman() {
		return h, c.libpodInfo(ctx, &h)
	}
	if info.ID != "" {
		h.ID = "engine:" + printable(info.ID, 100)
	}
	defaults := caps.DockerDefaults
	h.Defaults = &defaults
	return h, nil
}
