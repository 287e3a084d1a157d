package vm_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/test/install"
	"dropcap/test/vm"
)

// owning changes a file's owner again and again, and says when that fails.
const owning = `sh -c '>/f; while true; do busybox chown 1 /f || echo failed; busybox chown 0 /f; ` +
	`sleep 1; done'`

// TestTrial tries on a real host, with a real engine, kernel and programs. What needs least time is
// among TestDebian12Host's, the rest is for DROPCAP_TEST_FULL.
func TestTrial(t *testing.T) {
	if !install.Full() {
		return // TestDebian12Host tries a little
	}
	began := time.Now()
	m := vm.Start(t, vm.Debian12Host)
	t.Logf("booted in %.1f s", time.Since(began).Seconds())
	m.Put(t, "/tmp/busybox.tar", busyboxImage(t), 0o600)
	m.Shell(t, "docker import /tmp/busybox.tar busybox:test")
	m.PutBinary(t, "./cmd/dropcap", program)
	for _, c := range []struct {
		name string
		test func(*testing.T, *vm.Machine)
	}{
		{"lifts what a program needs, and nothing is restarted", trialLifts},
		{"goes on through a restart by an operator", trialRestart},
		{"lets go when it is stopped, killed, or in the way of a change", trialLetsGo},
		{"lifts all of what becomes unhealthy or ends by itself", trialTrouble},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			c.test(t, m)
			t.Logf("took %.1f s", time.Since(began).Seconds())
		})
	}
}

// try begins a trial that goes on by itself.
func try(t *testing.T, m *vm.Machine, args ...string) {
	t.Helper()
	stdout, stderr, exit := run(t, m, as("", append([]string{"trial", "-d"}, args...)...)...)
	if exit != 0 || !strings.Contains(stderr, "trying ") {
		t.Fatalf("trial %v: exit %d: %s%s", args, exit, stdout, stderr)
	}
}

// trialOf waits until the latest trial of a container is as it should be.
func trialOf(t *testing.T, m *vm.Machine, name, what string,
	ok func(dropcap.Trial) bool) (x dropcap.Trial) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); ; {
		stdout, stderr, exit := run(t, m, as("", "trial", "--list", name, "--format", "json")...)
		var doc dropcap.Trials
		if err := json.Unmarshal([]byte(stdout), &doc); err != nil || exit != 0 ||
			len(doc.Trials) == 0 {
			t.Fatalf("exit %d, %v: %s%s", exit, err, stdout, stderr)
		}
		if x = doc.Trials[0]; ok(x) {
			return x
		}
		if time.Now().After(end) {
			t.Fatalf("the trial of %s is not %s: %+v", name, what, x)
		}
	}
}

func lifted(x dropcap.Trial) (s caps.Set) {
	for _, l := range x.Lifted {
		s |= l.Caps
	}
	return s
}

func state(s dropcap.TrialState) func(dropcap.Trial) bool {
	return func(x dropcap.Trial) bool { return x.State == s }
}

func trialLifts(t *testing.T, m *vm.Machine) {
	for _, name := range []string{"web", "beside"} { // which go with the machine
		m.Shell(t, "docker run -d --stop-timeout 1 --name "+name+" busybox:test "+owning)
	}
	began := m.Shell(t, "docker inspect -f '{{.State.StartedAt}} {{.RestartCount}}' web")
	try(t, m, "web", "--drop", "CHOWN,NET_RAW,MKNOD")
	x := trialOf(t, m, "web", "lifted", func(x dropcap.Trial) bool { return len(x.Lifted) > 0 })
	if lifted(x) != caps.Of(caps.Chown) || x.Denied != caps.Of(caps.NetRaw, caps.Mknod) ||
		x.State != dropcap.TrialRunning {
		t.Errorf("%+v", x)
	}
	if by := x.Lifted[0].By; by == nil || by.Exe != "/bin/busybox" || by.ExeFrom != "image" ||
		x.Lifted[0].Started {
		t.Errorf("lifted by %+v", x.Lifted[0])
	}
	if now := m.Shell(t, "docker inspect -f '{{.State.StartedAt}} {{.RestartCount}}' web"); now !=
		began {
		t.Errorf("it was restarted: %s, then %s", began, now)
	}
	log := m.Shell(t, "docker logs web 2>&1; docker logs beside 2>&1 | sed s/^/beside:/")
	if strings.Count(log, "failed") != 1 || strings.Contains(log, "beside:") {
		t.Errorf("the programs say %q; one denial is what it takes", log)
	}
	if text := m.Shell(t, program+" evidence web"); !strings.Contains(text, "under trial") ||
		!strings.Contains(text, "--cap-add=CHOWN") {
		t.Errorf("evidence at once: %s", text)
	}
}

// triesAndStops leaves nothing behind.
func triesAndStops(t *testing.T, m *vm.Machine) {
	trialLifts(t, m)
	m.Shell(t, program+" trial --stop web; docker rm -f web beside; rm -rf /var/lib/dropcap")
}

func trialRestart(t *testing.T, m *vm.Machine) {
	m.Shell(t, "docker restart web")
	x := trialOf(t, m, "web", "started", func(x dropcap.Trial) bool { return x.Starts == 1 })
	if x.State != dropcap.TrialRunning || x.Denied != caps.Of(caps.NetRaw, caps.Mknod) {
		t.Errorf("%+v", x)
	}
	_, stderr, exit := run(t, m, as("", "trial", "web", "--drop", "KILL")...)
	if exit != dropcap.ExitError || !strings.Contains(stderr, "already runs") {
		t.Errorf("a second trial: exit %d, %s", exit, stderr)
	}
}

// mayChown runs a program by docker exec, which is denied like any other and lifts nothing.
func mayChown(t *testing.T, m *vm.Machine, name string) bool {
	t.Helper()
	_, _, exit := run(t, m, "docker", "exec", name, "busybox", "chown", "1", "/tmp")
	return exit == 0
}

func trialLetsGo(t *testing.T, m *vm.Machine) {
	m.Shell(t, "docker run -d --stop-timeout 1 --name idle busybox:test sh -c "+
		"'busybox mkdir /tmp; exec sleep 1000'")
	for name, end := range map[string]func() dropcap.TrialState{
		"stop": func() dropcap.TrialState {
			m.Shell(t, program+" trial --stop idle")
			return dropcap.TrialStopped
		},
		"kill -9": func() dropcap.TrialState {
			m.Shell(t, "kill -9 $(pgrep -f 'trial --detached.* idle$')")
			return dropcap.TrialDied
		},
		"apply": func() dropcap.TrialState {
			m.Shell(t, program+" apply idle --yes --soak 0s --discard-layer 2>&1")
			return dropcap.TrialStopped
		},
	} {
		try(t, m, "idle", "--drop", "CHOWN")
		if mayChown(t, m, "idle") {
			t.Errorf("%s: nothing is denied", name)
		}
		x := trialOf(t, m, "idle", "running", state(dropcap.TrialRunning))
		if !x.Denied.Has(caps.Chown) {
			t.Errorf("%s: docker exec lifted something: %+v", name, x)
		}
		want := end()
		x = trialOf(t, m, "idle", string(want), state(want))
		if !x.Denied.Empty() || x.Because == "" {
			t.Errorf("%s: %+v", name, x)
		}
		if name != "apply" && !mayChown(t, m, "idle") {
			t.Errorf("%s: the kernel does not let go", name)
		}
	}
}

func trialTrouble(t *testing.T, m *vm.Machine) {
	m.Shell(t, "docker run -d --stop-timeout 1 --name sick --health-cmd 'test ! -e /sick' "+
		"--health-interval 1s --health-retries 1 busybox:test sleep 1000")
	m.Shell(t, "for i in $(seq 60); do docker inspect -f '{{.State.Health.Status}}' sick | "+
		"grep -q '^healthy' && exit 0; sleep 1; done; exit 1")
	m.Shell(t, "docker run -d --name crash busybox:test sh -c 'while [ ! -e /crash ]; do sleep 1; "+
		"done; exit 7'")
	m.Shell(t, "docker create --name frail busybox:test sh -c '>/f; exec busybox chown 1 /f'")
	try(t, m, "frail", "--drop", "CHOWN,KILL")
	m.Shell(t, "docker start frail; [ $(docker wait frail) != 0 ]")
	x := trialOf(t, m, "frail", "lifted", state(dropcap.TrialLifted))
	if l := x.Lifted[0]; l.Caps != caps.Of(caps.Chown) || l.By == nil || !l.Started {
		t.Errorf("what ended before anybody could look: %+v", x)
	}
	try(t, m, "sick", "crash", "--drop", "NET_RAW,KILL")
	m.Shell(t, "docker exec sick busybox touch /sick; docker exec crash busybox touch /crash")
	for name, because := range map[string]string{
		"sick": "unhealthy", "crash": "ended by itself, with status 7",
	} {
		x := trialOf(t, m, name, "lifted", state(dropcap.TrialLifted))
		if lifted(x) != caps.Of(caps.NetRaw, caps.Kill) || !strings.Contains(x.Because, because) {
			t.Errorf("%s: %+v", name, x)
		}
	}
}
