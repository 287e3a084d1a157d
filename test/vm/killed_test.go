package vm_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// If set, this test program boots a machine, prints QEMU's process id, and waits to be killed.
const victim = "DROPCAP_VM_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		beVictim()
	}
	os.Exit(m.Run())
}

func beVictim() {
	if _, err := vm.Open(context.Background(), vm.Kernel("6.1")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range children {
		text, _ := os.ReadFile(path)
		if pid := strings.TrimSpace(string(text)); pid != "" {
			fmt.Println("qemu", pid)
		}
	}
	select {}
}

func TestMachineEndsWithItsTestProcess(t *testing.T) {
	testenv.Need(t, testenv.VM)
	tmp := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"=1", "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	pid, ok := strings.CutPrefix(strings.TrimSpace(line), "qemu ")
	if !ok {
		t.Fatalf("no machine: %s", line)
	}
	testenv.Eventually(t, 20*time.Second, "end of QEMU, process "+pid+
		", whose test process was killed",
		func() bool { return !alive("/proc/" + pid + "/cmdline") })
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v", left)
	}
}

// alive is false for a zombie too: its command line reads empty.
func alive(cmdline string) bool {
	text, err := os.ReadFile(cmdline)
	return err == nil && strings.HasPrefix(string(text), "qemu-system")
}
