package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// lookout is a running `dropcap watch` and what it has told.
type lookout struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	told []dropcap.Occurrence
	log  []string
}

// watching starts one, and waits until it has looked at all containers.
func watching(t *testing.T, p program, args ...string) *lookout {
	t.Helper()
	l := &lookout{cmd: p.command(t, append([]string{"watch", "--format", "json"}, args...)...),
		done: make(chan struct{})}
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := l.cmd.StderrPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	lines := func(r io.Reader, take func(string)) {
		reading.Go(func() {
			for in := bufio.NewScanner(r); in.Scan(); {
				l.mu.Lock()
				take(in.Text())
				l.mu.Unlock()
			}
		})
	}
	lines(out, func(line string) {
		var o dropcap.Occurrence
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		l.told = append(l.told, o)
	})
	lines(errs, func(line string) { l.log = append(l.log, line) })
	go func() { reading.Wait(); close(l.done) }()
	t.Cleanup(func() { _ = l.cmd.Process.Kill(); <-l.done; _ = l.cmd.Wait() })
	dockertest.Eventually(t, time.Minute, "the watch", func() bool {
		return strings.Contains(l.logged(), "dropcap: watching ")
	})
	return l
}

func (l *lookout) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.log, "\n")
}

// tells waits for an occurrence, and returns it.
func (l *lookout) tells(t *testing.T, kind dropcap.OccurrenceKind,
	name string) (o dropcap.Occurrence) {
	t.Helper()
	found := testenv.Within(time.Minute, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, o = range l.told {
			if o.Kind == kind && o.Name == name {
				return true
			}
		}
		return false
	})
	if !found {
		t.Fatalf("no %s of %q in %+v\n%s", kind, name, l.told, l.logged())
	}
	return o
}

// count returns how many of a kind were told.
func (l *lookout) count(kind dropcap.OccurrenceKind) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.told {
		if o.Kind == kind {
			n++
		}
	}
	return n
}

func (l *lookout) end(t *testing.T) {
	t.Helper()
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	<-l.done
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("ended by SIGTERM: %v\n%s", err, l.logged())
	}
}

// scraped returns the metrics of an address.
func scraped(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	return string(b)
}

// exports waits until the metrics of an address have all of these lines.
func exports(t *testing.T, address string, lines ...string) {
	t.Helper()
	text := ""
	for _, want := range lines {
		if !testenv.Within(30*time.Second, func() bool {
			text = scraped(t, address)
			return strings.Contains(text, want+"\n")
		}) {
			t.Errorf("the metrics have no %s:\n%s", want, text)
		}
	}
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A thousand containers are followed in bounded time and memory, and a storm of them is told as
// what it is.
func TestWatchFollowsAThousandContainers(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	for i := range 1000 {
		e.Add(fake.Container{Name: fmt.Sprintf("c%d", i)})
	}
	at := unusedAddress(t)
	l := watching(t, on(e), "--store", filepath.Join(t.TempDir(), "store"), "--metrics", at)
	for i := range 1000 {
		e.Emit(fmt.Sprintf("c%d", i), "start", nil)
	}
	// it is over when all have been told or counted
	numbers := regexp.MustCompile(
		`(?m)^dropcap_occurrences(?:_held_back)?_total\{kind="exceeds"\} (\d+)$`)
	dockertest.Eventually(t, 2*time.Minute, "the storm's end", func() bool {
		all := 0
		for _, m := range numbers.FindAllStringSubmatch(scraped(t, at), -1) {
			n, _ := strconv.Atoi(m[1])
			all += n
		}
		return all == 1000
	})
	most := peak(t, l.cmd.Process.Pid)
	l.end(t)
	var sum uint64
	for _, o := range l.told {
		if o.Kind == dropcap.OccurrenceMore {
			sum += o.Count
		}
	}
	if n := l.count(dropcap.OccurrenceExceeds); n < 50 || n > 170 || uint64(n)+sum != 1000 {
		t.Errorf("%d were told one by one, %d as a number\n%s", n, sum, l.logged())
	}
	u := l.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Logf("%d MiB, %d ms of CPU", most>>10,
		(u.Utime.Nano()+u.Stime.Nano())/int64(time.Millisecond))
	if most > 96<<10 {
		t.Errorf("%d KiB", most)
	}
}

// peak returns the most memory, in KiB, that a process has had of its own. What the kernel says of
// a child in the end counts what its parent had, too.
func peak(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatalf("no peak in %s", text)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// What an exec may do is asked of the engine, and what is gone is counted no more.
func TestWatchAsksWhatAnExecMayDo(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	at := unusedAddress(t)
	web, other := e.Add(fake.Container{Name: "web"}), e.Add(fake.Container{Name: "other"})
	l := watching(t, on(e), "--store", filepath.Join(t.TempDir(), "store"), "--metrics", at)
	plain := e.AddExec(web, fake.Exec{})
	more := e.AddExec(web, fake.Exec{Privileged: true})
	for _, id := range []string{plain, more, more} {
		e.Emit(web, "exec_start: sh", map[string]string{"execID": id})
	}
	o := l.tells(t, dropcap.OccurrenceExec, "web")
	if o.Exec != more || o.Container != web || !o.Caps.Has(caps.SysAdmin) ||
		o.Caps.Has(caps.Chown) {
		t.Errorf("%+v", o)
	}
	exports(t, at, `dropcap_containers{verdict="fail",level="cis"} 2`)
	e.Emit(other, "destroy", nil)
	exports(t, at, `dropcap_containers{verdict="fail",level="cis"} 1`)
	l.end(t)
	if n := l.count(dropcap.OccurrenceExec); n != 1 {
		t.Errorf("%d execs were told", n)
	}
}

// The policy is the one of now; where it cannot be read any more, the last one counts.
func TestWatchGoesByThePolicyOfNow(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	web := e.Add(fake.Container{Name: "web"})
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tomorrow := time.Now().Add(48 * time.Hour).UTC().Format(time.DateOnly)
	write("level: cis\nwaivers:\n  - containers: {name: web}\n    capabilities: [NET_RAW]\n" +
		"    owner: ann\n    reason: because\n    expires: " + tomorrow + "\n")
	l := watching(t, on(e), "--store", filepath.Join(t.TempDir(), "store"), "--policy", file,
		"--every", "1s")
	if o := l.tells(t, dropcap.OccurrenceWaiver, ""); !strings.Contains(o.Because, "ann") ||
		o.Expires == "" {
		t.Errorf("%+v", o)
	}
	e.Emit(web, "start", nil)
	write("level: [")
	if !testenv.Within(30*time.Second, func() bool {
		return strings.Contains(l.logged(), "the last one that could be read counts")
	}) {
		t.Fatalf("no warning:\n%s", l.logged())
	}
	if n := l.count(dropcap.OccurrenceExceeds); n != 0 {
		t.Errorf("%d were told in spite of the waiver", n)
	}
	write("level: cis\n")
	e.Emit(web, "start", nil)
	l.tells(t, dropcap.OccurrenceExceeds, "web")
	l.end(t)
}

// Whoever reads the output may go: then the watch ends.
func TestWatchEndsWithItsReader(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	id := e.Add(fake.Container{Name: "web"})
	cmd := on(e).command(t, "watch", "--store", filepath.Join(t.TempDir(), "store"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	dockertest.Eventually(t, time.Minute, "a listener", func() bool { return e.Listeners() > 0 })
	over := func() bool {
		e.Emit(id, "start", nil)
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return true
		default:
			return false
		}
	}
	dockertest.Eventually(t, time.Minute, "its end", over)
}
