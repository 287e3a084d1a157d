package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"dropcap"
)

var requestName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// RequestFile is a file of a request's own, beside the store and as private: "log", "lock",
// "part-1" …
func (s *Store) RequestFile(request, what string) (string, error) {
	if !requestName.MatchString(request) {
		return "", dropcap.Errorf(dropcap.CodeUsage, "32 hexadecimal digits",
			"cannot take the request %q: that is no name of one", request)
	}
	folder := filepath.Join(s.folder, "requests")
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", said(s.folder, err)
	}
	if err := trusted(folder, false); err != nil {
		return "", err
	}
	return filepath.Join(folder, request+"."+what), nil
}

// LockRequest makes this the only process that works on a request, until unlock is called or the
// process ends, however it ends; ok is false if another one does. The receipt must be read again
// under the lock: whoever had it may have ended the request. held is for processes that go on with
// the work: it is not free before the last of them ends.
func (s *Store) LockRequest(request string) (held *os.File, ok bool, err error) {
	path, err := s.RequestFile(request, "lock")
	if err != nil {
		return nil, false, err
	}
	for {
		f, taken, err := lockFile(path)
		switch {
		case err != nil:
			return nil, false, said(s.folder, err)
		case taken:
			f.Close()
			return nil, false, nil
		case !standsAt(f, path):
			f.Close() // whoever had it took the file away between our opening and our locking it
			continue
		}
		return f, true, nil
	}
}

// Release gives up the lock of a request.
func Release(held *os.File) {
	os.Remove(held.Name()) // before it is free: the next one makes its own
	held.Close()
}

// standsAt tells whether the open file is the one that the path names now.
func standsAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, now)
}
