package engines_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

var dropAll = body(declaration{Drop: []string{"ALL"}})

func privilegedExec(t *testing.T, b *bench) {
	id := b.RunContainer(t, "quiet", dropAll)
	clean(t, b.one(t, id))
	pid := b.exec(t, id, true, "tail", "-f", "/dev/null")
	granted := bounding(t, pid)

	c := b.one(t, id)
	if c.Verdict != dropcap.Fail || *c.Kernel.Bounding != granted || granted.Empty() {
		t.Errorf("verdict %s, bounding %s; the exec holds %s", c.Verdict, c.Kernel.Bounding,
			granted)
	}
	if p := entry(t, c, pid); p.Origin != dropcap.OriginExecPrivileged || p.Comm != "tail" ||
		p.Bounding != granted.Mask() {
		t.Errorf("the exec is seen as %+v", p)
	}
	if p := entry(t, c, c.PID); p.Origin != dropcap.OriginInit || p.Bounding != caps.Set(0).Mask() {
		t.Errorf("the first process is seen as %+v", p)
	}
	f := finding(c, dropcap.RuleDrift)
	if f == nil {
		t.Fatalf("no drift among %+v", c.Findings)
	}
	if f.Caps != granted || !strings.Contains(f.Because, fmt.Sprintf("process %d (tail)", pid)) ||
		!strings.Contains(f.Because, "docker exec --privileged") {
		t.Errorf("drift of %s because %q", f.Caps, f.Because)
	}
	if !strings.Contains(f.Fix, "kill "+strconv.Itoa(pid)) {
		t.Errorf("it is to be mended by %q", f.Fix)
	}
	end(t, pid, "tail")
	clean(t, b.one(t, id))
}

func ordinaryExec(t *testing.T, b *bench) {
	quiet, usual := b.RunContainer(t, "", dropAll),
		b.RunContainer(t, "", body(declaration{Drop: []string{"NET_RAW"}}))
	for _, id := range []string{quiet, usual} {
		pid := b.exec(t, id, false, "tail", "-f", "/dev/null")
		c := b.one(t, id)
		clean(t, c)
		if p := entry(t, c, pid); p.Origin != dropcap.OriginExec ||
			p.Bounding != c.Predicted.Mask() {
			t.Errorf("the exec is seen as %+v, where %s is predicted", p, c.Predicted)
		}
	}
}

// child waits for a process's child of that name.
func child(t *testing.T, pid int, name string) (found int) {
	t.Helper()
	dockertest.Eventually(t, 10*time.Second, "child "+name, func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		for _, word := range strings.Fields(string(text)) {
			if n, _ := strconv.Atoi(word); comm(n) == name {
				found = n
			}
		}
		return found > 0
	})
	return found
}

func execChildren(t *testing.T, b *bench) {
	id := b.RunContainer(t, "", body(declaration{}))
	own := b.RunContainer(t, "", `{"Image":"`+image+
		`","Cmd":["sh","-c","tail -f /dev/null & wait"]}`)
	for _, x := range []struct {
		privileged bool
		origin     string
	}{{false, dropcap.OriginExec}, {true, dropcap.OriginExecPrivileged}} {
		pid := b.exec(t, id, x.privileged, "sh", "-c", "sh -c 'tail -f /dev/null & wait' & wait")
		middle := child(t, pid, "sh")
		leaf := child(t, middle, "tail")
		c := b.one(t, id)
		for _, p := range []int{pid, middle, leaf} {
			if got := entry(t, c, p).Origin; got != x.origin {
				t.Errorf("process %d (%s) has origin %s, want %s", p, comm(p), got, x.origin)
			}
		}
		end(t, leaf, "tail")
	}
	c := b.one(t, own)
	if got := entry(t, c, child(t, c.PID, "tail")).Origin; got != dropcap.OriginChild {
		t.Errorf("what the container itself starts has origin %s", got)
	}
}

// An orphan is then a child of the container's first process, and only its sets show where it came
// from.
func execOrphan(t *testing.T, b *bench) {
	id := b.RunContainer(t, "", dropAll)
	b.Exec(t, id, dockertest.ExecOptions{Privileged: true,
		Cmd: []string{"sh", "-c", "trap '' HUP; tail -f /dev/null >/dev/null 2>&1 & exit 0"}})
	pid := child(t, b.State(t, id).Pid, "tail")
	c := b.one(t, id)
	f := finding(c, dropcap.RuleDrift)
	if f == nil || c.Verdict != dropcap.Fail ||
		!strings.Contains(f.Because, fmt.Sprintf("process %d (tail)", pid)) {
		t.Errorf("verdict %s with %+v; process %d holds %s", c.Verdict, c.Findings, pid,
			bounding(t, pid))
	}
}

func execByProgram(t *testing.T, b *bench) {
	id := b.RunContainer(t, "", dropAll)
	clean(t, b.programAudit(t, dropcap.ExitOK, id).Containers[0])
	pid := b.exec(t, id, true, "tail", "-f", "/dev/null")
	c := b.programAudit(t, dropcap.ExitFindings, id).Containers[0]
	if f := finding(c, dropcap.RuleDrift); f == nil ||
		!strings.Contains(f.Because, fmt.Sprintf("process %d (tail)", pid)) {
		t.Errorf("verdict %s with %+v, want drift by process %d", c.Verdict, c.Findings, pid)
	}
	if len(c.Execs) != 1 || c.Execs[0].PID != pid || !c.Execs[0].Privileged {
		t.Errorf("execs %+v, want a privileged one of process %d", c.Execs, pid)
	}
	end(t, pid, "tail")
	clean(t, b.programAudit(t, dropcap.ExitOK, id).Containers[0])
}

func privileged(t *testing.T, b *bench) {
	has := bounding(t, b.PID)
	for rule, d := range map[dropcap.Rule]declaration{dropcap.RulePrivileged: {Privileged: true},
		dropcap.RuleAdded: {Add: []string{"ALL"}}} {
		id := b.RunContainer(t, "", body(d))
		a := b.judge(t, id)
		c := a.Containers[0]
		if *a.Host.Grantable != has || a.Host.GrantableFrom != "engine" {
			t.Errorf("ALL is told as %s from %q, the engine has %s", a.Host.Grantable,
				a.Host.GrantableFrom, has)
		}
		if *c.Predicted != has || *c.Kernel.Bounding != has || bounding(t, c.PID) != has {
			t.Errorf("%s: predicted %s, seen %s, is %s, want %s", d, c.Predicted, c.Kernel.Bounding,
				bounding(t, c.PID), has)
		}
		if c.Verdict != dropcap.Fail || finding(c, rule) == nil ||
			finding(c, dropcap.RuleDrift) != nil {
			t.Errorf("%s: %s with %+v, want %s and no drift", d, c.Verdict, c.Findings, rule)
		}
	}
}

func threads(t *testing.T, b *bench) {
	program := built(t, "threads")
	id := b.RunContainer(t, "",
		fmt.Sprintf(`{"Image":%q,"Cmd":["/threads"],"HostConfig":{"Binds":["%s:/threads:ro"]}}`,
			image, program))
	pid := b.State(t, id).Pid
	dockertest.Eventually(t, 10*time.Second, "giving up of NET_RAW", func() bool {
		return !bounding(t, pid).Has(caps.NetRaw)
	})
	c := b.one(t, id)
	if len(c.Kernel.Processes) != 2 || *c.Kernel.Bounding != caps.DockerDefaults {
		t.Errorf("bounding %s by %+v, want the defaults by two kinds of threads", c.Kernel.Bounding,
			c.Kernel.Processes)
	}
	if c.Verdict != dropcap.Fail || finding(c, dropcap.RuleNetRaw) == nil {
		t.Errorf("NET_RAW in a thread: %s with %+v", c.Verdict, c.Findings)
	}
}
