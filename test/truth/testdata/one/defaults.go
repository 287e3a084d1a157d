package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The capabilities that engines grant by default.
func init() {
	programs["chown"] = onScratch(func(p string) error { return os.Chown(p, 1000, 1000) })
	programs["dac_override"] = func() error { return openAndClose(closed, os.O_WRONLY) }
	programs["dac_read"] = func() error { return openAndClose(closed, os.O_RDONLY) }
	programs["fowner"] = func() error { return os.Chmod(owned, 0o600) }
	programs["fowner_utimes"] = func() error { return unix.Utimes(owned, make([]unix.Timeval, 2)) }
	programs["fsetid"] = fsetid
	programs["kill"] = onStranger(func(pid int) error { return syscall.Kill(pid, syscall.SIGUSR1) })
	programs["setgid"] = func() error { return syscall.Setgid(1000) }
	programs["setgroups"] = func() error { return syscall.Setgroups(nil) }
	programs["setuid"] = func() error { return syscall.Setuid(1000) }
	programs["setresuid"] = func() error { return syscall.Setresuid(-1, 1000, -1) }
	programs["setpcap"] = func() error {
		return unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_WAKE_ALARM, 0, 0, 0)
	}
	programs["net_bind_service"] = bind
	programs["net_raw"] = func() error {
		return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	}
	programs["net_raw_packet"] = func() error { return socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0) }
	programs["sys_chroot"] = func() error { return syscall.Chroot("/tmp") }
	programs["mknod"] = func() error {
		return unix.Mknod("/tmp/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
	}
	programs["audit_write"] = auditWrite
	programs["setfcap"] = onScratch(setfcap)
}

func openAndClose(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func socket(domain, kind, protocol int) error {
	fd, err := unix.Socket(domain, kind, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// fsetid sets the setgid bit of a root's file whose group we are not in. Without the capability the
// call succeeds, but does not set the bit.
func fsetid() error {
	const path = "/data/grouped"
	if err := unix.Chmod(path, 0o2755); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode()&os.ModeSetgid == 0 {
		err = errors.New("the setgid bit was cleared")
	}
	return err
}

func bind() error {
	l, err := net.Listen("tcp4", "127.0.0.1:80")
	if err != nil {
		return err
	}
	return l.Close()
}

// auditWrite sends a user program's record to the kernel's audit log and reads the answer.
func auditWrite() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	if err != nil {
		return err
	}
	const auditUser, length = 1100, unix.NLMSG_HDRLEN + 4 // AUDIT_FIRST_USER_MSG: a login program's
	message := make([]byte, length)
	message[0] = length
	message[4], message[5] = auditUser&0xff, auditUser>>8
	message[6] = unix.NLM_F_REQUEST | unix.NLM_F_ACK
	copy(message[unix.NLMSG_HDRLEN:], "one\x00")
	if err := unix.Sendto(fd, message, 0,
		&unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.NLMSG_HDRLEN+4 {
		return fmt.Errorf("no answer: %w", err)
	}
	if code := int32(answer[16]) | int32(answer[17])<<8 | int32(answer[18])<<16 | int32(
		answer[19])<<24; code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

// setfcap writes a revision 2 attribute that grants nothing.
func setfcap(path string) error {
	value := make([]byte, 20)
	value[3] = 2
	return unix.Setxattr(path, "security.capability", value, 0)
}
