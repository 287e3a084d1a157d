package supervise

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
)

// endWithin exceeds the supervisor's own limits. A supervisor that hangs is killed, and the next
// start cleans up after it.
const endWithin = 90 * time.Second

// Keeper holds a supervisor process by its pipes. The end of the pipe, by End or by our death,
// tells the supervisor to take everything down.
type Keeper struct {
	cmd      *exec.Cmd
	requests *os.File
	replies  *os.File
	decoder  *json.Decoder
	errors   bytes.Buffer

	mu   sync.Mutex
	once func() error
}

// Keep starts a supervisor for spec, waits until the engine answers, and returns the engine's
// process id. The command is a program that runs Main and nothing else.
func Keep(spec Spec, program *exec.Cmd) (*Keeper, int, error) {
	k := &Keeper{cmd: program}
	k.once = sync.OnceValue(k.close)
	if err := k.start(); err != nil {
		return nil, 0, fmt.Errorf("cannot start the supervisor: %w", err)
	}
	pid, err := k.send(spec)
	if err != nil {
		return nil, 0, errors.Join(err, k.End())
	}
	return k, pid, nil
}

func (k *Keeper) start() error {
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
	k.cmd.Dir = "/"
	k.cmd.ExtraFiles = []*os.File{in, out}
	// Not our own stderr: go test waits until all who hold it have ended, and a
	// supervisor outlives a killed test.
	k.cmd.Stderr = &k.errors
	// Own session: a Ctrl-C is for the process that holds the Keeper, whose end is our signal.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	return k.cmd.Start()
}

// send writes one line and reads the answer.
func (k *Keeper) send(message any) (pid int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	line, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	if _, err := k.requests.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	var reply Reply
	if err := k.decoder.Decode(&reply); err != nil {
		return 0, fmt.Errorf("supervisor is gone: %w", err)
	}
	if reply.Error != "" {
		return reply.Pid, errors.New(reply.Error)
	}
	return reply.Pid, nil
}

// Ask sends a Request to the supervisor, and returns the engine's process id.
func (k *Keeper) Ask(op string) (int, error) {
	return k.send(Request{Op: op})
}

// PID returns the supervisor's process id.
func (k *Keeper) PID() int { return k.cmd.Process.Pid }

// End takes everything down and waits for it. Further calls do nothing.
func (k *Keeper) End() error { return k.once() }

// close orders the end and waits for it.
func (k *Keeper) close() error {
	k.requests.Close()
	defer k.replies.Close()
	k.replies.SetReadDeadline(time.Now().Add(endWithin))
	var last Reply
	for k.decoder.Decode(&last) == nil {
	}
	timer := time.AfterFunc(endWithin, func() { k.cmd.Process.Kill() })
	defer timer.Stop()
	if err := k.cmd.Wait(); err != nil {
		return fmt.Errorf("cannot take the engine down: %w: %s %s", err, last.Error,
			strings.TrimSpace(k.errors.String()))
	}
	return nil
}
