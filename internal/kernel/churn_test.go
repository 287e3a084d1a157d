package kernel

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"dropcap"
)

// Orphans are adopted by the first process of the PID namespace, so no process of this container
// has a parent outside it, however fast processes come and go.
func TestLookAtProcessesThatComeAndGo(t *testing.T) {
	s := newSandbox(t)
	cmd := exec.Command("sh", "-c",
		"read go; while :; do sh -c 'sleep 0.01 & sleep 0.002 & :'; done")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID,
		Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.enter(cmd.Process.Pid)
	fmt.Fprintln(in)
	children := 0
	for range 300 {
		for _, p := range s.look(dropcap.Container{PID: cmd.Process.Pid}).Processes {
			switch p.Origin {
			case dropcap.OriginInit:
			case dropcap.OriginChild:
				children += len(p.PIDs)
			default:
				t.Fatalf("%v (%s) has origin %s; want child", p.PIDs, p.Comm, p.Origin)
			}
		}
	}
	if children == 0 {
		t.Error("no child was ever seen: this test tests nothing")
	}
	t.Logf("%d children seen", children)
}

func BenchmarkManyProcesses(b *testing.B) {
	l := &look{Reader: &Reader{}, c: dropcap.Container{PID: 1}, at: map[int]int{},
		kindOf: map[masks]int{}, strangers: map[int]bool{}}
	b.ReportAllocs()
	for b.Loop() {
		l.list, l.at = make([]process, 0, 100_000), make(map[int]int)
		for pid := 1; pid <= 100_000; pid++ {
			l.at[pid] = len(l.list)
			l.list = append(l.list, process{pid: pid, parent: pid / 2, kind: l.kind(masks{}),
				comm: "sh"})
		}
		l.resolveOrigins()
		if k := l.result(); len(k.Processes) != 2 || len(k.Processes[1].PIDs) != MostPIDs {
			b.Fatal("want the first process and its children")
		}
	}
}
