package file

import (
	"bytes"
	"io"
	"os"
	"syscall"

	"dropcap"
	"dropcap/internal/host"
)

// mostSecret is the longest secret, in bytes.
const mostSecret = 4096

// Secret reads a secret from a file that belongs to root or to the user and that nobody else may
// read. White space around it is no part of it.
func Secret(path string) ([]byte, error) {
	fail := func(hint, format string, args ...any) ([]byte, error) {
		return nil, dropcap.Errorf(dropcap.CodeError, hint, "cannot take the secret from %s: "+
			format, append([]any{path}, args...)...)
	}
	// A pipe would block here.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fail("", "%w", host.Cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail("", "%w", host.Cause(err))
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fail("", "it is not a regular file")
	case !ok || s.Uid != 0 && int(s.Uid) != os.Geteuid():
		return fail("chown it to whoever runs dropcap", "it belongs to another user")
	case info.Mode().Perm()&0o077 != 0:
		return fail("chmod 600 it, and choose another secret", "others may read it")
	}
	b, err := io.ReadAll(io.LimitReader(f, mostSecret+1))
	if err != nil {
		return fail("", "%w", host.Cause(err))
	}
	if len(b) > mostSecret {
		return fail("", "it is longer than %d bytes", mostSecret)
	}
	return bytes.TrimSpace(b), nil
}
