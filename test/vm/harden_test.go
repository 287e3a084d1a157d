package vm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
	"dropcap/test/install"
	"dropcap/test/vm"
)

// lateNeeds is a program that uses CHOWN, FOWNER once /now is there, and MKNOD once /then is. It
// says when something fails.
const lateNeeds = `sh -c 'busybox rm -f /f; >/f; busybox chown 1 /f; while sleep 1; do ` +
	`busybox chown 0 /f || echo failed; busybox chown 1 /f || echo failed; ` +
	`test ! -e /now || busybox chmod 600 /f || echo failed; ` +
	`test ! -e /then || { busybox rm -f /n; busybox mknod /n c 1 3 || echo failed; }; done'`

// TestHarden takes a container through its whole way on a real host, by the shipped unit with all
// its restrictions: what it needs beyond what was seen is given back by the trial, with no restart;
// what is missed after the change brings the former container back; and in between the service is
// killed.
func TestHarden(t *testing.T) {
	if !install.Full() {
		return // test/e2e hardens on an engine of this host
	}
	m := vm.Start(t, vm.Debian12Host)
	m.Put(t, "/tmp/busybox.tar", busyboxImage(t), 0o600)
	m.Shell(t, "docker import /tmp/busybox.tar busybox:test")
	m.PutBinary(t, "./cmd/dropcap", program)
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t),
		"packaging/systemd/dropcap-harden.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.Shell(t, "ln -sf "+program+" /usr/bin/dropcap")
	m.Put(t, "/etc/systemd/system/dropcap-harden.service", unit, 0o644)
	defer func() {
		t.Log(m.Shell(t, "journalctl --no-pager -o cat -u dropcap-harden | tail -n 60"))
	}()
	m.Shell(t, "systemctl daemon-reload && systemctl start dropcap-harden && systemctl is-active "+
		"dropcap-harden")
	m.Shell(t, "docker run -d --stop-timeout 1 --name late busybox:test "+lateNeeds)
	began := m.Shell(t, "docker inspect -f '{{.Id}} {{.State.StartedAt}}' late")
	m.Shell(t, program+" harden late --learn 5s --trial 40s --watch 1d --accept low --yes 2>&1")

	comes(t, m, dropcap.HardenTrying, func(h dropcap.Hardening) bool { return h.Trial != "" })
	m.Shell(t, "docker exec late busybox touch /now")
	if now := m.Shell(t, "docker inspect -f '{{.Id}} {{.State.StartedAt}}' late"); now != began {
		t.Errorf("it was restarted under the trial: %s, then %s", began, now)
	}
	h := comes(t, m, dropcap.HardenWatching, anyhow)
	if log := m.Shell(t, "docker logs late-dropcap-"+h.Change+
		" 2>&1"); strings.Count(log, "failed") != 1 {
		t.Errorf("the program says %q; one denial is what it takes", log)
	}
	left := m.Shell(t, "docker inspect -f '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' late")
	left = strings.ReplaceAll(strings.TrimSpace(left), "CAP_", "")
	if left != "[ALL] [CHOWN FOWNER]" || h.Dropped.Has(caps.Fowner) {
		t.Errorf("it is changed to %s", left)
	}

	m.Shell(t, "systemctl kill --signal KILL dropcap-harden; "+
		"for i in $(seq 60); do systemctl is-active --quiet dropcap-harden && exit 0; sleep 1; "+
		"done; exit 1")
	m.Shell(t, "docker exec late busybox touch /then")
	h = comes(t, m, dropcap.HardenHeldUp, anyhow)
	if !strings.Contains(h.Because, "needed MKNOD") || h.Missed != caps.Of(caps.Mknod) {
		t.Errorf("it is held up: %s; missed %s", h.Because, h.Missed.Short())
	}
	left = m.Shell(t, "docker inspect -f '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}' late")
	if strings.TrimSpace(left) != "[] []" {
		t.Errorf("it is backed out to %s", left)
	}
	m.Shell(t, "systemctl stop dropcap-harden")
	if s := strings.TrimSpace(m.Shell(t,
		"systemctl show -p Result --value dropcap-harden")); s != "success" {
		t.Errorf("its result is %s", s)
	}
}

func anyhow(dropcap.Hardening) bool { return true }

// comes waits until the hardening of late is in a state, and more is so.
func comes(t *testing.T, m *vm.Machine, to dropcap.HardenState,
	ok func(dropcap.Hardening) bool) dropcap.Hardening {
	t.Helper()
	var doc dropcap.Hardenings
	for end := time.Now().Add(6 * time.Minute); time.Now().Before(end); {
		out := m.Shell(t, program+" harden status late --format json 2>/dev/null; sleep 2")
		if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Hardenings) != 1 {
			t.Fatalf("status: %v: %s", err, out)
		}
		if h := doc.Hardenings[0]; h.State == to && ok(h) {
			return h
		}
	}
	t.Fatalf("late does not come to %s: %+v", to, doc.Hardenings)
	return dropcap.Hardening{}
}
