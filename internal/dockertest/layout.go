package dockertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"dropcap/internal/dockertest/supervise"
	"dropcap/internal/testenv"
)

// layout names the files of one engine, all below root. The names are short, since a
// socket's path may have 108 bytes at most.
type layout struct {
	id, root string
	recipe   recipe
}

func (l layout) file(name string) string { return filepath.Join(l.root, name) }
func (l layout) socket() string          { return l.file("d.sock") }
func (l layout) data() string            { return l.file("data") }

// newLayout makes the root folder.
func newLayout(r recipe, set settings) (layout, error) {
	root, err := os.MkdirTemp("", supervise.Prefix)
	if err != nil {
		return layout{}, err
	}
	if set.remap {
		// The remapped root must be able to walk to its files.
		if err := os.Chmod(root, 0o711); err != nil {
			return layout{}, err
		}
	}
	return layout{id: filepath.Base(root), root: root, recipe: r}, nil
}

// docker writes dockerd's and containerd's configuration and says how to start them.
func (l layout) docker(set settings) (supervise.Spec, error) {
	spec := supervise.Spec{ID: l.id, Root: l.root, Binds: map[string]string{}}
	dockerd, err := l.recipe.program("dockerd")
	if err != nil {
		return spec, err
	}
	containerd, err := l.recipe.program("containerd")
	if err != nil {
		return spec, err
	}
	if err := l.writeDaemonConfig(set); err != nil {
		return spec, err
	}
	if err := os.WriteFile(l.file("c.toml"), []byte(l.containerdConfig()), 0o600); err != nil {
		return spec, err
	}
	if set.remap {
		if err := l.remapUsers(spec.Binds); err != nil {
			return spec, err
		}
	}
	env := l.recipe.environment(l.root)
	spec.Helper = &supervise.Command{
		Args: []string{containerd, "--config", l.file("c.toml")},
		Env:  env, Log: l.file("containerd.log"), Socket: l.file("c.sock"),
	}
	spec.Engine = supervise.Command{
		// The one setting that 20.10 has a flag and a key of different names for, and
		// so refuses as a key.
		Args: append([]string{dockerd, "--config-file", l.file("daemon.json"), "--containerd-plugins-namespace", l.id + "-plugins"}, set.flags...),
		Env:  env, Log: l.file("engine.log"), Socket: l.socket(),
	}
	return spec, nil
}

// writeDaemonConfig writes daemon.json. All goes there and nothing into flags, since
// dockerd refuses a setting that stands in both.
func (l layout) writeDaemonConfig(set settings) error {
	config := map[string]any{
		"hosts":                []string{"unix://" + l.socket()},
		"data-root":            l.data(),
		"exec-root":            l.file("exec"),
		"pidfile":              l.file("d.pid"),
		"containerd":           l.file("c.sock"),
		"containerd-namespace": l.id,
		"cgroup-parent":        "/" + l.id,
		// Not systemd's: the tests must run where there is none.
		"exec-opts": []string{"native.cgroupdriver=cgroupfs"},
	}
	for name, key := range map[string]string{"docker-proxy": "userland-proxy-path", "docker-init": "init-path"} {
		if program, err := l.recipe.program(name); err == nil {
			config[key] = program
		}
	}
	if set.remap {
		config["userns-remap"] = "default"
	}
	for key, value := range set.config {
		config[key] = value
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(l.file("daemon.json"), text, 0o600)
}

func (l layout) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = %q
`, l.file("c/root"), l.file("c/run"), l.file("c.sock"))
}

// remapUsers makes files that name the user dockremap, for the engine's eyes only:
// otherwise dockerd would create that user on the host.
func (l layout) remapUsers(binds map[string]string) error {
	const id = RemapBase
	lines := map[string]string{
		"passwd": fmt.Sprintf("dockremap:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", id, id),
		"group":  fmt.Sprintf("dockremap:x:%d:\n", id),
		"subuid": fmt.Sprintf("dockremap:%d:65536\n", id),
		"subgid": fmt.Sprintf("dockremap:%d:65536\n", id),
	}
	for name, line := range lines {
		over := "/etc/" + name
		text, err := os.ReadFile(over)
		if err != nil {
			return fmt.Errorf("cannot remap users: %w; install the package uidmap", err)
		}
		if err := os.WriteFile(l.file(name), append(text, line...), 0o644); err != nil {
			return err
		}
		binds[over] = l.file(name)
	}
	return nil
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// busybox is the static busybox that images are made of.
func busybox() string { return filepath.Join(testenv.Cache(), "base/bin/busybox") }
