package engines_test

import (
	"os"
	"os/exec"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
)

// pretend is an engine whose process numbers mean other processes here, as with one in a VM, a
// container or behind a tunnel. It claims to run on this very kernel, so that only the processes
// themselves can show it.
func pretend(t *testing.T, list ...fake.Container) *bench {
	b := &bench{kernel: openKernel(t)}
	e := fake.Start(t, fake.Options{Kernel: b.kernel.Host().Release})
	for _, c := range list {
		e.Add(c)
	}
	b.Engine = &dockertest.Engine{Socket: e.Socket, Host: e.Host}
	b.client = openClient(t, e.Host)
	return b
}

var dropsAll = fake.HostConfig{CapDrop: []string{"ALL"}}

// The declarations of such an engine's containers would pass, and yet nothing may.
func TestProcessesOfAnEngineElsewhere(t *testing.T) {
	b := pretend(t,
		fake.Container{Name: "this-test", State: "running", PID: os.Getpid(), HostConfig: dropsAll},
		fake.Container{Name: "first-process", State: "running", PID: 1, HostConfig: dropsAll},
		fake.Container{Name: "nobody", State: "running", PID: ended(t), HostConfig: dropsAll},
		fake.Container{Name: "paused", State: "paused", PID: os.Getppid(), HostConfig: dropsAll},
		fake.Container{Name: "stopped", State: "exited", HostConfig: dropsAll})
	for _, a := range []dropcap.Audit{b.judge(t), b.programAudit(t, dropcap.ExitIncomplete)} {
		if len(a.Containers) != 5 {
			t.Fatalf("%d containers, want 5", len(a.Containers))
		}
		for _, c := range a.Containers {
			if c.Name == "stopped" {
				clean(t, c)
			} else {
				unknown(t, c)
			}
		}
	}
}

// The number from the engine may be that of a process of another container.
func otherContainersProcess(t *testing.T, b *bench) {
	one, other := b.RunContainer(t, "", dropAll), b.RunContainer(t, "", body(declaration{}))
	p := pretend(t, fake.Container{ID: one, Name: "crossed", State: "running",
		PID: b.State(t, other).Pid, HostConfig: dropsAll})
	unknown(t, p.one(t, one))
}

// unknown checks that the container is unknown, with a reason, and that no other process's sets are
// reported as its own.
func unknown(t *testing.T, c dropcap.Judged) {
	t.Helper()
	k := c.Kernel
	if c.Verdict != dropcap.Unknown || finding(c, dropcap.RuleUnseen) == nil || k.WhyNot == "" {
		t.Errorf("%s is %s (%q) with %+v, want unknown and the reason", c.Name, c.Verdict, k.WhyNot,
			c.Findings)
	}
	if k.Visible || k.Bounding != nil || k.Effective != nil || len(k.Processes) > 0 {
		t.Errorf("%s is told to hold what others do: %+v", c.Name, k)
	}
}

// ended returns the number of a process that has ended.
func ended(t *testing.T) int {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}
