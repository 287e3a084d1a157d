// Package dockertest gives tests a private, real container engine: Docker 20.10, 26.1 or 29, or
// Podman 4.3, as test/hosts/provision fetched them. Each engine has its own network and mount
// namespaces, data root, containerd and cgroup parent, but the host's PID namespace, since the
// tests read the host's /proc.
//
//	func TestMain(m *testing.M) {
//		code := 1
//		defer func() { os.Exit(code) }()
//		eng, stop, err := dockertest.StartMain(dockertest.Docker20)
//		…
//	}
//
// For an engine of a single test, use eng := dockertest.Start(t, dockertest.Docker29). However the
// test process ends, a supervisor takes down all that was started.
package dockertest

import (
	"os"

	"dropcap/internal/dockertest/supervise"
)

// The supervisor is this same program started again, so it must be recognised before any test's own
// start. Nothing else is done here.
func init() {
	if os.Getenv(supervise.Environment) != "" {
		os.Exit(supervise.Main())
	}
}
