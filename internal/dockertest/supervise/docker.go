package supervise

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// Docker is a dockerd with a containerd of its own. Both work in the folder Root alone, whose name
// is the engine's id. Names of files in it are short, since a socket's path may have 108 bytes at
// most.
type Docker struct {
	Root                string
	Dockerd, Containerd string
	Env                 []string
	Config              map[string]any // of daemon.json, overriding the defaults here
	Flags               []string
}

// Socket returns the path of the API's socket.
func (d Docker) Socket() string { return filepath.Join(d.Root, "d.sock") }

// Spec writes the daemons' configuration and returns how to start them.
func (d Docker) Spec() (Spec, error) {
	id, helper := filepath.Base(d.Root), filepath.Join(d.Root, "c.sock")
	file := func(name string) string { return filepath.Join(d.Root, name) }
	spec := Spec{
		ID: id, Root: d.Root, Binds: map[string]string{},
		Helper: &Command{Args: []string{d.Containerd, "--config", file("c.toml")}, Env: d.Env,
			Log: file("containerd.log"), Socket: helper},
		Engine: Command{
			// The one setting whose flag and key have different names in 20.10, which therefore
			// refuses it as a key.
			Args: append([]string{d.Dockerd, "--config-file", file("daemon.json"),
				"--containerd-plugins-namespace", id + "-plugins"}, d.Flags...),
			Env: d.Env, Log: file("engine.log"), Socket: d.Socket(),
		},
	}
	text, err := json.MarshalIndent(d.daemonConfig(id, helper), "", "  ")
	if err != nil {
		return spec, err
	}
	if err := os.WriteFile(file("daemon.json"), text, 0o600); err != nil {
		return spec, err
	}
	return spec, os.WriteFile(file("c.toml"), fmt.Appendf(nil, `version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = %q
`, file("c/root"), file("c/run"), helper), 0o600)
}

// daemonConfig returns daemon.json. All settings are in it and none in flags, since dockerd refuses
// a setting that is in both.
func (d Docker) daemonConfig(id, helper string) map[string]any {
	config := map[string]any{
		"hosts":                []string{"unix://" + d.Socket()},
		"data-root":            filepath.Join(d.Root, "data"),
		"exec-root":            filepath.Join(d.Root, "exec"),
		"pidfile":              filepath.Join(d.Root, "d.pid"),
		"containerd":           helper,
		"containerd-namespace": id,
		"cgroup-parent":        "/" + id,
		// Not systemd's: the engine must run on hosts without it.
		"exec-opts": []string{"native.cgroupdriver=cgroupfs"},
	}
	maps.Copy(config, d.Config)
	return config
}
