package vm

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	guestAgent = "/usr/local/lib/dropcap-test/agent"
	guestUnit  = "/etc/systemd/system/dropcap-agent.service"
	// inject on the kernel's command line makes the initramfs copy its files onto the disk.
	inject = "dropcap.inject"
)

// agentUnit starts the agent as soon as the root file system exists, so that a failing boot can be
// examined. KillMode: what a test left running outlives an agent that failed.
const agentUnit = `[Unit]
Description=test agent
DefaultDependencies=no
After=systemd-remount-fs.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStart=` + guestAgent + `
KillMode=process
Environment=HOME=/root

[Install]
WantedBy=sysinit.target
`

// initHead is the start of both kinds' first program.
const initHead = `#!/bin/busybox sh
/bin/busybox mkdir -p /bin /sbin /proc /sys /dev
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/local/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
	[ -e "$module" ] || continue # all are built in, as in Debian's 6.12
	insmod "$module" || echo "cannot load $module"
done
`

// initKernel stays PID 1 and adopts orphans; the agent is its one child.
const initKernel = `mkdir -p /tmp /run /root /dev/pts /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
ip link set lo up
chmod 1777 /tmp /dev/shm
` + guestAgent + `
poweroff -f
`

// initHost hands over to the disk's own init. What it copies is on the disk before anything runs
// from it.
const initHost = `mkdir -p /sysroot
mount -t ext4 /dev/vda /sysroot || { echo "cannot mount the root disk"; poweroff -f; }
if grep -q ` + inject + ` /proc/cmdline; then
	sh /inject.sh
	sync
fi
umount /proc /sys
mount --move /dev /sysroot/dev
exec switch_root /sysroot /sbin/init
`

// initramfs returns what the kernel starts from: busybox, modules, the agent, the test's files and
// a first program.
func initramfs(kind Kind, files []file, extraModules []string) ([]byte, error) {
	a := newArchive()
	busybox, err := os.ReadFile(filepath.Join(kind.cache(), "busybox"))
	if err != nil {
		return nil, err
	}
	agent, err := goProgram("./test/vm/agent", kind.goarch())
	if err != nil {
		return nil, err
	}
	a.file("/bin/busybox", busybox, 0o755)
	if err := addModules(a, kind, extraModules); err != nil {
		return nil, err
	}
	files = append(files, file{guestAgent, agent, 0o755})
	// Without a console the first program's own output would be lost.
	a.dir("/dev")
	a.entry("dev/console", modeChar|0o600, 5, 1, nil)
	if kind.disk {
		addInjected(a, append(files, file{guestUnit, []byte(agentUnit), 0o644}))
		a.file("/init", []byte(initHead+initHost), 0o755)
		return a.bytes(), nil
	}
	for _, f := range files {
		a.file(f.path, f.data, f.mode)
	}
	a.file("/init", []byte(initHead+initKernel), 0o755)
	return a.bytes(), nil
}

func addModules(a *archive, kind Kind, extra []string) error {
	names := []string{"virtio_pci", "virtio_console"}
	if kind.disk {
		names = append(names, "virtio_blk", "ext4")
	}
	paths, err := modules(kind.dir(), append(names, extra...))
	if err != nil {
		return err
	}
	for i, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		// Numbered, because the first program loads them in the order of their names.
		a.file(fmt.Sprintf("/modules/%02d-%s", i, filepath.Base(p)), data, 0o644)
	}
	return nil
}

// addInjected adds files, and the script that copies them onto the mounted disk.
func addInjected(a *archive, files []file) {
	var script strings.Builder
	for i, f := range files {
		stored, target := fmt.Sprintf("/inject/%d", i), "/sysroot"+path.Clean(f.path)
		a.file(stored, f.data, f.mode)
		fmt.Fprintf(&script, "mkdir -p %s; cp -p %s %s\n", quote(path.Dir(target)), stored,
			quote(target))
	}
	wants := "/sysroot/etc/systemd/system/sysinit.target.wants"
	fmt.Fprintf(&script, "mkdir -p %s; ln -sf %s %s/\n", wants, guestUnit, wants)
	a.file("/inject.sh", []byte(script.String()), 0o644)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
