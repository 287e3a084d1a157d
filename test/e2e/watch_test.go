package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/store"
)

// longestDown is how long a container may be down when everything that works on its change is
// killed.
const longestDown = 20 * time.Second

// sessions returns the sessions (setsid(2)) of all processes that work on a change with this store,
// except those that watch over it.
func (s *nodeStage) sessions() map[int]bool {
	found := map[int]bool{}
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range list {
		line, _ := os.ReadFile(path + "/cmdline")
		env, _ := os.ReadFile(path + "/environ")
		words := strings.Split(string(line), "\x00")
		if !strings.Contains(string(env), "DROPCAP_STORE="+s.folder+"\x00") ||
			strings.Contains(strings.Join(words, " "), " --after ") {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(path))
		stat, err := os.ReadFile(path + "/stat")
		if err != nil || pid == os.Getpid() {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if sid, _ := strconv.Atoi(fields[3]); sid > 1 { // fields 1 and 2 are before
			found[sid] = true
		}
	}
	return found
}

// killSessions kills every process of the sessions.
func killSessions(t *testing.T, sessions map[int]bool) (n int) {
	t.Helper()
	for sid := range sessions {
		out, _ := exec.Command("pgrep", "-s", strconv.Itoa(sid)).Output()
		for _, word := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(word); err == nil && pid != os.Getpid() &&
				syscall.Kill(pid, syscall.SIGKILL) == nil {
				n++
			}
		}
	}
	return n
}

// watches returns the processes that watch over changes with this store.
func (s *nodeStage) watches() []string {
	out, _ := exec.Command("pgrep", "-f", "recover .*--store "+s.folder+" .*--after").Output()
	return strings.Fields(string(out))
}

// If the sessions of dropcap, of the script and of the agent are all killed during a change, the
// host completes it by itself, and the receipt says so.
func TestAChangeThatLosesAllItsProcessesIsEndedByTheHostItself(t *testing.T) {
	s := newNodeStage(t)
	// it does not end at TERM, so it is down while it is killed
	s.docker("run", "-d", "--name", "web", "--stop-timeout", "3", "app:1")
	plan, id := s.plan("web"), s.request()
	agent := s.p.command(t, "node", "apply", "--request="+id, "--plans="+plan, "--soak=10m",
		"--deadline=600")
	agent.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killSessions(t, s.sessions()); _ = agent.Wait() })
	switching := func() bool {
		db, err := store.Open(s.folder)
		if err != nil {
			return false
		}
		defer db.Close()
		list, err := db.Unfinished(t.Context())
		return err == nil && len(list) == 1 && list[0].State == dropcap.Switching
	}
	dockertest.Eventually(t, time.Minute, "the switch", switching)
	if len(s.watches()) == 0 {
		t.Error("nobody watches")
	}
	sessions := s.sessions()
	delete(sessions, sessionOf(t))
	if n := killSessions(t, sessions); n < 2 || len(sessions) < 2 {
		t.Fatalf("killed %d processes of %d sessions: the agent's, the worker's", n, len(sessions))
	}
	killed := time.Now()
	over := func() bool {
		r := s.p.node(t, "receipt", "--of="+id)
		return r.State == dropcap.ReceiptInterrupted && s.docker("ps", "-q", "--filter",
			"name=^web$") != ""
	}
	dockertest.Eventually(t, time.Minute, "its end", over)
	took := time.Since(killed)
	t.Logf("it was over, and web ran, %s after everything was killed",
		took.Round(100*time.Millisecond))
	if took > longestDown {
		t.Errorf("it took %s", took)
	}
	r := s.p.node(t, "receipt", "--of="+id)
	if list := changesOf(t, r); len(list) != 1 || !list[0].State.Over() || r.Error == nil ||
		r.Error.Code != dropcap.CodeInterrupt {
		t.Errorf("%+v", r)
	}
	dockertest.Eventually(t, time.Minute, "the end of the watch", func() bool {
		return len(s.watches()) == 0
	})
}

func sessionOf(t *testing.T) int {
	t.Helper()
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return int(sid)
}

// A command that a person gave is watched over too. One that ends by itself leaves no watcher
// behind, and one that changes nothing has none.
func TestWhoWatchesGoesWithTheChange(t *testing.T) {
	s := newNodeStage(t)
	s.start("web")
	s.p.run(t, "apply", "web", "--dry-run")
	if list := s.watches(); len(list) > 0 {
		t.Errorf("a dry run is watched: %v", list)
	}
	if r := s.p.run(t, "apply", "web", "--yes", "--no-watch", "--soak", "0s"); r.status != 0 {
		t.Fatalf("%d %s", r.status, r.err)
	}
	dockertest.Eventually(t, time.Minute, "the end of the watch", func() bool {
		return len(s.watches()) == 0
	})
	cmd := s.p.command(t, "backout", "--last", "--yes")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	cmd = s.p.command(t, "apply", "web", "--yes", "--no-watch", "--soak", "10m")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dockertest.Eventually(t, time.Minute, "the new container", func() bool {
		return s.docker("ps", "-a", "-q", "--filter", "name=-dropcap-") != ""
	})
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	killed := time.Now()
	dockertest.Eventually(t, time.Minute, "its end", func() bool {
		return !unfinishedIn(t, s.folder) && s.docker("ps", "-q", "--filter", "name=^web$") != ""
	})
	if took := time.Since(killed); took > longestDown {
		t.Errorf("it took %s", took)
	}
}

func unfinishedIn(t *testing.T, folder string) bool {
	t.Helper()
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Unfinished(t.Context())
	return err != nil || len(list) > 0
}
