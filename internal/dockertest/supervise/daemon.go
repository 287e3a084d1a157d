package supervise

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
)

type supervisor struct {
	spec    Spec
	replies *json.Encoder
	helper  *daemon
	engine  *daemon
	reaper  reaper
}

// daemon is a child process; done is closed when it has ended.
type daemon struct {
	pid  int
	done <-chan struct{}
}

func (s *supervisor) enginePid() int {
	if s.engine == nil {
		return 0
	}
	return s.engine.pid
}

// up encloses the process and starts the daemons.
func (s *supervisor) up() error {
	if err := enclose(s.spec); err != nil {
		return err
	}
	if err := s.spec.save(); err != nil {
		return fmt.Errorf("cannot record the engine: %w", err)
	}
	if err := joinCgroup(s.spec.ID); err != nil {
		return err
	}
	s.reaper.start()
	if s.spec.Helper != nil {
		var err error
		if s.helper, err = s.start(*s.spec.Helper); err != nil {
			return err
		}
	}
	return s.startEngine()
}

func (s *supervisor) startEngine() (err error) {
	if s.engine != nil {
		return fmt.Errorf("cannot start the engine: it runs")
	}
	s.engine, err = s.start(s.spec.Engine)
	return err
}

// stopEngine signals the engine and waits for its end.
func (s *supervisor) stopEngine(sig syscall.Signal) error {
	if s.engine == nil {
		return fmt.Errorf("cannot stop the engine: it does not run")
	}
	syscall.Kill(s.engine.pid, sig)
	select {
	case <-s.engine.done:
		s.engine = nil
		return nil
	case <-time.After(stopWithin):
		return fmt.Errorf("cannot stop the engine: it runs %v after %v\n%s", stopWithin, sig,
			tail(s.spec.Engine.Log))
	}
}

// start runs a daemon and waits until its socket answers.
func (s *supervisor) start(c Command) (*daemon, error) {
	// A socket file of a killed predecessor would look like an answer to come.
	os.Remove(c.Socket)
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d, err := s.reaper.run(c, log)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Args[0], err)
	}
	for end := time.Now().Add(startWithin); time.Now().
		Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-d.done:
			return nil, fmt.Errorf("cannot start %s: it ended\n%s", c.Args[0], tail(c.Log))
		default:
		}
		if conn, err := net.Dial("unix", c.Socket); err == nil {
			conn.Close()
			return d, nil
		}
	}
	return d, fmt.Errorf("cannot start %s: no answer in %v\n%s", c.Args[0], startWithin,
		tail(c.Log))
}

// tail returns the last lines of a log.
func tail(file string) string {
	text, _ := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// reaper waits for every child, our own daemons and adopted orphans alike. os/exec
// cannot be used beside it, since it waits for its child too.
type reaper struct {
	sync.Mutex
	waiting map[int]chan struct{}
}

func (r *reaper) start() {
	r.waiting = map[int]chan struct{}{}
	go func() {
		for {
			pid, err := syscall.Wait4(-1, nil, 0, nil)
			if err != nil {
				// ECHILD: no child at the moment.
				time.Sleep(10 * time.Millisecond)
				continue
			}
			r.Lock()
			if done := r.waiting[pid]; done != nil {
				close(done)
				delete(r.waiting, pid)
			}
			r.Unlock()
		}
	}()
}

// run starts a program that is killed with us. The lock keeps the reaper from
// seeing its end before it is known.
func (r *reaper) run(c Command, log *os.File) (*daemon, error) {
	r.Lock()
	defer r.Unlock()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(c.Args[0], c.Args, &syscall.ProcAttr{
		Dir:   "/",
		Env:   c.Env,
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	r.waiting[pid] = done
	return &daemon{pid: pid, done: done}, nil
}
