package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// The first words of a process that does a request. They need not be read.
const (
	wordBegun = "begun"
	wordBusy  = "busy"   // another process does the request
	wordError = "error " // followed by the error as JSON
)

// firstWord is how long a process may take to report that it has begun.
const firstWord = 30 * time.Second

// begin starts a process that works on a request and outlives this one, and waits for its first
// word.
func (n *Node) begin(ctx context.Context, s *store.Store, q wire.Request) error {
	line := append(slices.Clone(n.Process), q.Verb.Name, "--request="+q.ID)
	line = append(line, q.Verb.Words(q.Args)...)
	if run, ok := ownUnit(q.ID); ok {
		word, err := beginLine(ctx, s, q.ID, append(run, line...))
		if err == nil && word != "" {
			return errorOf(word)
		}
	}
	word, err := beginLine(ctx, s, q.ID, line)
	if err != nil {
		return err
	}
	return errorOf(word)
}

// ownUnit runs the process in its own unit under systemd: stopping the agent's service kills its
// whole control group (systemd.kill(5), KillMode). As a scope it inherits files and environment.
func ownUnit(id string) ([]string, bool) {
	run, err := exec.LookPath("systemd-run")
	_, booted := os.Stat("/run/systemd/system") // sd_booted(3)
	if err != nil || booted != nil || os.Geteuid() != 0 {
		return nil, false
	}
	return []string{run, "--scope", "--collect", "--quiet", "--unit=dropcap-" + id, "--"}, true
}

func beginLine(ctx context.Context, s *store.Store, id string,
	line []string) (word string, err error) {
	path, err := s.RequestFile(id, "log")
	if err != nil {
		return "", err
	}
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", dropcap.Errorf(dropcap.CodeError, "is there space?", "cannot write %s: %w", path,
			host.Cause(err))
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer out.Close()
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", in, log
	// It must not end with the agent's process group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	in.Close()
	if err != nil {
		return "", dropcap.Errorf(dropcap.CodeError, "", "cannot start %s: %w", line[0],
			host.Cause(err))
	}
	go func() { _ = cmd.Wait() }()
	_ = out.SetReadDeadline(time.Now().Add(firstWord))
	defer context.AfterFunc(ctx, func() { _ = out.SetReadDeadline(time.Now()) })()
	text, _ := bufio.NewReader(out).ReadString('\n') // empty if it died before
	return strings.TrimRight(text, "\n"), ctx.Err()
}

// errorOf returns the error in a process's first word.
func errorOf(word string) error {
	text, isError := strings.CutPrefix(word, wordError)
	if !isError {
		return nil // begun, or busy: the waiting process sees the result
	}
	var f dropcap.Failing
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return errors.New("cannot begin the request: " + printable.Cut(text, mostMessage))
	}
	return &dropcap.Error{Code: f.Code, Message: f.Message, Hint: f.Hint}
}
