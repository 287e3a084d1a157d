package lab

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machineID is the path of machine-id(5). Each node's scripts see the node's own file there.
const machineID = "/etc/machine-id"

// folders are the folders of programs that nodes share with this machine.
var folders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
	"/bin"}

// isolate gives each node a machine-id, and hides this machine's own dropcap from bare nodes, in a
// mount namespace of their scripts. Only root can do that.
func (l *lab) isolate() error {
	for k := range l.Nodes {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		if err := os.WriteFile(l.file(k, "machine-id"), fmt.Appendf(nil, "%x\n", id),
			0o444); err != nil {
			return err
		}
	}
	if l.Bare {
		l.hidden = installed()
	}
	why := "that needs root"
	if os.Geteuid() == 0 {
		err := onThread(func() error { return mountOver(l.mounts(0)) })
		if err == nil {
			l.apart = true
			return nil
		}
		why = err.Error()
	}
	if len(l.hidden) > 0 {
		return fmt.Errorf("cannot hide %s from the nodes: %s", strings.Join(l.hidden, ", "), why)
	}
	l.Say("nodes share the machine-id of this machine: " + why)
	return nil
}

// installed returns the dropcaps that a script would find on this machine.
func installed() (list []string) {
	for _, folder := range folders {
		file := filepath.Join(folder, "dropcap")
		if _, err := os.Stat(file); err == nil {
			list = append(list, file)
		}
	}
	return list
}

// mounts returns the files that replace others on a node.
func (l *lab) mounts(k int) map[string]string {
	list := map[string]string{machineID: l.file(k, "machine-id")}
	for _, file := range l.hidden {
		list[file] = os.DevNull // not a program
	}
	return list
}

// starter returns how a node's scripts are started; nil means the usual way.
func (l *lab) starter(k int) func(*exec.Cmd) error {
	if !l.apart {
		return nil
	}
	return func(cmd *exec.Cmd) error {
		return onThread(func() error {
			if err := mountOver(l.mounts(k)); err != nil {
				return err
			}
			return cmd.Start() // a child inherits the namespaces of the thread that starts it
		})
	}
}

// mountOver moves the calling thread into a mount namespace in which files replace others. What
// this machine mounts is visible there.
func mountOver(files map[string]string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keep mounts to a node: %w", err)
	}
	for place, file := range files {
		if err := unix.Mount(file, place, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount over %s: %w", place, err)
		}
	}
	return nil
}

// onThread runs a function on a thread that ends with it, so that no change to the thread stays.
func onThread(run func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		done <- run()
	}()
	return <-done
}
