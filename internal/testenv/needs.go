package testenv

import (
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The requirements of tests.
var (
	Root = Requirement{"root", func() string {
		if os.Geteuid() != 0 {
			return "runs as uid " + strconv.Itoa(os.Geteuid())
		}
		return ""
	}, "run the tests as root"}

	BTF = Requirement{"BTF", missingFile("/sys/kernel/btf/vmlinux"),
		"run on a kernel built with CONFIG_DEBUG_INFO_BTF"}

	// Engines and tools that test/hosts/provision fetches.
	Base     = component("base")
	Docker20 = component("docker20")
	Docker26 = component("docker26")
	Docker29 = component("docker29")
	Podman4  = component("podman4")
	VM       = component("vm")
	VMArm    = component("vmarm")
	Chromium = component("chromium")
	Clang    = component("clang")
	Compose  = component("compose")
	Systemd  = component("systemd")
	Promtool = component("prometheus")

	Workloads = component("workloads") // a Debian root with servers, for `docker import`

	// CapSysResource is missing in some containers and CI hosts; engine 20.10 then cannot start
	// privileged containers.
	CapSysResource = Requirement{"CAP_SYS_RESOURCE", func() string {
		const bit = 24 // linux/capability.h
		text, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(text)) {
			if hex, ok := strings.CutPrefix(line, "CapBnd:"); ok {
				mask, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
				if mask&(1<<bit) != 0 {
					return ""
				}
			}
		}
		return "it is not in this process's bounding set"
	}, "run in a VM or a fully privileged container"}
)

// component returns the requirement that a component of test/hosts/provision meets.
func component(name string) Requirement {
	return Requirement{
		Name:    name,
		Missing: func() string { return missingFile(filepath.Join(Cache(), name, ".stamp"))() },
		Remedy:  "run test/hosts/provision " + name + " as root",
	}
}

func missingFile(path string) func() string {
	return func() string {
		if _, err := os.Stat(path); err != nil {
			return err.Error()
		}
		return ""
	}
}

// Tool returns the requirement of a program in PATH, from the named Debian package.
func Tool(name, pkg string) Requirement {
	return Requirement{name, func() string {
		if _, err := exec.LookPath(name); err != nil {
			return err.Error()
		}
		return ""
	}, "apt-get install " + pkg}
}

// fingerprint distinguishes checkouts, so that two do not share one built program.
func fingerprint(root string) string {
	h := fnv.New64a()
	h.Write([]byte(root))
	return strconv.FormatUint(h.Sum64(), 36)
}
