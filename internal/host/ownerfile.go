package host

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxOwnerFile is the largest file of an owner that is read, in bytes.
const maxOwnerFile = 4 << 20

// ReadOwnerFile reads a file of an owner (a Compose file, a unit), which must not have become a link
// since it was looked at.
func ReadOwnerFile(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Cause(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxOwnerFile+1))
	if err == nil && len(b) > maxOwnerFile {
		err = fmt.Errorf("it is larger than %d MiB", maxOwnerFile>>20)
	}
	return b, err
}
