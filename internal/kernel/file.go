package kernel

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// buffers are shared, because each look reads some thousand files of /proc.
var buffers = sync.Pool{New: func() any { b := make([]byte, 8192); return &b }}

// maxFileSize limits what is read of a file of /proc or of a cgroup. No honest one is as long
// (100,000 pids take 800 kB, 65,536 groups 720 kB).
const maxFileSize = 64 << 20

// withFile passes the whole content of a file to use, which must not keep it. It makes plain system
// calls: os.File would add a poller registration and a finalizer to each of many small files. The
// error is a *fs.PathError.
func withFile(at int, name string, use func([]byte)) error {
	fd, err := openAt(at, name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	buf, n := *p, 0
	for {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return &fs.PathError{Op: "read", Path: name, Err: err}
		case m == 0:
			use(buf[:n])
			return nil
		}
		if n += m; n == len(buf) {
			if n >= maxFileSize {
				return &fs.PathError{Op: "read", Path: name, Err: unix.EFBIG}
			}
			buf = append(buf, make([]byte, len(buf))...)
			if len(buf) <= 1<<20 {
				*p = buf
			}
		}
	}
}

func openAt(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return fd, nil
	}
}

// vanished reports whether the process or the cgroup has ended meanwhile: opening finds nothing,
// and reading an open file fails with ESRCH (a process) or ENODEV (a cgroup;
// kernel/cgroup/cgroup.c, cgroup_kn_lock_live).
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV)
}

// reason returns an error as one clause.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error() + " for " + p.Path
	}
	return err.Error()
}

// firstLine returns the first line of a small file; empty if it cannot be read.
func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
