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
	CgroupVersion   string // "1" or "2"; missing before API 1.41
	SecurityOptions []string
	DefaultRuntime  string
	Runtimes        map[string]struct {
		Path string `json:"path"`
		Type string `json:"runtimeType"`
	}
}

// askInfo asks for GET /info. If a proxy does not allow that, it falls back on GET /version.
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

// Identity returns a string that is the same for all clients of this engine, however they connect,
// and differs from every other engine's on its machine. The engine's id alone does not suffice: up
// to 23 it came from a key in /etc/docker (moby daemon/trustkey.go), whatever the root folder.
// Empty if unknown.
func (c *Client) Identity(ctx context.Context) (string, error) {
	info, err := c.info.get(ctx, c.askInfo)
	if err != nil || info.DockerRootDir == "" {
		return "", err
	}
	return info.ID + " " + info.DockerRootDir, nil
}

// Host describes the engine and its machine in the engine's words. ID is "engine:" and the engine's
// own id, or empty for Podman, which makes up a new one for each request. Cgroup is never "hybrid",
// since engines do not report that. LSM lists those that the engine itself uses. Grantable is nil.
// Where a proxy blocks /info, what only it contains is empty.
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
