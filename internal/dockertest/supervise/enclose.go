package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// privateMounts makes the mount namespace private: what the engine mounts is invisible outside and
// ends with the last process inside. /run is fresh, because engines, shims and iptables keep
// sockets and locks at fixed places there.
func privateMounts(spec Spec) error {
	// Slave first, so that nothing goes out; then shared again, since an engine may
	// be asked for shared propagation into containers.
	for _, how := range []uintptr{unix.MS_SLAVE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|how, ""); err != nil {
			return fmt.Errorf("cannot make mounts private: %w", err)
		}
	}
	resolv, resolvErr := os.ReadFile("/etc/resolv.conf")
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV,
		"mode=0755"); err != nil {
		return fmt.Errorf("cannot give the engine a /run of its own: %w", err)
	}
	if resolvErr == nil {
		if err := restoreResolv(resolv); err != nil {
			return err
		}
	}
	if spec.HideUnified {
		if err := hideUnified(); err != nil {
			return fmt.Errorf("cannot hide the cgroup v2 hierarchy: %w", err)
		}
	}
	// inside checks for this mount.
	if err := unix.Mount(spec.Root, spec.Root, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot mark the mounts: %w", err)
	}
	for over, file := range spec.Binds {
		if err := unix.Mount(file, over, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot put %s over %s: %w", file, over, err)
		}
	}
	return nil
}

// hideUnified moves the v2 hierarchy of a hybrid host to a place where only we look for it
// (cgroupMounts). It does nothing on other hosts.
func hideUnified() error {
	const unified, hidden = "/sys/fs/cgroup/unified", "/run/dropcap-unified"
	if _, err := os.Stat(unified); err != nil {
		return nil
	}
	if err := os.Mkdir(hidden, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(unified, hidden, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return unix.Unmount(unified, unix.MNT_DETACH)
}

// restoreResolv restores /etc/resolv.conf where it was a link into /run.
func restoreResolv(content []byte) error {
	if _, err := os.Stat("/etc/resolv.conf"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := os.Readlink("/etc/resolv.conf")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join("/etc", target)
	}
	if !strings.HasPrefix(target, "/run/") {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o644)
}

// loopbackUp brings up lo, which is down in a new network namespace.
func loopbackUp() error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("cannot bring up lo: %w", err)
	}
	return nil
}
