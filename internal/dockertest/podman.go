package dockertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap/internal/dockertest/supervise"
	"dropcap/internal/testenv"
)

// podman writes Podman's configuration and returns how to start its API service. Without a
// configuration of its own it would use the host's, and the host's locks in /dev/shm.
func (l layout) podman(set settings) (supervise.Spec, error) {
	podman, err := l.recipe.program("podman")
	if err != nil {
		return supervise.Spec{}, err
	}
	crun, err := l.recipe.program("crun")
	if err != nil {
		return supervise.Spec{}, err
	}
	libs := strings.Join(libraries(filepath.Join(testenv.Cache(), string(Podman4))), ":")
	for name, text := range map[string]string{
		// conmon starts the runtime with hardly any environment.
		"crun": fmt.Sprintf("#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "+
			"\"$@\"\n", libs, crun),
		"containers.conf": l.containersConf(set),
		"storage.conf": fmt.Sprintf(
			"[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", l.data(),
			l.file("run")),
		"registries.conf":                "unqualified-search-registries = []\n",
		".config/containers/policy.json": `{"default":[{"type":"insecureAcceptAnything"}]}`,
	} {
		if err := os.MkdirAll(filepath.Dir(l.file(name)), 0o700); err != nil {
			return supervise.Spec{}, err
		}
		if err := os.WriteFile(l.file(name), []byte(text), 0o700); err != nil {
			return supervise.Spec{}, err
		}
	}
	env := append(l.recipe.environment(l.root),
		"CONTAINERS_CONF="+l.file("containers.conf"),
		"CONTAINERS_STORAGE_CONF="+l.file("storage.conf"),
		"CONTAINERS_REGISTRIES_CONF="+l.file("registries.conf"),
		"LD_LIBRARY_PATH="+libs)
	args := append([]string{podman}, set.flags...)
	return supervise.Spec{
		ID: l.id, Root: l.root,
		Engine: supervise.Command{
			Args: append(args, "system", "service", "--time", "0", "unix://"+l.socket()),
			Env:  env, Log: l.file("engine.log"), Socket: l.socket(),
		},
		// crun refuses a hybrid host with controllers in both hierarchies.
		HideUnified: true,
		// Podman 4.3 has no setting for its cgroups' parent.
		ContainerList:    filepath.Join(l.data(), "overlay-containers/containers.json"),
		ContainerCgroups: []string{"libpod_parent/libpod-%s"},
		SharedCgroups:    []string{"libpod_parent/conmon", "libpod_parent"},
	}, nil
}

func (l layout) containersConf(set settings) string {
	granted := debianCapabilities
	if set.capabilities != nil {
		granted = set.capabilities
	}
	program := func(name string) string {
		file, _ := l.recipe.program(name)
		return file
	}
	return fmt.Sprintf(`[containers]
log_driver = "k8s-file"
seccomp_profile = %q
init_path = %q
default_ulimits = [%s]
default_capabilities = [%s]
default_sysctls = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
conmon_path = [%q]
runtime = "crun"
helper_binaries_dir = [%q]
static_dir = %q
tmp_dir = %q
volume_path = %q
[engine.runtimes]
crun = [%q]
[network]
network_backend = "netavark"
network_config_dir = %q
`, filepath.Join(testenv.Cache(), "podman4/usr/share/containers/seccomp.json"), program("catatonit"),
		quoted(ulimits()), quoted(granted), program("conmon"),
		filepath.Join(testenv.Cache(), "podman4/usr/lib/podman"),
		l.file("static"), l.file("tmp"), l.file("volumes"), l.file("crun"), l.file("net"))
}

// libraries returns the folders of an unpacked package's shared libraries.
func libraries(unpacked string) []string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu", "lib/*-linux-gnu"} {
		found, _ := filepath.Glob(filepath.Join(unpacked, pattern))
		dirs = append(dirs, found...)
	}
	return dirs
}

// ulimits returns limits for containers, in Podman's spelling, that do not need CAP_SYS_RESOURCE.
// Podman's own defaults are higher, and its service lowers its own number of processes to 32768.
func ulimits() []string {
	most := []struct {
		name     string
		resource int
		limit    uint64
	}{{"nofile", unix.RLIMIT_NOFILE, 1 << 20}, {"nproc", unix.RLIMIT_NPROC, 32768}}
	var limits []string
	for _, m := range most {
		var now unix.Rlimit
		if unix.Getrlimit(m.resource, &now) == nil {
			n := min(now.Max, m.limit)
			limits = append(limits, fmt.Sprintf("%s=%d:%d", m.name, n, n))
		}
	}
	return limits
}

// debianCapabilities is the default in Debian 12's /usr/share/containers/containers.conf; Podman's
// own, without that file, has AUDIT_WRITE, MKNOD and NET_RAW too.
var debianCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE",
	"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}
