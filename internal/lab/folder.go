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

// ErrRunning says that a lab runs in the folder.
var ErrRunning = errors.New("a lab runs there already")

// longestFolder leaves room in 108 bytes for the name of an engine's socket.
const longestFolder = 60

// Folder is where a user's lab is if nothing else is said: one at a time.
func Folder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("dropcap-lab-%d", os.Geteuid()))
}

const (
	lockFile  = "lock"
	stateFile = "lab.json"
	// LogFile is what a lab in the background prints.
	LogFile = "log"
	// CertificateFile is what a real agent has to believe, so that it hears by TLS that there is no
	// ssmmessages.
	CertificateFile = "certificate.pem"
)

// State is what is known of a lab. It holds a secret, which lets whoever knows it run scripts on
// the nodes, and so on this machine.
type State struct {
	PID            int
	Ready          bool
	Folder         string
	Started, Until time.Time
	Version        string
	Endpoint       string
	Region         string
	Key, Secret    string
	// in the environment of every script, and what finds those that outlive their agent
	Mark  string
	Why   string // why nodes have no engine of their own; empty if they have
	Nodes []Node
}

// Node is one of a lab.
type Node struct {
	ID, Name, Role string
	Platform       string
	Online         bool
	Fails          bool
	Host           string // DOCKER_HOST; of no engine if Engine is empty
	Engine         string // its version
	Private        bool   // the engine is the node's own
	Folder         string
}

// makeFolder makes the lab's folder, or takes one that only we can have made: it lies in a place
// where others may write.
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

// enter locks the folder for as long as the file is open; ErrRunning if another has it. A folder
// that holds anything but a lab is refused, since all in it is removed in the end.
func enter(folder string) (*os.File, error) {
	for {
		if err := makeFolder(folder); err != nil {
			return nil, err
		}
		if err := onlyOurs(folder); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by one that has just ended
		}
		if err != nil {
			return nil, err
		}
		// A lock of the whole file by fcntl(2), since it tells who has it. It is gone as soon as
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

// remove removes a folder that we hold. What tells that it is a lab's goes last: whoever looks
// meanwhile, as --stop does, must know it for one.
func remove(folder string) error {
	if err := empty(folder); err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// empty removes what is in a folder that we hold, but for its lock and its log.
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

// Read gives the state of the lab in a folder, and whether one runs there. An fs.ErrNotExist says
// that there is nothing.
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

// holder is the process that has the folder's lock; 0 if none has. Not for a process that has it
// itself.
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

// Log makes the file for the output of a lab in the background. ErrRunning if a lab runs in the
// folder.
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
