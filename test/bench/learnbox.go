package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/caps"
	"dropcap/internal/bpf"
)

// box is a cgroup with a container's name. What runs in it has mounts and process numbers of its
// own, as in a container.
type box struct {
	dir string
	id  uint64
}

func newBox(n int) (box, error) {
	top, err := tree()
	if err != nil {
		return box{}, err
	}
	b := box{dir: filepath.Join(top, fmt.Sprintf("%064x", os.Getpid()<<16|n))}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return box{}, err
	}
	var st unix.Stat_t
	err = unix.Stat(b.dir, &st)
	b.id = st.Ino
	return b, err
}

// tree returns the cgroup above all boxes of all runs.
func tree() (string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			return filepath.Join(f[1], "dropcap-bench"), nil
		}
	}
	return "", errors.New("no cgroup version 2 tree is mounted")
}

// sweep removes what a killed run left.
func sweep() {
	top, err := tree()
	if err != nil {
		return
	}
	left, _ := filepath.Glob(top + "/*/")
	for _, dir := range left {
		os.Remove(dir)
	}
}

// remove waits until the processes have really ended. The last box removes the tree.
func (b box) remove() {
	for range 500 {
		if err := os.Remove(b.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	os.Remove(filepath.Dir(b.dir))
}

func (b box) command(argv ...string) (*exec.Cmd, error) {
	dir, err := os.Open(b.dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()),
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	cmd.ExtraFiles = []*os.File{dir} // which stays open until the start
	return cmd, nil
}

// setuids returns the counts of act.
func (b box) setuids(t *bpf.Tracer) (n uint64, s bpf.Stats, err error) {
	list, s, err := t.Checks()
	seen := false
	for _, c := range list {
		if c.Cgroup != b.id || c.Cap != caps.Setuid || c.Syscall != "setuid" ||
			c.CountShared && seen {
			continue
		}
		seen = seen || c.CountShared
		n += c.Count
	}
	return n, s, err
}

// many watches n containers, each with a program that makes checks of several kinds, reads all
// counts a few times, and prints its peak resident memory in KiB, the maps' bytes, the part of them
// that exists for each processor, the kinds of checks, and the number of processors.
func many(n int) error {
	t, err := bpf.Open(bpf.Options{})
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Default(true); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range n {
		if err := once(i, self); err != nil {
			return err
		}
		if i%50 == 0 { // as the daemon does, repeatedly
			if _, err := t.Sightings(); err != nil {
				return err
			}
			if _, _, err := t.Checks(); err != nil {
				return err
			}
		}
	}
	_, stats, err := t.Checks()
	if err != nil {
		return err
	}
	cpus, err := possible()
	if err != nil {
		return err
	}
	resident, err := highWater()
	fmt.Println(resident, stats.MapBytes, stats.BytesEach, stats.Keys, cpus)
	return err
}

func once(i int, self string) error {
	b, err := newBox(i)
	if err != nil {
		return err
	}
	defer b.remove()
	cmd, err := b.command(self, actFlag, "100")
	if err != nil {
		return err
	}
	return cmd.Run()
}

// possible returns how many processors the kernel makes room for (/sys/devices/system/cpu/possible,
// "0-3").
func possible() (int, error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return 0, err
	}
	var first, last int
	if n, _ := fmt.Sscanf(string(text), "%d-%d", &first, &last); n < 2 {
		last = first
	}
	return last + 1, nil
}

// highWater returns this process's peak resident memory, in KiB.
func highWater() (n uint64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &n); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("/proc/self/status does not tell the peak of memory")
}
