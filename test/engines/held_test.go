package engines_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// shedder runs a program that gives up capabilities, and waits until it has.
func (b *bench) shedder(t *testing.T, what string, add, drop []string) dropcap.Judged {
	t.Helper()
	id := b.RunContainer(t, "", jsonBody(map[string]any{
		"Image": image, "Cmd": []string{"/sheds", what},
		"HostConfig": map[string]any{"Binds": []string{built(t, "sheds") + ":/sheds:ro"},
			"CapAdd": add, "CapDrop": drop, "NetworkMode": "none"},
	}))
	dockertest.Eventually(t, 10*time.Second, "giving up", func() bool {
		s := b.State(t, id)
		if !s.Running {
			t.Fatalf("the program ended: %+v", s)
		}
		said, err := b.CLI("logs", id)
		return err == nil && strings.Contains(said, "ready")
	})
	return b.one(t, id)
}

// set reads one set of a process, independently of dropcap: "CapEff", "CapPrm" …
func set(t *testing.T, pid int, name string) caps.Set {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n"+name+":\t")
	mask, _, _ := strings.Cut(rest, "\n")
	s, err := caps.ParseMask(mask)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A program without a bounding set has a raw socket open, and what it was granted.
func unbound(t *testing.T, b *bench) {
	admins := caps.Of(caps.NetAdmin, caps.SysAdmin, caps.NetRaw, caps.Setpcap)
	c := b.shedder(t, "bounding", []string{"NET_ADMIN", "SYS_ADMIN", "NET_RAW", "SETPCAP"},
		[]string{"ALL"})
	if bounding(t, c.PID) != 0 || set(t, c.PID, "CapEff") != admins {
		t.Fatalf("bounding %s, effective %s: this test tests nothing", bounding(t, c.PID),
			set(t, c.PID, "CapEff"))
	}
	if *c.Kernel.Held != admins || *c.Holds() != admins || !c.GaveUp().Empty() {
		t.Errorf("held %s, given up %s; want %s and none", c.Kernel.Held, c.GaveUp(), admins)
	}
	if c.Verdict != dropcap.Fail || finding(c, dropcap.RuleAdded) == nil ||
		finding(c, dropcap.RuleNetRaw) == nil || finding(c, dropcap.RuleDrift) != nil {
		t.Errorf("%s with %+v", c.Verdict, c.Findings)
	}
	// The program itself reports it too.
	got := b.programAudit(t, dropcap.ExitFindings, c.ID).Containers[0]
	if got.Verdict != dropcap.Fail || *got.Holds() != admins {
		t.Errorf("the program says %s, %s", got.Verdict, got.Holds())
	}
}

// What the first process gives up is present again in each exec.
func gaveUp(t *testing.T, b *bench) {
	c := b.shedder(t, "raw", nil, nil)
	raw := caps.Of(caps.NetRaw)
	if c.Holds().Has(caps.NetRaw) || c.GaveUp() != raw || c.Predicted == nil ||
		*c.Predicted != caps.DockerDefaults {
		t.Errorf("held %s, predicted %s, given up %s", c.Holds(), c.Predicted, c.GaveUp())
	}
	f := finding(c, dropcap.RuleNetRaw)
	if c.Verdict != dropcap.Fail || f == nil || f.Caps != raw ||
		!strings.Contains(f.Because, "gave it up, but a restart, an exec or a health check") {
		t.Errorf("%s with %+v", c.Verdict, c.Findings)
	}
	pid := b.exec(t, c.ID, false, "tail", "-f", "/dev/null")
	if !bounding(t, pid).Has(caps.NetRaw) {
		t.Fatal("an exec does not get NET_RAW back: the finding is wrong")
	}
	c = b.one(t, c.ID)
	if f := finding(c, dropcap.RuleNetRaw); !c.GaveUp().Empty() || f == nil ||
		strings.Contains(f.Because, "gave it up") {
		t.Errorf("while an exec has it: given up %s, %+v", c.GaveUp(), c.Findings)
	}
	clean(t, b.shedder(t, "all", nil, []string{"NET_RAW"}))
}

// The first process enters a user namespace of its own and gives up everything there; a process
// that it left behind in the container's namespace still has what it had.
func TestLeftBehindInTheUserNamespaceOfARemappedEngine(t *testing.T) {
	b := start(t, dockertest.Docker29, dockertest.UsernsRemap())
	id := b.RunContainer(t, "", jsonBody(map[string]any{
		"Image": image,
		"Cmd": []string{"sh", "-c",
			"busybox mkfifo /tmp/go; tail -f /dev/null & read x < /tmp/go; " +
				"exec busybox unshare --user --map-root-user /sheds all"},
		"HostConfig": map[string]any{
			"Binds": []string{built(t, "sheds") + ":/sheds:ro"}, "NetworkMode": "none",
			"SecurityOpt": []string{"seccomp=unconfined"},
		},
	}))
	first := b.State(t, id).Pid
	left := child(t, first, "tail")
	b.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"sh", "-c", "echo go > /tmp/go"}})
	dockertest.Eventually(t, 10*time.Second, "giving up", func() bool {
		return comm(first) == "sheds" && set(t, first, "CapPrm").Empty()
	})

	c := b.one(t, id)
	if p := entry(t, c, first); p.UserNS != dropcap.UserNSOwn || set(t, first, "CapBnd") != 0 {
		t.Errorf("the first process is seen as %+v", p)
	}
	if p := entry(t, c, left); p.UserNS != dropcap.UserNSOther ||
		set(t, left, "CapEff") != caps.DockerDefaults {
		t.Errorf("what was left behind is seen as %+v", p)
	}
	if *c.Kernel.Held != caps.DockerDefaults || c.Kernel.Nested != nil ||
		c.Verdict != dropcap.Fail {
		t.Errorf("held %s, nested %v, %s; want the defaults, none, fail", c.Kernel.Held,
			c.Kernel.Nested, c.Verdict)
	}
}

// A namespace within the container's own is reported separately: what is held there is neither
// drift nor hidden.
func TestWithinTheUserNamespaceOfAContainer(t *testing.T) {
	b := start(t, dockertest.Docker29, dockertest.UsernsRemap())
	id := b.RunContainer(t, "", jsonBody(map[string]any{
		"Image": image,
		"Cmd": []string{"sh", "-c",
			"busybox unshare --user --map-root-user tail -f /dev/null & wait"},
		"HostConfig": map[string]any{
			"CapDrop": []string{"NET_RAW"}, "NetworkMode": "none",
			"SecurityOpt": []string{"seccomp=unconfined"},
		},
	}))
	within := child(t, b.State(t, id).Pid, "tail")
	c := b.one(t, id)
	clean(t, c)
	if p := entry(t, c, within); p.UserNS != dropcap.UserNSNested {
		t.Errorf("the process within is seen as %+v", p)
	}
	if *c.Kernel.Held != *c.Predicted || c.Kernel.Nested == nil ||
		*c.Kernel.Nested != set(t, within, "CapBnd") || c.Kernel.Nested.Empty() {
		t.Errorf("held %s, nested %v", c.Kernel.Held, c.Kernel.Nested)
	}
	if out, _ := b.program(t, "audit", id); !strings.Contains(string(out),
		fmt.Sprintf("-NET_RAW (%d nested)", c.Kernel.Nested.Len())) {
		t.Errorf("the table hides it:\n%s", out)
	}
}
