package lab

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// machineID is where machine-id(5) is. Each node sees a file of its own there, in a mount namespace of its scripts, which only root can make.
const machineID = "/etc/machine-id"

// identify gives each node a machine-id, and tries whether it can be shown to scripts.
func (l *lab) identify() error {
	for k := range l.Nodes {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // it never fails
		if err := os.WriteFile(l.file(k, "machine-id"), fmt.Appendf(nil, "%x\n", id), 0o444); err != nil {
			return err
		}
	}
	why := "that needs root"
	if os.Geteuid() == 0 {
		err := onThread(func() error { return showMachineID(l.file(0, "machine-id")) })
		if err == nil {
			l.identified = true
			return nil
		}
		why = err.Error()
	}
	l.Say("nodes share the machine-id of this machine: " + why)
	return nil
}

// starter is how a node's scripts are started.
func (l *lab) starter(k int) func(*exec.Cmd) error {
	if !l.identified {
		return nil
	}
	return func(cmd *exec.Cmd) error {
		return onThread(func() error {
			if err := showMachineID(l.file(k, "machine-id")); err != nil {
				return err
			}
			return cmd.Start() // a child is in the namespaces of the thread that starts it
		})
	}
}

// showMachineID puts the calling thread into a mount namespace with a machine-id of its own. What this machine mounts is seen there.
func showMachineID(file string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keep mounts to a node: %w", err)
	}
	if err := unix.Mount(file, machineID, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", machineID, err)
	}
	return nil
}

// onThread runs a function on a thread that ends with it, so that none of what it changes of the thread stays.
func onThread(run func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: a goroutine that ends so takes its thread along
		done <- run()
	}()
	return <-done
}
