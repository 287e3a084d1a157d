package supervise

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The pipes to the test process: requests come in, replies go out. The end of the requests (the
// test process is gone) means: take everything down.
const (
	requestsFd = 3
	repliesFd  = 4
)

// Main is the supervisor's program. It must run in new network and mount namespaces, with the pipes
// as files 3 and 4, and returns the exit code: 0 if nothing was left.
func Main() int {
	// The daemons' parent-death signal is bound to the thread that started them.
	runtime.LockOSThread()
	syscall.CloseOnExec(requestsFd)
	syscall.CloseOnExec(repliesFd)
	s := &supervisor{replies: json.NewEncoder(os.NewFile(repliesFd, "replies"))}
	lines := readLines(os.NewFile(requestsFd, "requests"))
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A reply to a test process that is gone must not end us before the work is done.
	signal.Ignore(syscall.SIGPIPE)

	line, ok := <-lines
	if !ok {
		return 0
	}
	if err := json.Unmarshal([]byte(line), &s.spec); err != nil {
		return s.fail(fmt.Errorf("cannot read the specification: %w", err))
	}
	if err := s.spec.check(); err != nil {
		return s.fail(err)
	}
	s.reply(s.up())
	s.serve(lines, signals)
	if err := s.down(); err != nil {
		return s.fail(err)
	}
	return 0
}

// serve answers requests until the test process is gone or a signal says stop.
func (s *supervisor) serve(lines <-chan string, signals <-chan os.Signal) {
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			var r Request
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				s.reply(err)
				continue
			}
			s.reply(s.do(r.Op))
		case <-signals:
			return
		}
	}
}

func (s *supervisor) do(op string) error {
	switch op {
	case "start":
		return s.startEngine()
	case "restart":
		if err := s.stopEngine(syscall.SIGTERM); err != nil {
			return err
		}
		return s.startEngine()
	case "kill":
		return s.stopEngine(syscall.SIGKILL)
	}
	return fmt.Errorf("cannot %q: no such operation", op)
}

func (s *supervisor) reply(err error) {
	r := Reply{Pid: s.enginePid()}
	if err != nil {
		r.Error = err.Error()
	}
	s.replies.Encode(r)
}

func (s *supervisor) fail(err error) int {
	s.reply(err)
	return 1
}

// readLines sends each line, and closes the channel at the end of the input.
func readLines(f *os.File) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			lines <- in.Text()
		}
	}()
	return lines
}

// enclose prepares the namespaces that the process was started in.
func enclose(spec Spec) error {
	// Orphans of the engine (shims, containers' processes) become our children, so
	// that walking down from us finds every process of the engine.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become a subreaper: %w", err)
	}
	if err := privateMounts(spec); err != nil {
		return err
	}
	return loopbackUp()
}
