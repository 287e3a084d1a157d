package vm_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// One host serves all of these, since it takes half a minute to boot.
func TestDebian12Host(t *testing.T) {
	began := time.Now()
	m := vm.Start(t, vm.Debian12Host, vm.File("/etc/dropcap-test/greeting", []byte("hello\n"),
		0o600))
	t.Logf("booted in %.1f s", time.Since(began).Seconds())

	t.Run("is a whole host", func(t *testing.T) { wholeHost(t, m) })
	t.Run("privileged containers hold every capability", func(t *testing.T) { privileged(t, m) })
	t.Run("runs a program of this repository", func(t *testing.T) {
		m.PutBinary(t, "./test/vm/agent", "/usr/local/bin/again")
		if _, stderr, exit, err := m.Run(t.Context(), "timeout", "1",
			"/usr/local/bin/again"); err != nil || exit == 126 || exit == 127 {
			t.Errorf("exit %d, %v: %s", exit, err, stderr)
		}
	})
	t.Run("dropcap", func(t *testing.T) { onHost(t, m) })
	t.Run("keeps what was synced through a power cut", func(t *testing.T) { powerCut(t, m) })
}

func wholeHost(t *testing.T, m *vm.Machine) {
	for what, want := range map[string]string{
		"systemctl is-system-running":                                          "running",
		"stat -f -c %T /sys/fs/cgroup":                                         "cgroup2fs",
		"cat /sys/module/apparmor/parameters/enabled":                          "Y",
		"docker version --format '{{.Server.Version}} {{.Server.APIVersion}}'": "20.10.24+dfsg1 1.41",
		"docker info --format '{{.CgroupDriver}} {{.Driver}}'":                 "systemd overlay2",
		"cat /etc/dropcap-test/greeting":                                       "hello",
	} {
		if got := strings.TrimSpace(m.Shell(t, what)); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	if aa := m.Shell(t, "docker info --format '{{.SecurityOptions}}'"); !strings.Contains(aa,
		"apparmor") {
		t.Errorf("the engine does not use AppArmor: %s", aa)
	}
}

// Engine 20.10 on this kernel knows 38 capabilities as ALL (up to CAP_AUDIT_READ) and lacks the
// three newer ones.
const all2010 = "0000003fffffffff"

func privileged(t *testing.T, m *vm.Machine) {
	m.Put(t, "/tmp/busybox.tar", busyboxImage(t), 0o600)
	m.Shell(t, "docker import /tmp/busybox.tar busybox:test")
	for name, args := range map[string]string{"plain": "", "privileged": "--privileged",
		"all": "--cap-add ALL"} {
		m.Shell(t, fmt.Sprintf(
			"docker run -d --stop-timeout 1 --name %s %s busybox:test sleep 1000", name, args))
	}
	want := map[string]string{"plain": "00000000a80425fb", "privileged": all2010, "all": all2010}
	for name, set := range want {
		pid := strings.TrimSpace(m.Shell(t, "docker inspect --format '{{.State.Pid}}' "+name))
		if got := status(t, string(m.Get(t, "/proc/"+pid+"/status")), "CapBnd"); got != set {
			t.Errorf("%s holds %s, want %s", name, got, set)
		}
	}
	m.Shell(t, "docker exec -d --privileged plain sleep 2000")
	pid := strings.TrimSpace(m.Shell(t,
		"for i in 1 2 3 4 5; do pgrep -f '^sleep 2000$' && break; sleep 1; done"))
	if got := status(t, string(m.Get(t, "/proc/"+pid+"/status")), "CapBnd"); got != all2010 {
		t.Errorf("the privileged exec in plain holds %s, want %s", got, all2010)
	}
}

func powerCut(t *testing.T, m *vm.Machine) {
	id := m.Shell(t, "cat /etc/machine-id /proc/sys/kernel/random/boot_id")
	m.Shell(t, "mkdir -p /var/lib/kept; echo kept >/var/lib/kept/synced; sync "+
		"/var/lib/kept/synced /var/lib/kept /var/lib")
	m.PowerCut()
	if _, _, _, err := m.Run(t.Context(), "true"); err == nil ||
		!strings.Contains(err.Error(), "off") {
		t.Errorf("running in a machine without power: %v", err)
	}
	began := time.Now()
	m.Boot(t)
	t.Logf("booted again in %.1f s", time.Since(began).Seconds())
	if got := m.Shell(t, "cat /var/lib/kept/synced"); got != "kept\n" {
		t.Errorf("the synced file holds %q", got)
	}
	again := m.Shell(t, "cat /etc/machine-id /proc/sys/kernel/random/boot_id")
	if strings.Fields(id)[0] != strings.Fields(again)[0] ||
		strings.Fields(id)[1] == strings.Fields(again)[1] {
		t.Errorf("want the same machine in another boot, got\n%s\n%s", id, again)
	}
	if got := m.Shell(t,
		"docker ps -a --format '{{.Names}}' | sort | xargs"); got != "all none plain privileged\n" {
		t.Errorf("containers after the cut: %q", got)
	}
}

// busyboxImage returns a root file system with busybox and its links.
func busyboxImage(t *testing.T) []byte {
	t.Helper()
	busybox, err := os.ReadFile(testenv.Cache() + "/vm/busybox")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h *tar.Header, data []byte) {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	add(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(busybox))}, busybox)
	for _, name := range []string{"sh", "sleep", "cat"} {
		add(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
