package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// hardening is an engine with hardenings and, at times, their service.
type hardening struct {
	*service
	t     *testing.T
	e     *dockertest.Engine
	p     program
	store string
}

func hardenings(t *testing.T, e *dockertest.Engine) *hardening {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	return &hardening{t: t, e: e, store: store,
		p: program{env: []string{"DOCKER_HOST=" + e.Host, "DROPCAP_STORE=" + store}}}
}

func (h *hardening) serve() {
	h.t.Helper()
	h.service = serveBy(h.t, "harden", h.e.Host, h.store)
}

// of is the hardening of a workload.
func (h *hardening) of(workload string) (one dropcap.Hardening) {
	h.t.Helper()
	r := h.p.run(h.t, "harden", "status", workload, "--format", "json")
	var doc dropcap.Hardenings
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Hardenings) != 1 {
		h.t.Fatalf("status of %s: %v\n%s%s", workload, err, r.out, r.err)
	}
	return doc.Hardenings[0]
}

// comes waits until a workload is in a state.
func (h *hardening) comes(workload string, to dropcap.HardenState) dropcap.Hardening {
	h.t.Helper()
	var last dropcap.Hardening
	if !testenv.Within(3*time.Minute, func() bool {
		last = h.of(workload)
		return last.State == to
	}) {
		h.t.Fatalf("%s is %s (%s; waits for %s), want %s\n%s", workload, last.State, last.Because,
			last.Waiting, to, h.log())
	}
	return last
}

// dropped is what the engine says that a container of that name drops and adds.
func (h *hardening) grants(name string) string {
	h.t.Helper()
	var i struct {
		HostConfig struct{ CapAdd, CapDrop []string }
	}
	h.e.Inspect(h.t, name, &i)
	lists := strings.Join(i.HostConfig.CapDrop, ",") + " " + strings.Join(i.HostConfig.CapAdd, ",")
	return strings.ReplaceAll(lists, "CAP_", "")
}

// late uses FOWNER only after a file has appeared.
const late = `{"Image":"app:1","StopTimeout":1,"Cmd":["sh","-c","rm -f /tmp/f; touch /tmp/f; ` +
	`chown 1 /tmp/f; while true; do test ! -e /tmp/now || chmod 600 /tmp/f; sleep 0.5; done"]}`

// What nobody has seen is missed after the change, and the former container runs again by itself.
// Before that the service is killed, and goes on.
func TestHardenTakesBackWhatIsMissed(t *testing.T) {
	if os.Getenv("DROPCAP_TEST_FULL") != "1" {
		return // it takes a minute or two; a week of it is played in internal/harden
	}
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	h := hardenings(t, e)
	h.serve()
	e.RunContainer(t, "late", late)
	r := h.p.run(t, "harden", "late", "--learn", "10s", "--trial", "0", "--watch", "1d",
		"--accept", "low", "--yes")
	if r.status != 0 || !strings.Contains(r.err, "the service carries this on") {
		t.Fatalf("%d\n%s%s", r.status, r.out, r.err)
	}
	h.comes("late", dropcap.HardenWatching)
	if got := h.grants("late"); got != "ALL CHOWN" {
		t.Fatalf("it is changed to %q", got)
	}
	_ = h.cmd.Process.Kill()
	<-h.done
	h.serve()
	e.Exec(t, "late", dockertest.ExecOptions{Cmd: []string{"touch", "/tmp/now"}})
	one := h.comes("late", dropcap.HardenHeldUp)
	if !strings.Contains(one.Because, "needed FOWNER at chmod") ||
		!strings.Contains(one.Remedy, "harden resume") || one.Missed != caps.Of(caps.Fowner) {
		t.Errorf("because %q, remedy %q, missed %s", one.Because, one.Remedy, one.Missed.Short())
	}
	if got := h.grants("late"); got != " " {
		t.Errorf("it is backed out to %q", got)
	}
	if r := h.p.run(t, "history", "late"); !strings.Contains(r.out, "backed-out") {
		t.Errorf("the history says\n%s", r.out)
	}
	h.end(t)
}

// A thousand containers are learned from and hardened by one small process.
func TestHardenServiceAtScale(t *testing.T) {
	if os.Getenv("DROPCAP_TEST_FULL") != "1" {
		return // TestServiceAtScale has the short form of what costs most, the recording
	}
	testenv.Need(t, testenv.Root, testenv.BTF, testenv.Base)
	const n, idle = 1000, 2 * time.Minute
	e := fake.Start(t, fake.Options{Kernel: release(t)})
	s := serveBy(t, "harden", e.Host, filepath.Join(t.TempDir(), "store"))
	h := herd{t: t, e: e, tree: herdTree(t), work: t.TempDir()}
	h.clear()
	t.Cleanup(h.clear)
	for i := range n {
		h.start(i)
	}
	h.allKnown(s, n)
	p := program{env: []string{"DOCKER_HOST=" + e.Host, "DROPCAP_STORE=" + s.store}}
	if r := p.run(t, "harden", "--all", "--learn", "7d", "--yes", "--quiet"); r.status != 0 ||
		strings.Count(r.out, "\n") != n {
		t.Fatalf("%d workloads, exit status %d: %s", strings.Count(r.out, "\n"), r.status, r.err)
	}
	// Time is under test: the use of a processor over a while, once all were looked at.
	time.Sleep(idle / 4)
	before := cpu(t, s)
	// Time is under test, as said.
	time.Sleep(idle)
	used := (cpu(t, s) - before).Seconds() / idle.Seconds()
	peak := resident(t, s, "VmHWM")
	t.Logf("%d hardenings: %d MiB resident at most, idle %.2f %% of a processor", n, peak>>10,
		100*used)
	if peak > 64<<10 || used > 0.005 {
		t.Errorf("%d KiB and %.2f %%: 64 MiB and 0.5 %% are the promise", peak, 100*used)
	}
	s.end(t)
}
