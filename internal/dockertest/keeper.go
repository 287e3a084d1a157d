package dockertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"dropcap/internal/dockertest/supervise"
)

// endWithin is past the supervisor's own limits; a supervisor that hangs is killed,
// and the next start sweeps up after it.
const endWithin = 90 * time.Second

// keeper holds a supervisor process by its pipes. The pipe's end, by close or by our
// death, is the supervisor's order to take everything down.
type keeper struct {
	cmd      *exec.Cmd
	requests *os.File
	replies  *os.File
	decoder  *json.Decoder
	errors   bytes.Buffer

	mu  sync.Mutex
	end func() error
}

// keep starts a supervisor for spec and waits until the engine answers.
func keep(spec supervise.Spec) (*keeper, int, error) {
	k := &keeper{}
	k.end = sync.OnceValue(k.close)
	if err := k.start(); err != nil {
		return nil, 0, fmt.Errorf("cannot start the supervisor: %w", err)
	}
	pid, err := k.send(spec)
	if err != nil {
		return nil, 0, errors.Join(err, k.end())
	}
	return k, pid, nil
}

func (k *keeper) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, requests, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	replies, out, err := os.Pipe()
	if err != nil {
		return err
	}
	// Closed at once: the end of the replies must be seen when the supervisor ends.
	defer out.Close()
	k.requests, k.replies, k.decoder = requests, replies, json.NewDecoder(replies)
	k.cmd = exec.Command(self)
	k.cmd.Env = []string{supervise.Environment + "=1"}
	k.cmd.Dir = "/"
	k.cmd.ExtraFiles = []*os.File{in, out}
	// Not our own stderr: go test waits until all who hold it have ended, and a
	// supervisor outlives a killed test.
	k.cmd.Stderr = &k.errors
	// Own session: a Ctrl-C is for the test process, whose end is our signal.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	return k.cmd.Start()
}

// send writes one line and reads the answer.
func (k *keeper) send(message any) (pid int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	line, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	if _, err := k.requests.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	var reply supervise.Reply
	if err := k.decoder.Decode(&reply); err != nil {
		return 0, fmt.Errorf("supervisor is gone: %w", err)
	}
	if reply.Error != "" {
		return reply.Pid, errors.New(reply.Error)
	}
	return reply.Pid, nil
}

func (k *keeper) ask(op string) (int, error) {
	return k.send(supervise.Request{Op: op})
}

// close orders the end and waits for it.
func (k *keeper) close() error {
	k.requests.Close()
	defer k.replies.Close()
	k.replies.SetReadDeadline(time.Now().Add(endWithin))
	var last supervise.Reply
	for k.decoder.Decode(&last) == nil {
	}
	timer := time.AfterFunc(endWithin, func() { k.cmd.Process.Kill() })
	defer timer.Stop()
	if err := k.cmd.Wait(); err != nil {
		return fmt.Errorf("cannot take the engine down: %w: %s %s", err, last.Error, strings.TrimSpace(k.errors.String()))
	}
	return nil
}
