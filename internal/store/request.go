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

// RequestFile returns the path of a request's own file, beside the store and as private: "log",
// "lock", "part-1" …
func (s *Store) RequestFile(request, what string) (string, error) {
	if !requestName.MatchString(request) {
		return "", dropcap.Errorf(dropcap.CodeUsage, "32 hexadecimal digits",
			"cannot take the request %q: that is no name of one", request)
	}
	folder := filepath.Join(s.folder, "requests")
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", sentence(s.folder, err)
	}
	if err := trusted(folder, false); err != nil {
		return "", err
	}
	return filepath.Join(folder, request+"."+what), nil
}

// LockRequest makes this the only process that works on a request, until unlock is called or the
// process ends in any way; ok is false if another process does. The caller must read the receipt
// again under the lock: the previous holder may have ended the request. held is for processes that
// continue the work: it is free only when the last of them ends.
func (s *Store) LockRequest(request string) (held *os.File, ok bool, err error) {
	path, err := s.RequestFile(request, "lock")
	if err != nil {
		return nil, false, err
	}
	for {
		f, taken, err := lockFile(path)
		switch {
		case err != nil:
			return nil, false, sentence(s.folder, err)
		case taken:
			f.Close()
			return nil, false, nil
		case !isAt(f, path):
			f.Close() // the previous holder removed the file between our opening and our locking it
			continue
		}
		return f, true, nil
	}
}

// Release releases the lock of a request.
func Release(held *os.File) {
	os.Remove(held.Name()) // before it is free: the next one makes its own
	held.Close()
}

// isAt reports whether the open file is the one at the path now.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, now)
}
