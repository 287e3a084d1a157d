package store

import (
	"crypto/sha256"
	"encoding/hex"
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

// ErrBusy is the cause of the error if another process has the lock.
var ErrBusy = errors.New("another process has the lock")

func busy(hint, format string, args ...any) error {
	return &dropcap.Error{Code: dropcap.CodeError, Hint: hint,
		Message: fmt.Sprintf(format, args...), Err: ErrBusy}
}

var lockName = regexp.MustCompile(`^[a-z][a-z-]{0,30}$`)

// Lock makes this the only process that does what name says ("learn") with this store, until unlock
// is called or the process ends in any way. The error names the process that has the lock.
func (s *Store) Lock(name string) (unlock func() error, err error) {
	if !lockName.MatchString(name) {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot lock %q: that is no name of a lock", name)
	}
	unlock, who, err := lock(lockPath(s.folder, name))
	if who != "" {
		err = busy("wait until it is done, stop it, or use another --store",
			"cannot %s: %s does so already with the store %s", name, who, s.folder)
	}
	return unlock, sentence(s.folder, err)
}

var runName = regexp.MustCompile(`^[0-9a-f]{12}$`)

// LockRun makes this the only process that continues a fleet's run, until unlock is called or the
// process ends in any way.
func (s *Store) LockRun(id string) (unlock func(), err error) {
	if !runName.MatchString(id) {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "12 hexadecimal digits",
			"cannot lock the run %q: that is no name of one", id)
	}
	path := lockPath(s.folder, "run-"+id)
	for {
		f, taken, err := lockFile(path)
		switch {
		case err != nil:
			return nil, sentence(s.folder, err)
		case taken:
			defer f.Close()
			return nil, dropcap.Errorf(dropcap.CodeError,
				"wait until it is done, or stop it; `dropcap fleet status "+id+
					"` shows how far it is",
				"cannot go on with run %s: %s does so already", id, holder(f))
		case !isAt(f, path):
			f.Close() // the previous holder removed the file between our opening and our locking it
			continue
		}
		return func() { Release(f) }, nil
	}
}

// EngineLocks are the locks that processes with different stores share while they change containers
// of one engine. They are files in a folder that lasts until the next boot. It is created if
// missing and must be ours alone, since whoever may lock a file may block all changes.
type EngineLocks struct{ folder, name string }

// LocksOf returns the locks of the engine that key names, whatever characters it contains.
func LocksOf(folder, key string) (EngineLocks, error) {
	folder, err := secure(folder)
	if err != nil {
		return EngineLocks{}, err
	}
	sum := sha256.Sum256([]byte(key))
	return EngineLocks{folder, "engine-" + hex.EncodeToString(sum[:8])}, nil
}

// Path returns the file of a lock.
func (e EngineLocks) Path(what string) string { return lockPath(e.folder, e.name+"-"+what) }

// Lock is like Store.Lock, for all stores.
func (e EngineLocks) Lock(what string) (unlock func() error, err error) {
	unlock, who, err := lock(e.Path(what))
	if who != "" {
		err = busy("wait until it is done, or stop it",
			"cannot %s containers of this engine: %s does so already, with another store", what,
			who)
	}
	return unlock, sentence(e.folder, err)
}

func lockPath(folder, name string) string { return filepath.Join(folder, name+".lock") }

// lock locks a file until unlock is called, or returns who has it locked.
func lock(path string) (unlock func() error, who string, err error) {
	f, held, err := lockFile(path)
	switch {
	case err != nil:
		return nil, "", err
	case held:
		defer f.Close()
		return nil, holder(f), nil
	}
	return func() error {
		_ = f.Truncate(0)
		return f.Close()
	}, "", nil
}

// lockFile locks a file, which it creates if missing. If another process holds it, lockFile still
// returns the open file, to be read and closed.
func lockFile(path string) (f *os.File, held bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return f, true, nil
	} else if err != nil {
		f.Close()
		return nil, false, err
	}
	// The holder's name only informs people: a full disk must not prevent the lock.
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintf(f, "process %d, since %s", os.Getpid(),
			time.Now().UTC().Format(time.RFC3339))
	}
	return f, false, nil
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// holder returns who has the lock.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 200))
	line, _, _ := strings.Cut(string(text), "\n")
	if err != nil || !strings.HasPrefix(line, "process ") {
		return "another process"
	}
	return line
}
