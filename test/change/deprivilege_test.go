package change_test

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// TestAPrivilegedContainerIsMadeOrdinary removes --privileged from a running container whose needs
// were recorded through a restart. It keeps the one capability beyond the defaults that it needs
// (SYS_ADMIN, to set its hostname), its devices and data, and loses what the plan says; backout
// restores everything.
func TestAPrivilegedContainerIsMadeOrdinary(t *testing.T) {
	t.Parallel()
	s := newStage(t, dockertest.Docker29)
	s.shell(t,
		`docker run -d --privileged --restart always --device /dev/null:/dev/kept -v data:/kept --name web app:1 sh -c 'hostname named; exec /serve'; docker exec web sh -c 'echo precious >/kept/file'`)
	s.learnThroughRestart(t)
	before := s.inspect(t, "web", "")
	// The kernel's own files show it: masked paths, no seccomp, the host's devices.
	look := func() string {
		return s.shell(t,
			`docker exec web sh -c 'hostname; cat /kept/file; grep -E "^(Seccomp|CapBnd):" /proc/1/status; [ -c /dev/kept ] && echo kept; [ -e /dev/kmsg ] && echo all devices; grep -q " /proc/keys " /proc/mounts && echo masked; grep -q "^sysfs /sys sysfs ro" /proc/mounts && echo ro sys; true'`)
	}
	free := look()
	if !strings.Contains(free, "all devices") || strings.Contains(free, "masked") ||
		!strings.Contains(free, "Seccomp:\t0") {
		t.Fatalf("it is not privileged at first: %q", free)
	}

	p := s.dropcap(t, "plan", "web", "--deprivilege", "--accept", "low")
	for _, goes := range []string{"all devices of the host", "freedom from seccomp",
		"masked and read-only paths", "SYS_ADMIN"} {
		if !strings.Contains(p.out, goes) {
			t.Errorf("the plan does not say %q: %v", goes, p)
		}
	}
	if r := s.dropcap(t, "apply", "web", "--deprivilege", "--accept", "low", "--yes", "--soak",
		gate); r.status != dropcap.ExitOK {
		t.Fatalf("it is not made ordinary: %v", r)
	}
	now := look()
	for _, want := range []string{"named", "precious", "Seccomp:\t2", "CapBnd:\t" + ordinary,
		"kept", "masked", "ro sys"} {
		if !strings.Contains(now, want) {
			t.Errorf("afterwards it is not %q: %q", want, now)
		}
	}
	if strings.Contains(now, "all devices") {
		t.Errorf("it still has all devices: %q", now)
	}
	for _, d := range differences(t, before, s.inspect(t, "web", ""),
		slices.Concat(lives, another)...) {
		if path, _, _ := strings.Cut(d, ":"); !slices.Contains([]string{"HostConfig.Privileged",
			"HostConfig.SecurityOpt", "HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths",
			"AppArmorProfile"}, strings.Split(path, "[")[0]) {
			t.Errorf("the new one differs: %s", d)
		}
	}

	if r := s.dropcap(t, "backout", "web", "--yes"); r.status != dropcap.ExitOK {
		t.Fatalf("it does not come back: %v", r)
	}
	for _, d := range differences(t, before, s.inspect(t, "web", ""), lives...) {
		t.Errorf("the old one differs: %s", d)
	}
	if again := look(); again != free {
		t.Errorf("after backout it is %q, at first %q", again, free)
	}
}

// ordinary is the defaults without NET_RAW, with SYS_ADMIN, and with NET_ADMIN, which the kernel
// checks when Go's net.Listen reads /proc/sys/net/core/somaxconn.
const ordinary = "00000000a82415fb"

// learnThroughRestart records what web needs, from before it starts.
func (s *stage) learnThroughRestart(t *testing.T) {
	t.Helper()
	// The command starts once the recording runs, and ends it: when the program listens, it has
	// done everything that needs a capability.
	r := s.dropcap(t, "learn", "web", "--store", s.store, "--", "sh", "-ec",
		`docker restart -t 1 web; until docker exec web grep -hq ' 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done`)
	if r.status != dropcap.ExitOK {
		t.Fatalf("learn: %v", r)
	}
}
