package docker

import (
	"context"
	"path"
	"strings"
)

// stock are the runtimes that an engine does not let anyone redefine (moby daemon/config, "runtime
// name 'runc' is reserved"), so that nearly no container needs GET /info, which makes the engine
// run programs.
var stock = map[string]string{"runc": "runc", "io.containerd.runc.v2": "runc",
	"io.containerd.runc.v1": "runc"}

// telling are the families that decide whether the host's /proc is the container's truth.
var telling = []string{"runsc", "kata", "crun", "youki", "sysbox", "runc"}

// runtime gives a telling word for a container's runtime: one of the families above by its
// configured path or type, else its own name; empty if the engine tells nothing.
func (c *Client) runtime(ctx context.Context, name string) (string, error) {
	if word, ok := stock[name]; ok && !c.podman() {
		return word, nil
	}
	info, err := c.info.get(ctx, c.askInfo)
	if err != nil {
		return "", err
	}
	return runtimeWord(info, name), nil
}

func runtimeWord(info infoBody, name string) string {
	if name == "" || name == "oci" { // Podman says "oci" for its default
		name = info.DefaultRuntime
	}
	configured := info.Runtimes[name]
	// The name comes last: it is the person's, and "my-runc" may well be gVisor.
	for _, s := range []string{path.Base(configured.Path), configured.Type, name} {
		for _, word := range telling {
			if strings.Contains(strings.ToLower(s), word) {
				return word
			}
		}
	}
	return name
}
