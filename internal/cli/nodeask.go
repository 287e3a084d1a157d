package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
)

// nodeAsk has a request done, if it was not, and prints how it stands at its end or at the
// deadline.
func (a *app) nodeAsk(ctx context.Context, q nodeRequest) error {
	s, err := store.Open(defaultStore())
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := s.Receipt(ctx, q.id)
	if errors.Is(err, dropcap.ErrNotFound) || err == nil && r.Verb == q.verb {
		r, err = a.nodeWait(ctx, s, q.id, q.deadline, append([]string{q.verb, "--request=" + q.id},
			q.args...))
	}
	if err != nil {
		return err
	}
	if r.Verb != q.verb || !sameRequest(r.Args, told(q.args)) {
		return dropcap.Errorf(dropcap.CodeError, "each request has a name of its own",
			"cannot do request %s: it was to %s %s", q.id, r.Verb, strings.Join(r.Args, " "))
	}
	return a.printReceipt(r, q)
}

// sameRequest tells whether a request that came again is the one that was recorded. Which plans it
// names depends on the hosts that it went to at once; one that was taken back before it came has no
// arguments.
func sameRequest(was, is []string) bool {
	plans := func(word string) bool { return strings.HasPrefix(word, "--plans=") }
	if len(was) == 0 && slices.ContainsFunc(is, plans) {
		return true
	}
	return slices.Equal(slices.DeleteFunc(slices.Clone(was), plans),
		slices.DeleteFunc(slices.Clone(is), plans))
}

// nodeReceipt prints what there is of a request. One whose process died is ended, which no look may
// do if it was changing containers.
func (a *app) nodeReceipt(ctx context.Context, q nodeRequest) error {
	of := q.value("of")
	s, err := store.Open(defaultStore())
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := s.Receipt(ctx, of)
	switch {
	case errors.Is(err, dropcap.ErrNotFound):
		r = a.newReceipt(nodeRequest{id: of})
		r.Command, r.Started, r.State, r.Summary = "", "", dropcap.ReceiptAbsent,
			"this host has never heard of the request"
		return a.printReceipt(r, q)
	case err != nil || r.State.Over():
	case q.verb == "recover" || !changesContainers(r.Verb):
		r, err = a.nodeWait(ctx, s, of, q.deadline, recovering(of))
	default:
		r, err = nodeSee(ctx, s, of, q.deadline)
	}
	if err != nil {
		return err
	}
	return a.printReceipt(r, q)
}

// changesContainers tells whether a request may have left a container half changed.
func changesContainers(verb string) bool { return verb == "apply" || verb == "backout" }

// recovering is the work that ends a request whose process died.
func recovering(id string) []string { return []string{"recover", "--request=" + id, "--of=" + id} }

// nodeSee waits as nodeWait does, and does nothing: it tells if no process is at work.
func nodeSee(ctx context.Context, s *store.Store, id string,
	deadline time.Duration) (dropcap.Receipt, error) {
	for end := time.Now().Add(deadline); ; {
		idle, err := isIdle(s, id)
		if err != nil {
			return dropcap.Receipt{}, err
		}
		r, err := s.Receipt(ctx, id) // after the lock: whoever had it may have ended the request
		switch {
		case err != nil || r.State.Over():
			return r, err
		case idle:
			r.Recovery = true
			if r.Summary == "" {
				r.Summary = "interrupted; waits for a recovery"
			}
			return r, nil
		case time.Now().After(end):
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, goesOn(id)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// nodeWait waits until a request is over, or for so long. It sees to it that a process works on it
// as long as it is not.
func (a *app) nodeWait(ctx context.Context, s *store.Store, id string, deadline time.Duration,
	work []string) (dropcap.Receipt, error) {
	const most = 50 // of workers: one that finds another at work goes at once
	end := time.Now().Add(deadline)
	for begun := 0; ; {
		r, err := s.Receipt(ctx, id)
		unknown := errors.Is(err, dropcap.ErrNotFound)
		if err != nil && !unknown || r.State.Over() {
			return r, err
		}
		idle, err := isIdle(s, id)
		switch {
		case err != nil:
			return r, err
		case idle && begun < most:
			begun++
			if err := begin(ctx, s, id, work); ctx.Err() != nil {
				return r, goesOn(id)
			} else if err != nil {
				return r, err
			}
			if unknown {
				continue
			}
		case unknown && begun >= most:
			return r, dropcap.Errorf(dropcap.CodeError, "see the log in the store's folder",
				"cannot begin request %s: no process stays at work on it", id)
		case !unknown && time.Now().After(end):
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, goesOn(id)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// goesOn is the error of one that waits and is interrupted: that ends the waiting and not the work.
func goesOn(id string) error {
	return dropcap.Errorf(dropcap.CodeInterrupt, "`dropcap node receipt --of="+id+
		"` tells what comes of it", "cannot wait for the end: interrupted; request %s goes on", id)
}

// isIdle tells whether no process works on a request.
func isIdle(s *store.Store, id string) (bool, error) {
	held, ok, err := s.LockRequest(id)
	if ok {
		store.Release(held)
	}
	return ok, err
}

// begin starts a process that works on a request and outlives this one, and waits for its first
// word.
func begin(ctx context.Context, s *store.Store, id string, work []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	line := append([]string{self, "node", "work"}, work...)
	if run, ok := ownUnit(id); ok {
		if word, err := beginLine(ctx, s, id, append(run, line...)); err == nil && word != "" {
			return wordError(word)
		}
	}
	word, err := beginLine(ctx, s, id, line)
	if err != nil {
		return err
	}
	return wordError(word)
}

// ownUnit puts the process into a unit of its own where systemd runs: with the agent's service its
// whole control group is killed (systemd.kill(5), KillMode). As a scope it inherits files and
// environment.
func ownUnit(id string) ([]string, bool) {
	run, err := exec.LookPath("systemd-run")
	if _, booted := os.Stat("/run/systemd/system"); err != nil || booted != nil ||
		os.Geteuid() != 0 {
		// sd_booted(3)
		return nil, false
	}
	return []string{run, "--scope", "--collect", "--quiet", "--unit=dropcap-" + id, "--"}, true
}

// firstWord is how long a worker may take to say that it has begun.
const firstWord = 30 * time.Second

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
	// so that it does not end with the agent's process group
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
	text, _ := bufio.NewReader(out).ReadString('\n') // none if it died before
	return strings.TrimSpace(text), ctx.Err()
}

// firstSay is a worker's first and only word. Nobody need read it.
func (a *app) firstSay(word string) {
	fmt.Fprintln(a.out, word)
	_ = syscall.Dup3(2, 1, 0) // whoever reads is not kept waiting by what this process starts
}

// wordError reads a worker's first word.
func wordError(word string) error {
	text, isError := strings.CutPrefix(word, "error ")
	if !isError {
		return nil // begun, or busy: whoever waits sees what comes of it
	}
	var f dropcap.Failing
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return errors.New("cannot begin the request: " + printable.Cut(text, mostMessage))
	}
	return &dropcap.Error{Code: f.Code, Message: f.Message, Hint: f.Hint}
}
