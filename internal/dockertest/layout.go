package dockertest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"dropcap/internal/dockertest/supervise"
	"dropcap/internal/testenv"
)

// layout holds the paths of one engine's files, all below root. The names are short, since a
// socket's path may have 108 bytes at most.
type layout struct {
	id, root string
	recipe   recipe
}

func (l layout) file(name string) string { return filepath.Join(l.root, name) }
func (l layout) socket() string          { return l.file("d.sock") }
func (l layout) data() string            { return l.file("data") }

// newLayout creates the root folder.
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

// docker writes the configuration of dockerd and containerd and returns how to start them.
func (l layout) docker(set settings) (supervise.Spec, error) {
	d := supervise.Docker{Root: l.root, Env: l.recipe.environment(l.root), Config: map[string]any{},
		Flags: set.flags}
	var err error
	if d.Dockerd, err = l.recipe.program("dockerd"); err != nil {
		return supervise.Spec{}, err
	}
	if d.Containerd, err = l.recipe.program("containerd"); err != nil {
		return supervise.Spec{}, err
	}
	for name, key := range map[string]string{"docker-proxy": "userland-proxy-path",
		"docker-init": "init-path"} {
		if program, err := l.recipe.program(name); err == nil {
			d.Config[key] = program
		}
	}
	if set.remap {
		d.Config["userns-remap"] = "default"
	}
	maps.Copy(d.Config, set.config)
	spec, err := d.Spec()
	if err == nil && set.remap {
		err = l.remapUsers(spec.Binds)
	}
	return spec, err
}

// remapUsers creates files that name the user dockremap, visible to the engine only: otherwise
// dockerd would create that user on the host.
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

// busybox returns the path of the static busybox for images.
func busybox() string { return filepath.Join(testenv.Cache(), "base/bin/busybox") }
