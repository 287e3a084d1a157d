package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/store"
)

// watched starts a watch over this process before it changes anything: whatever kills it, even
// together with its terminal, its session and the agent that started it, the watch finishes what it
// leaves.
type watched struct {
	apply.Executor
	arm     func() (dismiss func())
	once    sync.Once
	dismiss func() // nil: no watch
}

// Do does one effect.
func (w *watched) Do(ctx context.Context, e dropcap.Effect) (dropcap.Result, error) {
	if !e.Reads() {
		w.once.Do(func() { w.dismiss = w.arm() })
	}
	return w.Executor.Do(ctx, e)
}

// end dismisses the watch, unless something is left to be finished.
func (w *watched) end(s *store.Store) {
	if w.dismiss == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if list, err := s.Unfinished(ctx); err == nil && len(list) == 0 {
		w.dismiss()
	}
}

// arm starts the watch over this process. If that fails, changes go on: the next
// command that changes something recovers, and so does the unit at boot.
func (h *Host) arm() (dismiss func()) {
	if len(h.config.Watch) == 0 || !watchable() {
		return nil
	}
	self, err := processOf(os.Getpid())
	if err == nil {
		line := append(slices.Clone(h.config.Watch), "--after", self)
		if dismiss, err = asUnit(self, line); err != nil {
			dismiss, err = detached(line)
		}
	}
	if err != nil {
		h.observer.Warn(fmt.Errorf("nobody watches over this change (%w): should dropcap be "+
			"killed, "+
			"`dropcap recover` ends it", err))
	}
	return dismiss
}

// handedOn are the variables that a unit of its own needs of this process's environment.
var handedOn = []string{"DOCKER_", "DROPCAP_", "HOME=", "PATH=", "XDG_"}

// asUnit lets systemd watch, where it runs: it starts the watch again if that is killed as well. It
// is no part of what started this process, so it does not end with it.
func asUnit(self string, line []string) (dismiss func(), err error) {
	run, err := exec.LookPath("systemd-run")
	if _, booted := os.Stat("/run/systemd/system"); err != nil || booted != nil ||
		os.Geteuid() != 0 {
		return nil, fmt.Errorf("systemd does not run here")
	}
	unit := "dropcap-watch-" + strings.ReplaceAll(self, ":", "-") + ".service"
	args := []string{
		"--quiet", "--collect", "--unit=" + unit,
		"--description=Ends a change of a container if dropcap is killed",
		"--property=Restart=on-abnormal", "--property=RestartSec=1",
		"--property=StartLimitIntervalSec=0",
		"--property=TimeoutStopSec=5min", "--property=UMask=0077",
		"--property=SuccessExitStatus=4 6",
	}
	for _, pair := range os.Environ() {
		if slices.ContainsFunc(handedOn, func(name string) bool {
			return strings.HasPrefix(pair, name)
		}) {
			args = append(args, "--setenv="+pair)
		}
	}
	if out, err := exec.Command(run, append(append(args, "--"), line...)...).
		CombinedOutput(); err != nil {
		return nil, fmt.Errorf("systemd-run: %w: %s", err, out)
	}
	// else it goes by itself
	return func() { _ = exec.Command("systemctl", "stop", "--no-block", unit).Run() }, nil
}

// firstWord is how long a process that watches may take to say so.
const firstWord = 10 * time.Second

// Watching is the first word of a process that watches.
const Watching = "watching"

// detached starts a process in its own session, which inherits nothing.
func detached(line []string) (dismiss func(), err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir, cmd.Stdout = "/", in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	in.Close()
	if err != nil {
		return nil, err
	}
	dismiss = func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	_ = out.SetReadDeadline(time.Now().Add(firstWord))
	if word, _ := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(word) != Watching {
		dismiss()
		return nil, fmt.Errorf("the process that is to watch does not say that it does")
	}
	return dismiss, nil
}

// processOf names a process for as long as it lives, "PID:START": numbers are given again.
func processOf(pid int) (string, error) {
	start, dead := startOf(pid)
	if dead {
		return "", fmt.Errorf("cannot read /proc/%d/stat", pid)
	}
	return strconv.Itoa(pid) + ":" + start, nil
}

// startOf is when a process began, in the kernel's clock ticks. One that is gone, or a zombie that
// nobody has waited for, is dead (proc_pid_stat(5): fields 3 and 22).
func startOf(pid int) (start string, dead bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", true
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", true
	}
	return fields[19], false
}

// alive reports whether the process that processOf named still lives.
func alive(process string) bool {
	number, began, _ := strings.Cut(process, ":")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	start, dead := startOf(pid)
	return !dead && start == began
}

// watchEvery is how often a watch checks whether the process lives.
const watchEvery = 500 * time.Millisecond

// RecoverAfter waits until a process has ended, however it does, and finishes what it left. If it
// left nothing, it does not ask the engine.
func (h *Host) RecoverAfter(ctx context.Context, process string,
	q RecoverRequest) (Changed, error) {
	for alive(process) {
		select {
		case <-ctx.Done(): // it is not needed any more
			return Changed{}, nil
		case <-time.After(watchEvery):
		}
	}
	left, err := h.unfinished(ctx)
	if err != nil || !left {
		return Changed{}, err
	}
	q.Busy = true
	return h.Recover(ctx, q)
}

func (h *Host) unfinished(ctx context.Context) (bool, error) {
	if _, err := os.Stat(filepath.Join(h.config.Store, "store.db")); err != nil {
		return false, nil // it is gone, and nothing of it is to be made again
	}
	s, err := store.Open(h.config.Store)
	if err != nil {
		return false, err
	}
	defer s.Close()
	list, err := s.Unfinished(ctx)
	return len(list) > 0, err
}
