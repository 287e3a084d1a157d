package host

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// maxOwnerFile is the largest file of an owner that is read, in bytes.
const maxOwnerFile = 4 << 20

// openOwnerFile opens a file of whoever owns a container (a Compose file, a unit, the engine's, the
// one of --cidfile) for reading. Whoever may write its folder may have put anything in its place: a
// pipe would block the open for ever, a device would do what devices do, a link would lead
// elsewhere. So nothing but a regular file is opened, without following and without blocking.
func openOwnerFile(file string) (*os.File, os.FileInfo, error) {
	if i, err := os.Lstat(file); err != nil {
		return nil, nil, Cause(err)
	} else if !i.Mode().IsRegular() { // a device may do something when it is opened
		return nil, nil, notRegular(i)
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_NOCTTY,
		0)
	if err != nil {
		return nil, nil, Cause(err)
	}
	i, err := f.Stat()
	if err == nil && !i.Mode().IsRegular() { // it has become something else meanwhile
		err = notRegular(i)
	}
	if err != nil {
		return nil, nil, errors.Join(Cause(err), f.Close())
	}
	return f, i, nil
}

func notRegular(i os.FileInfo) error {
	what := "something else"
	switch m := i.Mode(); {
	case m&os.ModeSymlink != 0:
		what = "a link"
	case m&os.ModeNamedPipe != 0:
		what = "a pipe"
	case m&os.ModeSocket != 0:
		what = "a socket"
	case m&os.ModeDevice != 0:
		what = "a device"
	case i.IsDir():
		what = "a folder"
	}
	return fmt.Errorf("it is no regular file but %s", what)
}

// ReadOwnerFile reads a file of an owner as openOwnerFile opens it.
func ReadOwnerFile(file string) ([]byte, error) {
	f, _, err := openOwnerFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOwner(f)
}

// HasEntries reports whether a path is a folder with something in it. It opens nothing else.
func HasEntries(folder string) bool {
	f, err := os.OpenFile(folder, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) > 0
}
