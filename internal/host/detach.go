package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Detach runs a command line in a session of its own, and returns once its first line of output is
// Watching: from there on it goes on by itself. What it says on standard error until then goes to
// errors. If it ends before, begun is false and status is its exit status.
func Detach(line []string, stderr io.Writer) (begun bool, status int, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return false, 0, err
	}
	defer out.Close()
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir, cmd.Stdout = "/", in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	words, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	in.Close()
	if err != nil {
		return false, 0, fmt.Errorf("start %s: %w", line[0], err)
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.Copy(stderr, words)
	}()
	word, _ := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(word) == Watching {
		return true, 0, cmd.Process.Release()
	}
	<-said
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return false, exit.ExitCode(), nil
	}
	return false, 0, err
}
