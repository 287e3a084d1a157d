package docker

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"

	"dropcap"
)

// engineInfo is the content of the first greeting.
type engineInfo struct {
	name    string // "docker" or "podman"
	version string // of the engine
	newest  string // the newest API version that the engine supports
	agreed  string // the API version agreed on
	libpod  string // the version of Podman's own API; empty for docker
}

var apiVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[1-9][0-9]?\.[0-9]{1,3}$`)
})

// negotiate asks for /_ping, whose headers contain all that is needed. /version would do too, but
// makes the engine run "runc --version" and "docker-init --version" each time (moby daemon/info.go,
// fillPlatformVersion).
func (c *Client) negotiate(ctx context.Context, forced string) error {
	r := request{method: http.MethodGet, path: "/_ping", max: 4096}
	status, header, body, err := c.exchange(ctx, r, new(bytes.Buffer))
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(r, status, body)
	}
	c.engine = greeting(header)
	if c.engine.newest == "" { // a proxy may drop headers
		if err := c.askVersion(ctx); err != nil {
			return err
		}
	}
	return c.agree(strings.TrimPrefix(strings.TrimSpace(forced), "v"))
}

// Ping asks whether the engine answers at all.
func (c *Client) Ping(ctx context.Context) error {
	r := request{method: http.MethodGet, path: "/_ping", max: 4096}
	status, _, body, err := c.exchange(ctx, r, new(bytes.Buffer))
	if err == nil && status != http.StatusOK {
		err = refusal(r, status, body)
	}
	return err
}

// greeting reads the headers that every engine since API 1.40 sends: "Server: Docker/20.10.24
// (linux)", "Api-Version: 1.41", and from Podman "Server: Libpod/4.3.1 (linux)",
// "Libpod-Api-Version: 4.3.1".
func greeting(h http.Header) engineInfo {
	e := engineInfo{name: "docker", newest: valid(h.Get("Api-Version"))}
	product, version, _ := strings.Cut(strings.Fields(h.Get("Server") + " -")[0], "/")
	switch product {
	case "Docker", "Libpod":
		e.version = printable(version, 60)
	}
	if libpod := h.Get("Libpod-Api-Version"); libpodVersion().MatchString(libpod) {
		e.name, e.libpod, e.version = "podman", libpod, libpod
	}
	return e
}

var libpodVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[0-9A-Za-z.]{1,20})?$`)
})

func valid(v string) string {
	if apiVersion().MatchString(v) {
		return v
	}
	return ""
}

// askVersion fills in what the greeting lacked.
func (c *Client) askVersion(ctx context.Context) error {
	var v versionBody
	if err := c.getAt(ctx, "/version", nil, maxOne, &v); err != nil {
		return err
	}
	c.engine.newest, c.engine.version = valid(v.APIVersion), printable(v.Version, 60)
	for _, part := range v.Components {
		if part.Name == "Podman Engine" {
			c.engine.name = "podman"
			if libpodVersion().MatchString(part.Version) {
				c.engine.libpod = part.Version
			}
		}
	}
	return nil
}

type versionBody struct {
	Version       string
	APIVersion    string `json:"ApiVersion"`
	KernelVersion string
	Components    []struct{ Name, Version string }
}

// agree selects the older of the newest versions on both sides, or the one that the user forces.
func (c *Client) agree(forced string) error {
	newest := c.engine.newest
	switch {
	case newest == "":
		return dropcap.Errorf(dropcap.CodeHost, "is a Docker Engine or Podman at that address?",
			"cannot talk with %s: it names no API version", c.Address())
	case versions.LessThan(newest, client.MinAPIVersion):
		return dropcap.Errorf(dropcap.CodeHost,
			"Docker 19.03 is the oldest that works; update the engine",
			"cannot talk with %s: it speaks API %s, and %s is needed", c.Address(), newest,
			client.MinAPIVersion)
	case forced != "" && (valid(forced) == "" || versions.LessThan(forced, client.MinAPIVersion)):
		return dropcap.Errorf(dropcap.CodeUsage, "unset it, or set it to 1.40 or later",
			"cannot use DOCKER_API_VERSION=%q", forced)
	case forced != "":
		c.engine.agreed = forced
	case versions.LessThan(newest, client.MaxAPIVersion):
		c.engine.agreed = newest
	default:
		c.engine.agreed = client.MaxAPIVersion
	}
	return nil
}
