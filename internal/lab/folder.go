package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRunning means that a lab runs in the folder.
var ErrRunning = errors.New("a lab runs there already")

// longestFolder leaves room in 108 bytes for the name of an engine's socket.
const longestFolder = 60

// Folder returns the default folder of a user's lab: one at a time.
func Folder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("dropcap-lab-%d", os.Geteuid()))
}

const (
	lockFile  = "lock"
	stateFile = "lab.json"
	// LogFile is the output of a lab in the background.
	LogFile = "log"
	// CertificateFile is the certificate that a real agent must trust, so that it learns by TLS
	// that there is no ssmmessages.
	CertificateFile = "certificate.pem"
)

// State describes a lab. It contains a secret: whoever knows it can run scripts on the nodes, and
// so on this machine.
type State struct {
	PID            int
	Ready          bool
	Folder         string
	Started, Until time.Time
	Version        string
	Endpoint       string
	Region         string
	Key, Secret    string
	// set in the environment of every script, to find those that outlive their agent
	Mark  string
	Why   string // why nodes have no engine of their own; empty if they have
	Nodes []Node
}

// Node is a node of a lab.
type Node struct {
	ID, Name, Role string
	Platform       string
	Online         bool
	Fails          bool
	Host           string // DOCKER_HOST; without effect if Engine is empty
	Engine         string // its version
	Private        bool   // the engine is the node's own
	Folder         string
}

// makeFolder creates the lab's folder, or accepts one that only we can have created, since others
// may be able to write to its parent.
func makeFolder(folder string) error {
	if len(folder) > longestFolder {
		return fmt.Errorf("cannot use the folder %s: names of sockets in it would be too long, "+
			"since it has more than %d characters", folder, longestFolder)
	}
	if strings.ContainsFunc(folder, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) {
		return fmt.Errorf("cannot use the folder %q: its name must be of plain characters, "+
			"without spaces", folder)
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make the lab's folder: %w", err)
	}
	return checkFolder(folder)
}

func checkFolder(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 ||
		int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		return fmt.Errorf("cannot use the folder %s: it is not a folder of yours alone (mode 0700)",
			folder)
	}
	return nil
}

// lockFolder locks the folder for as long as the file is open. The error is ErrRunning if another
// process has the lock. It refuses a folder that contains anything but a lab, since everything in
// it is removed in the end.
func lockFolder(folder string) (*os.File, error) {
	for {
		if err := makeFolder(folder); err != nil {
			return nil, err
		}
		if err := onlyOurs(folder); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by a lab that has just ended
		}
		if err != nil {
			return nil, err
		}
		// A lock of the whole file by fcntl(2), since it shows the holder. It is lost as soon as
		// this process closes the file anywhere.
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
			f.Close()
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
				return nil, ErrRunning
			}
			return nil, err
		}
		mine, err := f.Stat()
		if err == nil {
			if there, err := os.Lstat(f.Name()); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
	}
}

// remove removes a folder that we hold. The file that identifies a lab goes last: a concurrent
// reader, such as --stop, must still recognise it.
func remove(folder string) error {
	if err := empty(folder); err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// empty removes everything in a folder that we hold except its lock and its log.
func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockFile || e.Name() == LogFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
			return fmt.Errorf("cannot empty the lab's folder: %w", err)
		}
	}
	return nil
}

func onlyOurs(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockFile || e.Name() == LogFile {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("cannot use the folder %s: it holds something else than a lab", folder)
	}
	return nil
}

// Read returns the state of the lab in a folder, and whether it runs. The error is fs.ErrNotExist
// if there is none.
func Read(folder string) (s State, running bool, err error) {
	if err := checkFolder(folder); err != nil {
		return s, false, err
	}
	pid, err := holder(folder)
	if err != nil {
		return s, false, err
	}
	s, err = read(folder)
	return s, pid > 0 && pid == s.PID, err
}

func read(folder string) (s State, err error) {
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("cannot read the lab's state: %w", err)
	}
	return s, nil
}

// holder returns the process that has the folder's lock; 0 if none has. It does not work for the
// holder itself.
func holder(folder string) (int, error) {
	f, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, err
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}

func (s State) write() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(s.Folder, stateFile)
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return fmt.Errorf("cannot write the lab's state: %w", err)
	}
	return os.Rename(file+".new", file)
}

// Log creates the file for the output of a lab in the background. The error is ErrRunning if a lab
// runs in the folder.
func Log(folder string) (*os.File, error) {
	if err := makeFolder(folder); err != nil {
		return nil, err
	}
	if err := onlyOurs(folder); err != nil {
		return nil, err
	}
	if pid, err := holder(folder); err == nil && pid > 0 {
		return nil, ErrRunning
	}
	return os.OpenFile(filepath.Join(folder, LogFile), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND,
		0o600)
}
