package cloud

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// killed is the exit status of what SIGKILL ended; the agent takes it for a timeout, or for a
// cancellation where there was one.
const killed = 137

// written is what a script has written so far.
type written struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ended bool
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return 0, os.ErrClosed
	}
	return w.text.Write(p)
}

// end takes no more, and gives what there is.
func (w *written) end() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.text.String()
}

// timeoutOf is a step's. Anything but 5 s to 48 h silently becomes an hour.
func timeoutOf(in map[string]any) time.Duration {
	var seconds int
	if _, err := fmt.Sscan(strings.Join(texts(in["timeoutSeconds"]), ""), &seconds); err == nil &&
		seconds >= 5 && seconds <= 172800 {
		return time.Duration(seconds) * time.Second
	}
	return time.Hour
}

// script runs one. Until its time is over or it is cancelled, it is waited for as long as anybody
// holds its standard output or error.
func (a *Agent) script(run context.Context, message string, in map[string]any) plugin {
	result := plugin{started: time.Now().UTC().Format(time.RFC3339)}
	file := filepath.Join(a.Folder, "script-"+rand.Text()+".sh")
	if err := os.WriteFile(file, []byte(strings.Join(texts(in["runCommand"]), "\n")+"\n"),
		0o700); err != nil {
		return plugin{status: "Failed", code: 1, stderr: err.Error()}
	}
	defer os.Remove(file)
	// The real one runs sh -c FILE: the script is a shell's child, which says 137 where the script
	// is killed. FILE itself is not executed, since another script that is being started may hold
	// it open for writing still (execve(2), ETXTBSY).
	cmd := exec.Command("/bin/sh", "-c", `/bin/sh "$0"; exit $?`, file)
	if !a.Alone {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(append(cmd.Env, "AWS_SSM_INSTANCE_ID="+a.Node, "AWS_SSM_REGION_NAME="+a.Region,
		"SSM_COMMAND_ID="+commandOf(message)), a.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if dir, _ := in["workingDirectory"].(string); dir != "" {
		cmd.Dir = dir
	}
	var out, errs written
	cmd.Stdout, cmd.Stderr = &out, &errs
	said := a.await(run, cmd, timeoutOf(in), &result)
	result.wholeErr = errs.end() + said
	result.whole = out.end()
	result.ended = time.Now().UTC().Format(time.RFC3339)
	result.stdout, result.stderr = result.whole, result.wholeErr
	return result
}

// await starts a script and waits for its end, and gives what the agent adds to its standard error.
func (a *Agent) await(run context.Context, cmd *exec.Cmd, most time.Duration,
	result *plugin) string {
	start := a.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(cmd); err != nil {
		result.status, result.code = "Failed", 1
		return fmt.Sprintf("failed to run commands: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	select {
	case err := <-done:
		return judge(err, result)
	case <-timeout.C:
		result.status = "TimedOut"
	case <-run.Done():
		result.status = "Cancelled"
	}
	result.code = killed
	// the whole group, no TERM; what has a session of its own goes on
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		// somebody else holds its output, and nobody waits for him now
	}
	return ""
}

// judge says how a script has ended.
func judge(err error, result *plugin) string {
	var exit *exec.ExitError
	result.status = "Failed"
	switch {
	case err == nil:
		result.status = "Success"
		return ""
	case !errors.As(err, &exit):
		result.code = 1
	default:
		result.code = exit.ExitCode() // -1 where the shell around the script was killed too
	}
	if result.code == killed {
		result.status = "TimedOut"
		return ""
	}
	return fmt.Sprintf("failed to run commands: %v", err)
}

// commandOf is the id of the command that a message is of.
func commandOf(message string) string {
	parts := strings.Split(message, ".")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}
