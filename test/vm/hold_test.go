package vm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// mayChroot is a program that fails where it may not chroot.
const mayChroot = "busybox chroot / /bin/busybox true"

// tells is a program that says at each start whether it may chroot.
const tells = `sh -c 'chroot / true 2>/dev/null && echo allowed || echo denied; exec sleep 1000'`

// A hold goes on when dropcap ends, when the engine restarts and when the host boots, and is there
// before the program of a new container runs; it never reaches another workload. It takes two
// boots, so it needs DROPCAP_TEST_FULL.
func TestAHoldOutlivesEverything(t *testing.T) {
	if !full {
		return
	}
	m := vm.Start(t, vm.Debian12Host, vm.BootTimeout(15*time.Minute))
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t),
		"packaging/systemd/dropcap-hold.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.PutBinary(t, "./cmd/dropcap", program)
	m.Put(t, "/etc/systemd/system/dropcap-hold.service", unit, 0o644)
	m.Put(t, "/tmp/busybox.tar", busyboxImage(t), 0o600)
	m.Shell(t, "ln -sf "+program+" /usr/bin/dropcap; docker import /tmp/busybox.tar busybox:test")
	held(t, m)
	if t.Failed() {
		return
	}
	t.Run("and a boot", func(t *testing.T) {
		m.Shell(t, "sync")
		m.PowerCut()
		m.Boot(t)
		said(t, m, "web", "denied")
		said(t, m, "other", "allowed")
		verdictIs(t, m, "web", dropcap.Mitigated)
	})
	t.Run("until it is backed out", func(t *testing.T) {
		out := m.Shell(t, program+" backout web --yes; "+program+" history")
		if !strings.Contains(out, "docker:web") || !strings.Contains(out, "released") {
			t.Error(out)
		}
		m.Shell(t, "docker exec web "+mayChroot)
		verdictIs(t, m, "web", dropcap.Fail)
	})
	t.Run("and nothing is left of it", func(t *testing.T) {
		m.Shell(t, "systemctl disable --now dropcap-hold 2>&1; "+program+
			" hold web --drop SYS_CHROOT --until 72h; ! docker exec web "+mayChroot+"; "+program+
			" hold --release web; docker exec web "+mayChroot+"; ! ls /sys/fs/bpf/dropcap")
	})
}

func held(t *testing.T, m *vm.Machine) {
	m.Shell(t, "docker run -d --restart always --stop-timeout 1 --name web busybox:test "+tells+
		"; docker run -d --restart always --stop-timeout 1 --name other busybox:test "+tells)
	said(t, m, "web", "allowed")
	stdout, stderr, exit := run(t, m, program, "hold", "web", "--drop", "SYS_CHROOT,NET_RAW",
		"--until", "released")
	if exit != 0 || !strings.Contains(stdout, "docker:web") ||
		!strings.Contains(stderr, "systemctl enable --now dropcap-hold") {
		t.Fatalf("exit %d: %s%s", exit, stdout, stderr)
	}
	steps := []struct{ name, script string }{
		{"and its process", ""},
		{"and a restart of the container", "docker restart web"},
		{"and its service begins", "systemctl enable --now dropcap-hold 2>&1"},
		{"and a new container of the workload", "docker rm -f web; docker run -d " +
			"--restart always --stop-timeout 1 --name web busybox:test " + tells},
		{"and the end of its service", "systemctl kill -s KILL dropcap-hold; docker restart web"},
		{"and a restart of the engine", "systemctl restart docker; docker start web other"},
	}
	for i, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if s.script != "" {
				m.Shell(t, s.script)
			}
			if i > 0 && i != 2 {
				said(t, m, "web", "denied")
			}
			said(t, m, "other", "allowed")
			m.Shell(t, "docker exec other "+mayChroot+"; ! docker exec web "+mayChroot)
			verdictIs(t, m, "web", dropcap.Mitigated)
			verdictIs(t, m, "other", dropcap.Fail)
		})
	}
}

// said waits for what a container says at its last start.
func said(t *testing.T, m *vm.Machine, name, want string) {
	t.Helper()
	var got string
	if !testenv.Within(time.Minute, func() bool {
		got, _, _ = run(t, m, "docker", "logs", "--tail", "1", name)
		return strings.TrimSpace(got) == want
	}) {
		t.Errorf("%s says %q, want %s", name, got, want)
	}
}

func verdictIs(t *testing.T, m *vm.Machine, name string, want dropcap.Verdict) {
	t.Helper()
	stdout, stderr, exit := run(t, m, program, "audit", name, "--format", "json")
	var a dropcap.Audit
	if err := json.Unmarshal([]byte(stdout), &a); err != nil || len(a.Containers) != 1 ||
		exit != dropcap.ExitFindings {
		t.Fatalf("exit %d, %v: %s%s", exit, err, stdout, stderr)
	}
	if got := a.Containers[0].Verdict; got != want {
		t.Errorf("%s is judged %s, want %s: %s", name, got, want, stdout)
	}
}
