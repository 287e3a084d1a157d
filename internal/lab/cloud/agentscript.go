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

// killed is the exit status after SIGKILL. The agent takes it for a timeout, or for a cancellation
// if there was one.
const killed = 137

// written holds what a script has written so far.
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

// end accepts no more, and returns what there is.
func (w *written) end() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.text.String()
}

// timeoutOf returns a step's timeout. Anything but 5 s to 48 h silently becomes an hour.
func timeoutOf(in map[string]any) time.Duration {
	var seconds int
	if _, err := fmt.Sscan(strings.Join(texts(in["timeoutSeconds"]), ""), &seconds); err == nil &&
		seconds >= 5 && seconds <= 172800 {
		return time.Duration(seconds) * time.Second
	}
	return time.Hour
}

// script runs one. It waits as long as anybody holds the script's standard output or error, until
// the time is over or the script is cancelled.
func (a *Agent) script(run context.Context, message string, in map[string]any) plugin {
	result := plugin{started: time.Now().UTC().Format(time.RFC3339)}
	file := filepath.Join(a.Folder, "script-"+rand.Text()+".sh")
	if err := os.WriteFile(file, []byte(strings.Join(texts(in["runCommand"]), "\n")+"\n"),
		0o700); err != nil {
		return plugin{status: "Failed", code: 1, stderr: err.Error()}
	}
	defer os.Remove(file)
	// The real one runs sh -c FILE: the script is a shell's child, and the shell returns 137 if the
	// script is killed. FILE itself is not executed, since another script that is starting may
	// still hold it open for writing (execve(2), ETXTBSY).
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
	note := a.await(run, cmd, timeoutOf(in), &result)
	result.wholeErr = errs.end() + note
	result.whole = out.end()
	result.ended = time.Now().UTC().Format(time.RFC3339)
	result.stdout, result.stderr = result.whole, result.wholeErr
	return result
}

// await starts a script, waits for its end, and returns what the agent adds to its standard error.
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
	// the whole group, without SIGTERM; a process with a session of its own continues
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		// another process holds its output, and is no longer waited for
	}
	return ""
}

// judge records how a script has ended.
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
		result.code = exit.ExitCode() // -1 if the shell around the script was killed too
	}
	if result.code == killed {
		result.status = "TimedOut"
		return ""
	}
	return fmt.Sprintf("failed to run commands: %v", err)
}

// commandOf returns the id of a message's command.
func commandOf(message string) string {
	parts := strings.Split(message, ".")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}
