package vm_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// cuts are where the power fails: what was synced is on the disk, the rest may be lost.
var cuts = []string{"after:note-begin", "after:create-new", "after:stop-old", "after:rename-old",
	"after:rename-new", "after:hold-old", "after:start-new", "before:note-applied"}

// A power failure interrupts a change, the host boots again and recovers by the shipped unit: the
// container has its name and runs, old or new, its data exist, old and new never ran at once, and
// the store agrees. Each cut takes a boot, so they need DROPCAP_TEST_FULL.
func TestPowerCutAmidAChange(t *testing.T) {
	if os.Getenv("DROPCAP_TEST_FULL") == "" {
		return
	}
	// One processor: QEMU's are on one thread, so a second one would only make them wait for each
	// other.
	m := vm.Start(t, vm.Debian12Host, vm.CPUs(1), vm.BootTimeout(15*time.Minute))
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t),
		"packaging/systemd/dropcap-recover.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.Put(t, "/etc/systemd/system/dropcap-recover.service", unit, 0o644)
	m.Put(t, program, built(t, "-tags", "faults", "dropcap/cmd/dropcap"), 0o755)
	m.Put(t, "/root/serve.tar", servingImage(t), 0o600)
	m.Shell(t, `ln -s `+program+` /usr/bin/dropcap; systemctl enable dropcap-recover 2>&1
		docker import --change 'CMD ["/serve"]' /root/serve.tar serve:1; sync`)
	for i, where := range cuts {
		t.Run(where, func(t *testing.T) {
			cutAt(t, m, where, []string{"always", "unless-stopped"}[i%2])
		})
	}
}

func cutAt(t *testing.T, m *vm.Machine, where, policy string) {
	began := time.Now()
	after := func(what string) { t.Logf("%s after %.0f s", what, time.Since(began).Seconds()) }
	id := strings.TrimSpace(m.Shell(t,
		fmt.Sprintf(
			`ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -f $ids >&2 # of a cut that failed
		docker volume prune -f >&2; rm -rf /var/lib/dropcap
		docker run -d --name web --restart %s -v data:/shared --env SHARED=/shared serve:1
		echo volume >/var/lib/docker/volumes/data/_data/mark; docker cp /etc/hostname web:/tmp.mark; sync`, policy)))
	m.Shell(t, `DROPCAP_FAULT=`+where+`=stop nohup `+program+
		` apply web --yes --discard-layer --soak 0s --no-watch >/root/log 2>&1 &
		for i in $(seq 480); do # forking is slow there
			grep -qs '^State:.*stopped' /proc/$!/status && exit
			kill -0 $! 2>/dev/null || break
			sleep 0.5
		done
		cat /root/log; exit 1`)
	after("stopped")
	m.PowerCut()
	m.Boot(t)
	after("booted")
	t.Log(m.Shell(t, "journalctl --no-pager -o cat -b -u dropcap-recover"))
	if s := strings.TrimSpace(m.Shell(t,
		"systemctl show -p Result --value dropcap-recover")); s != "success" {
		t.Errorf("the unit's result is %s", s)
	}
	stdout, stderr, exit := run(t, m, program, "recover")
	if exit != dropcap.ExitOK || !strings.Contains(stderr, "nothing to recover") {
		t.Errorf("recover after the unit's: exit %d: %s%s", exit, stdout, stderr)
	}
	waitRunning(t, m)
	wholeAfterCut(t, m, id, policy)
	after("done")
}

func waitRunning(t *testing.T, m *vm.Machine) {
	t.Helper()
	if !testenv.Within(time.Minute, func() bool {
		out, _, _ := run(t, m, "docker", "inspect", "--format", "{{.State.Running}}", "web")
		return out == "true\n"
	}) {
		t.Errorf("web does not run: %s", m.Shell(t, "docker ps -a"))
	}
}

func wholeAfterCut(t *testing.T, m *vm.Machine, old, policy string) {
	t.Helper()
	stdout, _, _ := run(t, m, program, "history", "--format", "json")
	var h dropcap.Changes
	if err := json.Unmarshal([]byte(stdout), &h); err != nil || len(h.Changes) != 1 {
		t.Fatalf("history: %v: %s", err, stdout)
	}
	last := h.Changes[0]
	owner := strings.TrimSpace(m.Shell(t,
		"docker inspect --format '{{.Id}} {{.HostConfig.RestartPolicy.Name}}' web"))
	want := map[dropcap.ChangeState]string{dropcap.Applied: last.After,
		dropcap.RolledBack: old}[last.State]
	if want == "" || owner != want+" "+policy {
		t.Errorf("the store says %s, and web is %s (old %s, new %s)", last.State, owner, old,
			last.After)
	}
	others := strings.TrimSpace(m.Shell(t,
		`for c in $(docker ps -aq --no-trunc); do docker inspect --format '{{.Name}} {{.State.Running}} {{.HostConfig.RestartPolicy.Name}}' $c; done | grep -v '^/web ' || true`))
	if left := len(strings.Fields(others)) / 3; left > 1 || left == 1 && !strings.HasSuffix(others,
		" false no") || left == 1 && last.State != dropcap.Applied {
		t.Errorf("beside it there are %s", others)
	}
	if got := m.Shell(t, "cat /var/lib/docker/volumes/data/_data/mark; docker cp "+old+
		":/tmp.mark - | tar -xO"); !strings.HasPrefix(got, "volume\n") || len(got) < 9 {
		t.Errorf("the marks are %q", got)
	}
	if log := m.Shell(t, "cat /var/lib/docker/volumes/data/_data/log"); strings.Contains(log,
		"overlap") {
		t.Errorf("old and new ran at once: %s", log)
	}
	t.Logf("%s: %s", last.State, last.Because)
}

// built returns a static program of this repository.
func built(t *testing.T, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command("go", append([]string{"build", "-ldflags=-s -w", "-o", out}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// servingImage returns the program of test/change and nothing else.
func servingImage(t *testing.T) []byte {
	t.Helper()
	serve := built(t, "dropcap/test/change/serve")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "serve", Mode: 0o755,
		Size: int64(len(serve))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(serve); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
