package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// asService runs the shipped unit, with all its restrictions, under a real systemd: it becomes
// ready, sees a container start, is restarted with the engine, and ends cleanly.
func asService(t *testing.T, m *vm.Machine) {
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t),
		"packaging/systemd/dropcap-learn.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.Shell(t, "ln -sf "+program+" /usr/bin/dropcap")
	m.Put(t, "/etc/systemd/system/dropcap-learn.service", unit, 0o644)
	defer func() {
		t.Log(m.Shell(t, "journalctl --no-pager -o cat -u dropcap-learn | tail -n 40"))
	}()
	m.Shell(t, "systemctl daemon-reload && systemctl start dropcap-learn && systemctl is-active "+
		"dropcap-learn")
	m.Shell(t, "docker run -d --stop-timeout 1 --name served busybox:test sh -c '>/f; while "+
		"true; do busybox chown 1 /f; busybox chown 0 /f; sleep 1; done'")
	// It stores evidence every half minute. An emulated host is polled slowly: each question costs
	// it a second.
	knows := func(what string) {
		t.Helper()
		m.Shell(t, `for i in $(seq 90); do
				known=$(`+program+` evidence served 2>&1) || true
				case $known in *"`+what+`"*) exit 0 ;; esac
				sleep 2
			done
			echo "not `+what+`: $known"; exit 1`)
	}
	knows("--cap-add=CHOWN")
	m.Shell(t, "systemctl restart docker && docker start served")
	knows("1 warm start seen")
	m.Shell(t, "systemctl stop dropcap-learn")
	if s := strings.TrimSpace(m.Shell(t,
		"systemctl show -p Result --value dropcap-learn")); s != "success" {
		t.Errorf("its result is %s", s)
	}
	m.Shell(t, "docker rm -f served; rm -rf /var/lib/dropcap "+
		"/etc/systemd/system/dropcap-learn.service; systemctl daemon-reload")
}
