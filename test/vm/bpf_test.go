package vm_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// The event tests of internal/bpf pass on each kernel, with the best hook there and with the one
// that old kernels have. Under DROPCAP_TEST_FULL they also run on arm64, where trampolines came
// with about Linux 6.4, so that before only a kprobe works.
func TestTracerOnEachKernel(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.VM)
	program := testBinary(t, "./internal/bpf", "amd64")
	run := events
	if full {
		run = "."
	}
	for _, version := range vm.Kernels {
		t.Run(version, func(t *testing.T) {
			tracers(t, vm.Kernel(version), program, run, "fexit", "kprobe")
		})
	}
	if !full {
		return
	}
	program = testBinary(t, "./internal/bpf", "arm64")
	t.Run("arm64-6.1", func(t *testing.T) {
		tracers(t, vm.Arm64Kernel("6.1"), program, events, "kprobe")
	})
	t.Run("arm64-6.12", func(t *testing.T) {
		tracers(t, vm.Arm64Kernel("6.12"), program, events, "fexit", "kprobe")
	})
}

var full = os.Getenv("DROPCAP_TEST_FULL") == "1"

func tracers(t *testing.T, kind vm.Kind, program []byte, run string, hooks ...string) {
	m := vm.Start(t, kind, vm.Memory(1024), vm.Modules("overlay"))
	m.Put(t, "/opt/bpf.test", program, 0o755)
	unit, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t),
		"packaging/systemd/dropcap-learn.service"))
	if err != nil {
		t.Fatal(err)
	}
	m.Put(t, "/opt/fexit.service", unit, 0o644)
	// As in packaging/build for arm64: Debian's kernels require SYS_ADMIN for a kprobe.
	m.Put(t, "/opt/kprobe.service", bytes.Replace(unit, []byte("\nCapabilityBoundingSet="),
		[]byte("\nCapabilityBoundingSet=CAP_SYS_ADMIN "), 1), 0o644)
	m.Shell(t, `mkdir -p /tmp /root
		mounted() { grep -q " $1 " /proc/mounts; }
		mounted /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mounted /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
		# As strict as Debian and Ubuntu ever are to those without the capabilities.
		echo 1 >/proc/sys/kernel/kptr_restrict; echo 4 >/proc/sys/kernel/perf_event_paranoid`)
	for _, hook := range hooks {
		t.Run(hook, func(t *testing.T) { tracer(t, m, hook, run) })
	}
}

// events are the tests that differ most between kernels. Under DROPCAP_TEST_FULL all tests that
// need neither engine nor compiler run on amd64.
const events = "Exactly|Services|Capset|Beyond|UserNamespace|Runtimes|Apart|OwnSets|HeldWhen|LastChange|ItsLayers"

func tracer(t *testing.T, m *vm.Machine, hook, run string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	began := time.Now()
	out, stderr, exit, err := m.Exec(ctx, vm.Command{
		Argv: []string{"/opt/bpf.test", "-test.v", "-test.timeout=29m", "-test.run=" + run,
			"-test.skip=Engine|Probe|Generated"},
		Env: []string{"DROPCAP_TEST_HOOK=" + hook, "DROPCAP_TEST_STRICT=1",
			"DROPCAP_TEST_UNIT=/opt/" + hook + ".service", "HOME=/root", "TMPDIR=/tmp"},
		Dir: "/tmp",
	})
	if err != nil || exit != 0 ||
		!strings.Contains(string(out), "--- PASS: TestEachCheckIsCountedExactly") {
		t.Errorf("exit %d, %v\n%s%s", exit, err, out, stderr)
	}
	t.Logf("%.0f s", time.Since(began).Seconds())
}

// testBinary builds a package's tests as one static program.
func testBinary(t *testing.T, pkg, goarch string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "test")
	cmd := exec.Command("go", "test", "-c", "-o", out, pkg)
	cmd.Dir = testenv.RepoRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", pkg, err, text)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
