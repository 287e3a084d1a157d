package vm_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/test/install"
	"dropcap/test/vm"
)

const program = "/usr/local/bin/dropcap"

// onHost runs the real program where engine 20.10 has every capability to grant: with systemd's
// cgroups, cgroup v2 and AppArmor. The containers plain, privileged (--privileged) and all
// (--cap-add ALL) run, with a privileged exec in plain.
func onHost(t *testing.T, m *vm.Machine) {
	m.PutBinary(t, "./cmd/dropcap", program)
	m.Shell(t, "docker run -d --stop-timeout 1 --name none --cap-drop ALL busybox:test sleep 1000")
	m.Shell(t, "useradd ada; usermod -aG docker ada; useradd bob")
	for _, c := range []struct {
		name string
		test func(*testing.T, *vm.Machine)
	}{
		{"sees all that engine 20.10 can grant", seesAll},
		{"finds a privileged exec until it ends", findsExec},
		{"tells a user in group docker the same", groupDocker},
		{"tells a user without permission why", noPermission},
		{"tells what it stands on", doctor},
		{"refuses a policy that others may write", writablePolicy},
		{"tries without what a program needs, and lifts it", triesAndStops},
		{"says nothing wrong while the engine restarts", engineRestarts},
		// last, and with DROPCAP_TEST_FULL only: an emulated engine takes its time over it
		{"learns as a service", asService},
	} {
		if c.name == "learns as a service" && !install.Full() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			c.test(t, m)
			t.Logf("took %.1f s", time.Since(began).Seconds())
		})
	}
}

// run runs a command in the machine. Only a failure to run it at all is fatal.
func run(t *testing.T, m *vm.Machine, argv ...string) (stdout, stderr string, exit int) {
	t.Helper()
	out, problem, exit, err := m.Run(t.Context(), argv...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), string(problem), exit
}

// as returns a command line of the program run by a user; root if the name is empty.
func as(user string, args ...string) []string {
	if user == "" {
		return append([]string{program}, args...)
	}
	return append([]string{"runuser", "-u", user, "--", program}, args...)
}

// audit runs dropcap audit and returns its containers by name.
func audit(t *testing.T, m *vm.Machine, user string, want int,
	args ...string) (a dropcap.Audit, byName map[string]dropcap.Judged) {
	t.Helper()
	stdout, stderr, exit := run(t, m,
		as(user, append([]string{"audit", "--format", "json"}, args...)...)...)
	if exit != want {
		t.Fatalf("exit %d of %v as %q, want %d: %s%s", exit, args, user, want, stderr, stdout)
	}
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	byName = map[string]dropcap.Judged{}
	for _, c := range a.Containers {
		byName[c.Name] = c
	}
	return a, byName
}

func rules(c dropcap.Judged) map[dropcap.Rule]dropcap.Finding {
	found := map[dropcap.Rule]dropcap.Finding{}
	for _, f := range c.Findings {
		found[f.Rule] = f
	}
	return found
}

func seesAll(t *testing.T, m *vm.Machine) {
	a, c := audit(t, m, "", dropcap.ExitFindings)
	e := a.Host.Engine
	if !strings.HasPrefix(e.Version, "20.10.") || a.Host.Cgroup != "v2" ||
		!strings.Contains(strings.Join(a.Host.LSM, " "), "apparmor") {
		t.Errorf("the host is told as engine %s, cgroup %s, LSM %v", e.Version, a.Host.Cgroup,
			a.Host.LSM)
	}
	if g := a.Host.Grantable; g == nil || g.Mask() != all2010 || a.Host.GrantableFrom != "engine" {
		t.Errorf("ALL is told as %v (from %q), want %s", g, a.Host.GrantableFrom, all2010)
	}
	for name, want := range map[string]struct {
		predicted, bounding string
		rule                dropcap.Rule
		verdict             dropcap.Verdict
	}{
		"privileged": {all2010, all2010, dropcap.RulePrivileged, dropcap.Fail},
		"all":        {all2010, all2010, dropcap.RuleAdded, dropcap.Fail},
		"plain":      {caps.DockerDefaults.Mask(), all2010, dropcap.RuleDrift, dropcap.Fail},
		"none":       {caps.Set(0).Mask(), caps.Set(0).Mask(), "", dropcap.Pass},
	} {
		got := c[name]
		if got.Predicted == nil || !got.Kernel.Visible || got.Kernel.Bounding == nil {
			t.Errorf("%s was not seen: %+v", name, got)
			continue
		}
		if p, b := got.Predicted.Mask(), got.Kernel.Bounding.Mask(); p != want.predicted ||
			b != want.bounding {
			t.Errorf("%s: predicted %s, bounding %s, want %s, %s", name, p, b, want.predicted,
				want.bounding)
		}
		if init := got.Kernel.Processes[0]; init.Bounding != want.predicted ||
			init.Origin != dropcap.OriginInit {
			t.Errorf("%s: its first process is %+v, want %s", name, init, want.predicted)
		}
		if _, ok := rules(got)[want.rule]; got.Verdict != want.verdict || want.rule != "" && !ok {
			t.Errorf("%s: %s with %v, want %s with %s", name, got.Verdict, got.Findings,
				want.verdict, want.rule)
		}
	}
	audit(t, m, "", dropcap.ExitOK, "none")
}

func findsExec(t *testing.T, m *vm.Machine) {
	_, c := audit(t, m, "", dropcap.ExitFindings, "plain")
	pid := strings.TrimSpace(m.Shell(t, "pgrep -f '^sleep 2000$'"))
	drift := rules(c["plain"])[dropcap.RuleDrift]
	if !strings.Contains(drift.Because, "process "+pid+" (sleep)") ||
		!strings.Contains(drift.Because, "--privileged") {
		t.Errorf("drift because %q, want process %s (sleep) and its way", drift.Because, pid)
	}
	last := c["plain"].Kernel.Processes[len(c["plain"].Kernel.Processes)-1]
	if last.Origin != dropcap.OriginExecPrivileged || last.Bounding != all2010 {
		t.Errorf("the exec is seen as %+v", last)
	}
	m.Shell(t, "docker exec -d --privileged none sleep 3000; until pgrep -f '^sleep 3000$'; do "+
		"sleep 0.2; done")
	if _, c := audit(t, m, "", dropcap.ExitFindings, "none"); c["none"].Verdict != dropcap.Fail {
		t.Errorf("a container without capabilities and with a privileged exec: %s",
			c["none"].Verdict)
	}
	m.Shell(t, "pkill -f '^sleep [23]000$'; while pgrep -f '^sleep [23]000$'; do sleep 0.2; done")
	_, c = audit(t, m, "", dropcap.ExitFindings, "plain")
	if got := c["plain"].Kernel.Bounding.Mask(); got != caps.DockerDefaults.Mask() {
		t.Errorf("after the exec plain holds %s", got)
	}
	audit(t, m, "", dropcap.ExitOK, "none")
}

// A user who may ask the engine may read other users' sets too: everybody can read /proc/PID/status
// and cgroup.
func groupDocker(t *testing.T, m *vm.Machine) {
	_, root := audit(t, m, "", dropcap.ExitFindings)
	_, ada := audit(t, m, "ada", dropcap.ExitFindings)
	if len(ada) != len(root) {
		t.Fatalf("ada sees %d containers, root %d", len(ada), len(root))
	}
	for name, want := range root {
		got := ada[name]
		if got.Verdict != want.Verdict && got.Verdict != dropcap.Unknown ||
			got.Verdict == dropcap.Unknown && got.Kernel.WhyNot == "" {
			t.Errorf("%s: ada is told %s (%s), root %s", name, got.Verdict, got.Kernel.WhyNot,
				want.Verdict)
		}
		if got.Kernel.Bounding == nil || *got.Kernel.Bounding != *want.Kernel.Bounding {
			t.Errorf("%s: ada sees %v (%s), root %s", name, got.Kernel.Bounding, got.Kernel.WhyNot,
				want.Kernel.Bounding)
		}
	}
}

func noPermission(t *testing.T, m *vm.Machine) {
	stdout, stderr, exit := run(t, m, as("bob", "audit")...)
	if exit != dropcap.ExitHost || stdout != "" {
		t.Errorf("exit %d, want %d; it printed %q", exit, dropcap.ExitHost, stdout)
	}
	oneSentence(t, stderr)
	if !strings.Contains(stderr, "dropcap: hint: ") || !strings.Contains(stderr, "docker") ||
		!strings.Contains(stderr, "permi") {
		t.Errorf("a user without permission is told %q", stderr)
	}
}

// checks runs dropcap doctor and returns its findings by name.
func checks(t *testing.T, m *vm.Machine, user string, want int) map[string]dropcap.Check {
	t.Helper()
	stdout, stderr, exit := run(t, m, as(user, "doctor", "--format", "json")...)
	if exit != want {
		t.Errorf("doctor as %q: exit %d, want %d: %s%s", user, exit, want, stderr, stdout)
	}
	var r dropcap.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	found := map[string]dropcap.Check{}
	for _, c := range r.Checks {
		found[c.Name] = c
	}
	return found
}

// A whole host has all that dropcap needs. A user without permission does not, and is told the
// remedy.
func doctor(t *testing.T, m *vm.Machine) {
	for name, c := range checks(t, m, "", dropcap.ExitOK) {
		if c.Status == dropcap.CheckMissing {
			t.Errorf("%s: missing: %s", name, c.Detail)
		}
	}
	missing := 0
	for _, c := range checks(t, m, "bob", dropcap.ExitHost) {
		if c.Status == dropcap.CheckMissing {
			missing++
			if c.Remedy == "" {
				t.Errorf("%s: %s, without a remedy", c.Name, c.Detail)
			}
		}
	}
	if missing == 0 {
		t.Error("a user without permission misses nothing")
	}
}

// oneSentence checks that a failing program's output has the form of an error.
func oneSentence(t *testing.T, stderr string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "dropcap: error: cannot ") || len(lines) > 2 ||
		len(lines) == 2 && !strings.HasPrefix(lines[1], "dropcap: hint: ") {
		t.Errorf("not one sentence and a hint: %q", stderr)
	}
}

func writablePolicy(t *testing.T, m *vm.Machine) {
	const file = "/etc/dropcap/policy.yaml"
	m.Put(t, file, []byte("level: cis\nkeep:\n  - capabilities: [ALL]\n    reason: nothing is "+
		"wrong here\n"), 0o644)
	for _, c := range []struct{ spoil, why string }{
		{"chown root:root " + file + "; chmod 666 " + file, "policy"},
		{"chown ada:ada " + file + "; chmod 644 " + file, "user"},
		{"chown root:docker " + file + "; chmod 664 " + file, "policy"},
	} {
		m.Shell(t, c.spoil)
		stdout, stderr, exit := run(t, m, program, "audit")
		if exit != dropcap.ExitError || stdout != "" ||
			!strings.Contains(stderr, "cannot trust the policy "+file) ||
			!strings.Contains(stderr, c.why) {
			t.Errorf("after %q: exit %d, %q%q", c.spoil, exit, stdout, stderr)
		}
		oneSentence(t, stderr)
	}
	m.Shell(t, "rm -r /etc/dropcap")
}

// Audits that run while the engine stops, is down and comes back either answer correctly or report
// in one sentence that they cannot.
func engineRestarts(t *testing.T, m *vm.Machine) {
	restarted := make(chan bool)
	var auditors sync.WaitGroup
	var mu sync.Mutex
	exits := map[int]int{}
	for range 2 {
		auditors.Go(func() {
			for range 100 {
				stdout, stderr, exit, err := m.Run(t.Context(), program, "audit", "--format",
					"json", "--timeout", "2s")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				exits[exit]++
				mu.Unlock()
				midRestart(t, string(stdout), string(stderr), exit)
				select {
				case <-restarted:
					return
				default:
				}
			}
		})
	}
	m.Shell(t, "systemctl restart docker")
	close(restarted)
	auditors.Wait()
	t.Logf("exit statuses: %v", exits)
	if _, c := audit(t, m, "", dropcap.ExitFindings); c["none"].Verdict != dropcap.Pass ||
		c["none"].Running() {
		t.Errorf("after the restart none is %s and %s", c["none"].State, c["none"].Verdict)
	}
}

func midRestart(t *testing.T, stdout, stderr string, exit int) {
	t.Helper()
	if exit == dropcap.ExitError || exit == dropcap.ExitHost {
		oneSentence(t, stderr)
		return
	}
	if exit != dropcap.ExitFindings && exit != dropcap.ExitIncomplete {
		t.Errorf("exit %d: %s", exit, stderr)
		return
	}
	var a dropcap.Audit
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Errorf("%v in %s", err, stdout)
		return
	}
	if len(a.Containers) != 4 {
		t.Errorf("%d containers where there are 4", len(a.Containers))
	}
	for _, got := range a.Containers {
		name := got.Name
		right := got.Verdict == dropcap.Unknown || (got.Verdict == dropcap.Pass) == (name == "none")
		if _, drifts := rules(got)[dropcap.RuleDrift]; drifts || !right {
			t.Errorf("%s in state %s: %s with %v", name, got.State, got.Verdict, got.Findings)
		}
	}
}

// onBareKernel: the static program starts on an old kernel, and reports that there is no engine.
func onBareKernel(t *testing.T, m *vm.Machine) {
	m.PutBinary(t, "./cmd/dropcap", program)
	if stdout, stderr, exit := run(t, m, program, "version"); exit != dropcap.ExitOK ||
		!strings.HasPrefix(stdout, "dropcap ") {
		t.Errorf("version: exit %d, %q%q", exit, stdout, stderr)
	}
	stdout, stderr, exit := run(t, m, program, "audit")
	if exit != dropcap.ExitHost || stdout != "" {
		t.Errorf("audit without an engine: exit %d, want %d; %q", exit, dropcap.ExitHost, stdout)
	}
	oneSentence(t, stderr)
	found := checks(t, m, "", dropcap.ExitHost)
	if btf := found["BTF"]; btf.Status != dropcap.CheckOK ||
		found["root"].Status != dropcap.CheckOK {
		t.Errorf("doctor says %+v and %+v of a kernel with BTF, as root", btf, found["root"])
	}
	t.Logf("doctor says of eBPF here: %s", found["eBPF"].Detail)
}
