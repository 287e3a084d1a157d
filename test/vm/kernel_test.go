package vm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap/test/vm"
)

func TestEachKernelBootsWithBTF(t *testing.T) {
	for _, version := range vm.Kernels {
		t.Run(version, func(t *testing.T) {
			began := time.Now()
			m := vm.Start(t, vm.Kernel(version))
			t.Logf("booted in %.1f s", time.Since(began).Seconds())
			if got := m.Shell(t, "uname -r"); !strings.HasPrefix(got, version+".") {
				t.Errorf("uname -r is %q, want %s.…", got, version)
			}
			const magic = "\x9f\xeb" // BTF_MAGIC, linux/btf.h
			if btf := m.Get(t, "/sys/kernel/btf/vmlinux"); !strings.HasPrefix(string(btf), magic) {
				t.Errorf("/sys/kernel/btf/vmlinux: %d bytes that are no BTF", len(btf))
			}
			if bnd := status(t, string(m.Get(t, "/proc/self/status")),
				"CapBnd"); !strings.HasSuffix(bnd, "ffffffff") {
				t.Errorf("the agent's bounding set is %s, want all", bnd)
			}
			onBareKernel(t, m)
		})
	}
}

func TestAgent(t *testing.T) {
	m := vm.Start(t, vm.Kernel("6.12"), vm.Modules("overlay"),
		vm.File("/etc/greeting", []byte("hello\n"), 0o640))

	t.Run("tells output, errors and exit apart", func(t *testing.T) {
		stdout, stderr, exit, err := m.Run(t.Context(), "sh", "-c",
			"echo out; echo err >&2; exit 3")
		if err != nil || string(stdout) != "out\n" || string(stderr) != "err\n" || exit != 3 {
			t.Errorf("got %q, %q, %d, %v", stdout, stderr, exit, err)
		}
	})
	t.Run("tells a signal", func(t *testing.T) {
		if _, _, exit, err := m.Run(t.Context(), "sh", "-c", "kill -TERM $$"); exit != 128+15 ||
			err != nil {
			t.Errorf("got exit %d, %v, want 143", exit, err)
		}
	})
	t.Run("refuses a command that is not there", func(t *testing.T) {
		if _, _, _, err := m.Run(t.Context(), "/nowhere"); err == nil ||
			!strings.Contains(err.Error(), "no such file") {
			t.Errorf("got %v, want no such file", err)
		}
	})
	t.Run("gives input, environment and folder", func(t *testing.T) {
		out, _, _, err := m.Exec(t.Context(), vm.Command{
			Argv: []string{"sh", "-c", "cat; pwd; echo $WORD"}, Env: []string{"WORD=w"},
			Dir: "/proc", Stdin: []byte("in\n")})
		if err != nil || string(out) != "in\n/proc\nw\n" {
			t.Errorf("got %q, %v", out, err)
		}
	})
	t.Run("does not wait for what is left in the background", func(t *testing.T) {
		began := time.Now()
		m.Shell(t, "sleep 300 & echo $! >/tmp/sleeper")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %s", took)
		}
		m.Shell(t, "kill -0 $(cat /tmp/sleeper)")
	})
	t.Run("kills what a cancelled request started", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _, _, err := m.Run(ctx, "sh", "-c", "echo $$ >/tmp/pid; sleep 301; true")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		m.Shell(t, "for i in 1 2 3 4 5; do kill -0 $(cat /tmp/pid) 2>/dev/null || exit 0; sleep "+
			"1; done; exit 1")
	})
	t.Run("carries a large file both ways", func(t *testing.T) {
		data := []byte(strings.Repeat("0123456789abcdef", 1<<20))
		m.Put(t, "/tmp/new/large", data, 0o600)
		if got := m.Get(t, "/tmp/new/large"); string(got) != string(data) {
			t.Errorf("%d bytes came back changed, of %d", len(got), len(data))
		}
		if got := m.Shell(t, "stat -c %a /tmp/new/large"); got != "600\n" {
			t.Errorf("mode %q, want 600", got)
		}
	})
	t.Run("has the files and modules asked for", func(t *testing.T) {
		if got := m.Shell(t, "cat /etc/greeting; stat -c %a /etc/greeting"); got != "hello\n640\n" {
			t.Errorf("got %q", got)
		}
		if got := m.Shell(t, "grep -w overlay /proc/filesystems"); !strings.Contains(got,
			"overlay") {
			t.Errorf("no overlay file system")
		}
	})
}

// status returns a field of a /proc/PID/status.
func status(tb testing.TB, text, field string) string {
	tb.Helper()
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	tb.Fatalf("no %s in:\n%s", field, text)
	return ""
}
