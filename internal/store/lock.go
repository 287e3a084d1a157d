package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"dropcap"
)

var lockName = regexp.MustCompile(`^[a-z][a-z-]{0,30}$`)

// Lock makes this the only process that does what name says ("learn") with this store, until unlock is called or the process ends,
// however it ends. The error names the process that does it already.
func (s *Store) Lock(name string) (unlock func() error, err error) {
	if !lockName.MatchString(name) {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot lock %q: that is no name of a lock", name)
	}
	f, err := os.OpenFile(filepath.Join(s.folder, name+".lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, said(s.folder, err)
	}
	if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, dropcap.Errorf(dropcap.CodeError, "wait until it is done, stop it, or use another --store",
				"cannot %s: %s does so already with the store %s", name, holder(f), s.folder)
		}
		return nil, said(s.folder, err)
	}
	// Who we are is only for people: a full disk must not stand in the way of the lock.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "process %d, since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	}
	return func() error {
		_ = f.Truncate(0)
		return f.Close()
	}, nil
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// holder reads who has the lock.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 200))
	line, _, _ := strings.Cut(string(text), "\n")
	if err != nil || !strings.HasPrefix(line, "process ") {
		return "another process"
	}
	return line
}
