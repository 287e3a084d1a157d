package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// asService runs the unit that is shipped, with all that it forbids, under a real systemd: it becomes ready, sees a container start, is
// restarted with the engine, and ends cleanly.
func asService(t *testing.T, m *vm.Machine) {
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), "packaging/systemd/dropcap-learn.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.Shell(t, "ln -sf "+program+" /usr/bin/dropcap")
	m.Put(t, "/etc/systemd/system/dropcap-learn.service", unit, 0o644)
	defer func() { t.Log(m.Shell(t, "journalctl --no-pager -o cat -u dropcap-learn | tail -n 40")) }()
	m.Shell(t, "systemctl daemon-reload && systemctl start dropcap-learn && systemctl is-active dropcap-learn")
	m.Shell(t, "docker run -d --stop-timeout 1 --name served busybox:test sh -c '>/f; while true; do busybox chown 1 /f; busybox chown 0 /f; sleep 1; done'")
	knows := func(what string) {
		t.Helper()
		var all string
		for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(2 * time.Second) {
			var problem string
			all, problem, _ = run(t, m, as("", "evidence", "served")...)
			if all += problem; strings.Contains(all, what) {
				return
			}
		}
		t.Fatalf("no %q in %s", what, all)
	}
	knows("--cap-add=CHOWN")
	m.Shell(t, "systemctl restart docker && docker start served")
	time.Sleep(3 * time.Second)
	m.Shell(t, "systemctl stop dropcap-learn")
	knows("1 warm start seen")
	if s := strings.TrimSpace(m.Shell(t, "systemctl show -p Result --value dropcap-learn")); s != "success" {
		t.Errorf("its result is %s", s)
	}
	m.Shell(t, "docker rm -f served; rm -rf /var/lib/dropcap /etc/systemd/system/dropcap-learn.service; systemctl daemon-reload")
}
