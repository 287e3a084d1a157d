package vm_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// Capabilities are denied as internal/deny's tests say: on the oldest kernel at the one hook, and
// the most important of it on the newest at the other; under DROPCAP_TEST_FULL all on each at each,
// on arm64, and ten million times.
func TestDenierOnEachKernel(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.VM)
	program := testBinary(t, "./internal/deny", "amd64")
	if !full {
		t.Run("5.10", func(t *testing.T) {
			deniers(t, vm.Kernel("5.10"), program, "", modifyReturn)
		})
		t.Run("6.12", func(t *testing.T) {
			deniers(t, vm.Kernel("6.12"), program, "/(exact|expects|outlives)", lsm)
		})
		return
	}
	for _, version := range vm.Kernels {
		t.Run(version, func(t *testing.T) {
			deniers(t, vm.Kernel(version), program, "", modifyReturn, lsm)
		})
	}
	program = testBinary(t, "./internal/deny", "arm64")
	t.Run("arm64-6.12", func(t *testing.T) {
		deniers(t, vm.Arm64Kernel("6.12"), program, "", modifyReturn, lsm)
	})
}

// The hooks where capabilities can be denied.
const (
	modifyReturn = "fmod_ret/security_capable"
	lsm          = "lsm/capable"
)

// deniers runs the parts of TestDenial that only selects, all if it is empty.
func deniers(t *testing.T, kind vm.Kind, program []byte, only string, hooks ...string) {
	m := vm.Start(t, kind, vm.Memory(1024), vm.Args("lsm=lockdown,yama,apparmor,bpf"))
	m.Put(t, "/opt/deny.test", program, 0o755)
	m.Shell(t, `mkdir -p /tmp
		mounted() { grep -q " $1 " /proc/mounts; }
		mounted /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mounted /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
		mounted /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf`)
	for _, hook := range hooks {
		name, _, _ := strings.Cut(hook, "/")
		t.Run(name, func(t *testing.T) { denier(t, m, hook, only) })
	}
}

func denier(t *testing.T, m *vm.Machine, hook, only string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	began := time.Now()
	env := []string{"DROPCAP_TEST_HOOK=" + hook, "DROPCAP_TEST_STRICT=1", "HOME=/", "TMPDIR=/tmp"}
	if full {
		env = append(env, "DROPCAP_TEST_FULL=1")
	}
	out, stderr, exit, err := m.Exec(ctx, vm.Command{
		Argv: []string{"/opt/deny.test", "-test.v", "-test.timeout=29m",
			"-test.run=^TestDenial$" + only},
		Env: env, Dir: "/tmp"})
	if err != nil || exit != 0 || !strings.Contains(string(out), "--- PASS: TestDenial") {
		t.Errorf("exit %d, %v\n%s%s", exit, err, out, stderr)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") { // figures
			t.Log(strings.TrimSpace(line))
		}
	}
	t.Logf("%.0f s", time.Since(began).Seconds())
}
