// Package vm boots throw-away machines under QEMU for tests: a whole Debian 12 host with systemd,
// dockerd, AppArmor and cgroup v2, and bare kernels of three releases with BTF. Tests run commands
// in them, copy files, and pull the plug.
//
// It emulates (TCG) and never uses KVM. Machines have no network. Nothing of a machine outlives its
// test process: QEMU is killed with it, and disks have no name in any folder. What machines boot
// comes from `test/hosts/provision vm`.
package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm/wire"
)

const portName = wire.PortName

// Kind is a kind of machine.
type Kind struct {
	kernel string
	disk   bool
	arm64  bool
}

// Debian12Host is a whole host: systemd, dockerd 20.10.24, AppArmor, cgroup v2, kernel 6.1. It
// boots in about half a minute; its disk survives a power cut.
var Debian12Host = Kind{kernel: "6.1", disk: true}

// Kernel returns Debian's cloud kernel of that version ("5.10", "6.1" or "6.12") over busybox: no
// systemd, no disk; root's file system is in memory and new at every boot. It boots in seconds.
func Kernel(version string) Kind { return Kind{kernel: version} }

// Kernels are the versions that Kernel accepts, oldest first.
var Kernels = []string{"5.10", "6.1", "6.12"}

// Arm64Kernel returns Debian's arm64 cloud kernel of that version ("6.1" or "6.12"), on an arm64
// machine; otherwise it is like Kernel.
func Arm64Kernel(version string) Kind { return Kind{kernel: version, arm64: true} }

// need returns the component that the machine boots from.
func (k Kind) need() testenv.Requirement {
	if k.arm64 {
		return testenv.VMArm
	}
	return testenv.VM
}

func (k Kind) goarch() string {
	if k.arm64 {
		return "arm64"
	}
	return "amd64"
}

// cache returns where test/hosts/provision installed what machines of the kind boot.
func (k Kind) cache() string { return filepath.Join(testenv.Cache(), k.need().Name) }

func (k Kind) dir() string { return filepath.Join(k.cache(), "kernel-"+k.kernel) }

func (k Kind) String() string {
	if k.disk {
		return "the Debian 12 host"
	}
	return "kernel " + k.kernel + " (" + k.goarch() + ")"
}

// Machine is a machine, on or off. Its methods may be called from several goroutines, except those
// that switch it on and off.
type Machine struct {
	kind    Kind
	options options
	initrd  *os.File
	disk    *os.File // nil without one
	console *console
	fresh   bool // the disk has not been booted yet

	qemu    *qemu
	channel *channel
}

// Start boots a machine that ends with the test. If the host lacks what it needs, the test is
// skipped, or fails in CI.
func Start(tb testing.TB, kind Kind, opts ...Option) *Machine {
	tb.Helper()
	testenv.Need(tb, kind.need())
	m, err := Open(context.Background(), kind, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Close)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("console of %s:\n%s", kind, m.Console())
		}
	})
	return m
}

// Open is like Start, for callers without a test, such as TestMain. The caller must call Close.
func Open(ctx context.Context, kind Kind, opts ...Option) (*Machine, error) {
	if err := testenv.Check(kind.need()); err != nil {
		return nil, err
	}
	m := &Machine{kind: kind, options: defaults(kind), console: &console{}, fresh: true}
	for _, o := range opts {
		o(&m.options)
	}
	if err := m.prepare(); err != nil {
		m.Close()
		return nil, fmt.Errorf("cannot prepare %s: %w; run test/hosts/provision %s as root", kind,
			err, kind.need().Name)
	}
	if err := m.boot(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Machine) prepare() error {
	image, err := initramfs(m.kind, m.options.files, m.options.modules)
	if err != nil {
		return err
	}
	if m.initrd, err = memory("initramfs", image); err != nil || !m.kind.disk {
		return err
	}
	m.disk, err = overlay(filepath.Join(m.kind.cache(), "debian12.ext4"))
	return err
}

// Boot switches the machine on again, on the same disk, after PowerCut or a shutdown from inside,
// and waits as Start does: until a host has finished starting (systemd's jobs are done, so dockerd
// answers), or a bare kernel's agent answers.
func (m *Machine) Boot(tb testing.TB) {
	tb.Helper()
	if err := m.boot(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

func (m *Machine) boot(ctx context.Context) error {
	m.PowerCut()
	ctx, cancel := context.WithTimeout(ctx, m.options.bootTimeout)
	defer cancel()
	port, conn, err := portPair()
	if err != nil {
		return err
	}
	defer port.Close()
	if err := m.powerOn(port, conn); err != nil {
		return err
	}
	if err := m.ready(ctx); err != nil {
		return fmt.Errorf("cannot boot %s: %w; its console:\n%s", m.kind, err, m.Console())
	}
	m.fresh = false
	return nil
}

func (m *Machine) powerOn(port *os.File, conn net.Conn) error {
	q, err := start(m.command(port, m.bootArgs()))
	if err != nil {
		conn.Close()
		return fmt.Errorf("cannot start QEMU: %w", err)
	}
	m.qemu, m.channel = q, newChannel(conn)
	return nil
}

func (m *Machine) bootArgs() string {
	serial := "ttyS0"
	if m.kind.arm64 {
		serial = "ttyAMA0"
	}
	args := []string{"console=" + serial, "quiet", "panic=-1"}
	if m.kind.disk && m.fresh {
		args = append(args, inject)
	}
	return strings.Join(append(args, m.options.args...), " ")
}

func (m *Machine) ready(ctx context.Context) error {
	select {
	case <-m.channel.up:
	case <-m.qemu.done:
		return fmt.Errorf("the machine went off (QEMU: %v)", m.qemu.err)
	case <-ctx.Done():
		return fmt.Errorf("no word from its agent: %w", ctx.Err())
	}
	if !m.kind.disk {
		return nil
	}
	return m.settled(ctx)
}

// settled waits for systemd. The agent starts before systemd answers, so an unanswered request is
// no failure.
func (m *Machine) settled(ctx context.Context) error {
	for {
		out, _, _, err := m.Run(ctx, "systemctl", "is-system-running", "--wait")
		switch state := strings.TrimSpace(string(out)); {
		case err != nil:
			return err
		case state == "running":
			return nil
		case state == "degraded":
			failed, _, _, _ := m.Run(ctx, "systemctl", "--no-pager", "--failed")
			return errors.New("units failed:\n" + string(failed))
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// PowerCut pulls the plug: what the guest had synced is on the disk, the rest may be lost. The
// machine stays off until Boot.
func (m *Machine) PowerCut() {
	if m.qemu == nil {
		return
	}
	m.qemu.kill()
	m.channel.end()
	m.qemu = nil
}

// Close switches the machine off for good and releases its disk.
func (m *Machine) Close() {
	m.PowerCut()
	for _, f := range []*os.File{m.initrd, m.disk} {
		if f != nil {
			f.Close()
		}
	}
}

// Console returns the last 64 KiB of the machine's output on its serial line, over all its boots.
func (m *Machine) Console() string { return m.console.String() }
