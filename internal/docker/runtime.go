package docker

import (
	"context"
	"path"
	"strings"
)

// reservedRuntimes are those that an engine does not let anyone redefine (moby daemon/config,
// "runtime name 'runc' is reserved"). Thanks to them nearly no container needs GET /info, which
// makes the engine run programs.
var reservedRuntimes = map[string]string{"runc": "runc", "io.containerd.runc.v2": "runc",
	"io.containerd.runc.v1": "runc"}

// runtimeFamilies decide whether the host's /proc describes the container's processes.
var runtimeFamilies = []string{"runsc", "kata", "crun", "youki", "sysbox", "runc"}

// runtime returns the family of a container's runtime, by its configured path or type, or else the
// runtime's own name; empty if the engine reports nothing.
func (c *Client) runtime(ctx context.Context, name string) (string, error) {
	if word, ok := reservedRuntimes[name]; ok && !c.podman() {
		return word, nil
	}
	info, err := c.info.get(ctx, c.askInfo)
	if err != nil {
		return "", err
	}
	return runtimeWord(info, name), nil
}

func runtimeWord(info infoBody, name string) string {
	if name == "" || name == "oci" { // Podman calls its default "oci"
		name = info.DefaultRuntime
	}
	configured := info.Runtimes[name]
	// The name comes last: the user chose it, and "my-runc" may well be gVisor.
	for _, s := range []string{path.Base(configured.Path), configured.Type, name} {
		for _, word := range runtimeFamilies {
			if strings.Contains(strings.ToLower(s), word) {
				return word
			}
		}
	}
	return name
}
