package vm

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// qemu is one power-on of a machine: the process, from start to its end.
type qemu struct {
	process *os.Process
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended; read it after done
}

// start runs QEMU. The goroutine that starts it keeps its thread until QEMU has ended, because the
// kernel sends Pdeathsig when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG): so QEMU
// dies with this test process, however that dies, and not before.
func start(cmd *exec.Cmd) (*qemu, error) {
	q := &qemu{done: make(chan struct{})}
	started := make(chan error)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		q.process = cmd.Process
		started <- err
		if err == nil {
			q.err = cmd.Wait()
			close(q.done)
		}
	}()
	return q, <-started
}

// kill pulls the plug; it returns when the process has ended.
func (q *qemu) kill() {
	_ = q.process.Kill()
	<-q.done
}

// command returns QEMU's command line. All files but the kernel are passed open and have no name,
// so nothing is left in any folder when the test process is killed.
func (m *Machine) command(port *os.File, bootArgs string) *exec.Cmd {
	opt := m.options
	emulator, machine, cpu := "qemu-system-x86_64", "pc", "max"
	if m.kind.arm64 {
		emulator, machine, cpu = "qemu-system-aarch64", "virt", "neoverse-n1" // as Graviton 2
	}
	cmd := exec.Command(emulator, "-machine", machine,
		// Never KVM: on cloud hosts that are virtual machines themselves it may hang instead of
		// failing. One thread for all processors: QEMU before 8.1 translates code while another
		// processor patches it (its commit deba78709ae8 fixes that), and a kernel that then meets
		// an unknown breakpoint panics ("Oops: int3"), once in many boots.
		"-accel", "tcg,thread=single", "-cpu", cpu, "-smp", strconv.Itoa(opt.cpus), "-m",
		strconv.Itoa(opt.memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-kernel", filepath.Join(m.kind.dir(), "vmlinuz"), "-append", bootArgs,
		"-device", "virtio-serial-pci")
	if opt.counted {
		cmd.Args = append(cmd.Args, "-icount", "shift=0")
	}
	pass := func(f *os.File) int {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		return 2 + len(cmd.ExtraFiles)
	}
	cmd.Args = append(cmd.Args,
		"-initrd", fmt.Sprintf("/proc/self/fd/%d", pass(m.initrd)),
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d", pass(port)),
		"-device", "virtserialport,chardev=agent,name="+portName)
	if m.disk != nil {
		// cache=writeback makes a kill of QEMU an honest power cut. The guest sees a disk with a
		// volatile write cache and flushes it at fsync; QEMU then writes the overlay's tables and
		// calls fdatasync. What was flushed is there after the kill. What was not is partly gone:
		// with the guest's page cache, and with the tables of the overlay (where new blocks are),
		// which QEMU keeps in its own memory until a flush. cache=unsafe would ignore flushes and
		// lose data that the guest had synced; cache=writethrough would be a disk without a cache,
		// which loses too little.
		cmd.Args = append(cmd.Args, "-drive",
			fmt.Sprintf("file=/proc/self/fd/%d,format=qcow2,if=virtio,cache=writeback",
				pass(m.disk)))
	}
	cmd.Stdout, cmd.Stderr = m.console, m.console
	return cmd
}

// overlay returns a disk without a name over the base image, which stays as it is.
func overlay(base string) (*os.File, error) {
	disk, err := os.CreateTemp("", "dropcap-vm-disk-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(disk.Name())
	cmd := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw",
		"/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{disk}
	if text, err := cmd.CombinedOutput(); err != nil {
		disk.Close()
		return nil, fmt.Errorf("qemu-img: %w: %s", err, text)
	}
	return disk, nil
}

// memory returns a file without a name that holds data.
func memory(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// portPair returns a connected pair: QEMU's end, to be closed once QEMU has it, and the test's.
func portPair() (*os.File, net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs, ours := os.NewFile(uintptr(fds[0]), "port"), os.NewFile(uintptr(fds[1]), "port")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return theirs, conn, nil
}

// console keeps the end of what the machine and QEMU printed.
type console struct {
	mu   sync.Mutex
	text []byte
}

const consoleKept = 64 << 10

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	if extra := len(c.text) - consoleKept; extra > 0 {
		c.text = append(c.text[:0], c.text[extra:]...)
	}
	return len(p), nil
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}
