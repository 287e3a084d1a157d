package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

func TestARunAndItsBackout(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa",
		says: map[string]dropcap.Receipt{"backout": needsPerson}},
		&actor{id: nodeB, plan: "bbbbbbbbbbbb"}
	d := startDouble(t, a, b)
	run := ""
	t.Run("one controller", func(t *testing.T) { run = d.oneController(t, a) })
	t.Run("a person is needed", func(t *testing.T) { d.aPersonIsNeeded(t, run, a, b) })
}

// oneController: another controller that wants to continue a run, or to back it out, learns who has
// it, and what to do; a killed controller no longer has it.
func (d *double) oneController(t *testing.T, a *actor) string {
	gate := filepath.Join(t.TempDir(), "gate")
	// the probe outlives a killed controller
	t.Cleanup(func() { _ = os.WriteFile(gate, nil, 0o600) })
	cmd, out := d.background(t, "wave 1 of 1: 2 of 2:", "fleet", "apply", d.planned(), "--yes",
		"--rate", "200",
		"--probe", `sh -c 'until [ -e `+gate+` ]; do sleep 0.05; done'`)
	run := runID(t, out.String())
	for _, args := range [][]string{{"fleet", "resume", run}, {"fleet", "backout", run, "--yes"},
		{"fleet", "backout", run}} {
		r := d.run(t, args...)
		r.wantError(t, dropcap.ExitError, "cannot go on with run "+run+": process ")
		says(t, r.err, " does so already\n",
			"hint: wait until it is done, or stop it; `dropcap fleet status "+run+
				"` shows how far it is")
	}
	if a.done["backout"] > 0 {
		t.Error("it was backed out all the same")
	}
	// it needs the audit from before
	d.ends(0, "fleet", "prune", "--older-than", "0s", "--all", "--yes")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// It is watched until it is old enough to be judged.
	says(t, d.ends(dropcap.ExitIncomplete, "fleet", "status", "--watch", run),
		"warning: no process is at work on run "+run+" any more: `dropcap fleet resume "+run+
			"` goes on")
	says(t, d.ends(0, "fleet", "resume", run), "wave 1 of 1: passed")
	if a.done["apply"] != 1 {
		t.Errorf("it did %v", a.done)
	}
	return run
}

// needsPerson is the receipt of a backout that could not restore the old container.
var needsPerson = dropcap.Receipt{Status: dropcap.ExitPerson,
	Document: changed(dropcap.NeedsPerson), Summary: "1 change: 1 needs-person",
	Error: &dropcap.Failing{Code: dropcap.CodePerson,
		Message: "cannot back out web: its old container is gone",
		Hint:    "`dropcap history 0123456789ab` tells what is there"}}

// aPersonIsNeeded: a host that needs a person does not stop the backout of others, and the status
// says that a person is needed.
func (d *double) aPersonIsNeeded(t *testing.T, run string, a, b *actor) {
	text := d.ends(dropcap.ExitPerson, "fleet", "backout", run, "--yes", "--max-concurrency", "1")
	says(t, text, "\nbackout: 1 of 2 hosts failed\n", "needs-person",
		nodeA+": person: cannot back out web: its old container is gone",
		"fix: `dropcap history 0123456789ab` tells what is there",
		"dropcap: error: cannot back out all of run "+run+
			": it was taken back; the backout failed on 1 of 2 hosts",
		"dropcap: hint: `dropcap fleet status ")
	if b.done["backout"] != 1 {
		t.Errorf("the other host did %v", b.done)
	}
	delete(a.says, "backout") // a person has been there
	d.ends(0, "fleet", "backout", run, "--yes")
}

// The same for a run that backs out by itself.
func TestAnAutomaticBackoutThatNeedsAPersonSaysSo(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa",
		says: map[string]dropcap.Receipt{"backout": needsPerson}},
		&actor{id: nodeB, plan: "bbbbbbbbbbbb"}
	d := startDouble(t, a, b)
	failing, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	text := d.ends(dropcap.ExitPerson, "fleet", "apply", d.planned(), "--yes", "--auto-backout",
		"--probe", failing)
	run := runID(t, text)
	says(t, text, "dropcap: error: cannot finish run "+run+": ", "the probe failed",
		"the backout failed on 1 of 2 hosts")
	if b.done["backout"] != 1 {
		t.Errorf("the other host did %v", b.done)
	}
	d.ends(dropcap.ExitPerson, "fleet", "status", run)
	delete(a.says, "backout") // a person has been there
	d.ends(dropcap.ExitRolledBack, "fleet", "resume", run)
	d.ends(dropcap.ExitRolledBack, "fleet", "status", run)
}

// A run stopped by a gate ends with the worst status of its hosts, and with an error if they have
// nothing to report.
func TestAStoppedRunEndsAsItsHostsSay(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa", says: map[string]dropcap.Receipt{}},
		&actor{id: nodeB, plan: "bbbbbbbbbbbb"}
	d := startDouble(t, a, b)
	plan := d.planned()
	for _, c := range []struct {
		says   dropcap.Receipt
		status int
	}{
		{dropcap.Receipt{Status: dropcap.ExitError, Error: &dropcap.Failing{Code: dropcap.CodeError,
			Message: "cannot apply"}}, dropcap.ExitError},
		{dropcap.Receipt{Status: dropcap.ExitRolledBack, Document: changed(dropcap.RolledBack),
			Error: &dropcap.Failing{Code: dropcap.CodeRolledBack, Message: "cannot change web"}},
			dropcap.ExitRolledBack},
		{needsPerson, dropcap.ExitPerson},
	} {
		a.says["apply"] = c.says
		says(t, d.ends(c.status, "fleet", "apply", plan, "--yes"),
			"dropcap: error: cannot finish run ", "1 of 2 hosts failed, and --max-errors is 0")
	}
}

// A node that is gone, or prints too much, does not keep the others' results from AWS's consoles.
func TestOneRefusedNodeKeepsNoOtherFromBeingExported(t *testing.T) {
	t.Parallel()
	d := startDouble(t, &actor{id: nodeA}, &actor{id: nodeB})
	d.refuse = func(operation, body string) string {
		if operation == "PutComplianceItems" && strings.Contains(body, nodeA) {
			return "InvalidResourceId"
		}
		return ""
	}
	text := d.ends(dropcap.ExitIncomplete, "fleet", "audit", "--targets", "all", "--export",
		"ssm-compliance", "--export", "security-hub")
	says(t, text, "warning: cannot put the compliance of "+nodeA+
		" in 111122223333/us-east-1: InvalidResourceId", "SSM Compliance: 1 node",
		"Security Hub: 0 findings")
}

// AWS's description of nodes suffices to leave some out: they are named, with what to do, and the
// others are asked all the same.
func TestNodesThatCannotBeAskedAreSkippedAndNamed(t *testing.T) {
	t.Parallel()
	a := &actor{id: nodeA}
	d := startDouble(t, a)
	for _, n := range []cloud.Node{
		{ID: "i-000000000000000aa", AgentVersion: "2.0.350.0"},
		{ID: "mi-000000000000000bb", Platform: "Windows",
			PlatformName: "Microsoft Windows Server 2022 Datacenter"},
		{ID: "i-000000000000000cc", Gone: true},
	} {
		d.cloud.Add(n)
	}
	text := d.ends(dropcap.ExitIncomplete, "fleet", "audit", "--targets", "all")
	says(t, text, "1 host, 0 containers; 3 hosts failed",
		"agent: 1 host: i-000000000000000aa",
		"its agent is of version 2.0.350.0, which does not know dropcap's documents",
		"fix: bring amazon-ssm-agent to 2.0.357 or later",
		"platform: 1 host: mi-000000000000000bb", "it runs Windows: skipped",
		"fix: leave it out of --targets",
		"offline: 1 host: i-000000000000000cc", "its agent does not answer the service (last ping ",
		"nothing was sent", "fix: see that the instance runs")
	if a.done["audit"] != 1 || len(d.all()) != 1 || strings.Contains(fmt.Sprint(d.all()),
		"i-000000000000000cc") {
		t.Errorf("%v was sent", d.all())
	}
}

// A fleet of several versions is changed only on request.
func TestAFleetOfSeveralVersionsIsNotChanged(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa"}, &actor{id: nodeB, plan: "bbbbbbbbbbbb",
		version: "0.0.1"}
	d := startDouble(t, a, b)
	says(t, d.ends(0, "fleet", "ls"), " 0.0.1\n", " "+a.version+"\n")
	text := d.ends(dropcap.ExitError, "fleet", "apply", d.planned(), "--yes")
	says(t, text, "dropcap: error: cannot finish run ",
		": wave 1 of 1 was not begun: 1 host of another version than "+a.version,
		nodeB+" runs 0.0.1", "`dropcap fleet install` brings it, --any-version goes on without",
		"hint: nothing was sent to any host; `dropcap fleet resume "+runID(t, text)+
			"` tries again\n")
	if a.done["apply"]+b.done["apply"] > 0 {
		t.Errorf("they did %v and %v", a.done, b.done)
	}
}

// realNode runs what it receives in a shell, with this dropcap, a fake engine and a store of its
// own.
func realNode(t *testing.T, store string) func(string) (string, string, int) {
	t.Helper()
	e := pair(t)
	bin := t.TempDir()
	if err := os.Symlink(testenv.Binary(t), filepath.Join(bin, "dropcap")); err != nil {
		t.Fatal(err)
	}
	return func(script string) (string, string, int) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=/nonexistent",
			"DROPCAP_STORE=" + store, "DOCKER_HOST=" + e.Host, "AWS_SSM_INSTANCE_ID=" + nodeA}
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // its status decides
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
}

// A node with a full disk begins nothing, and the controller learns why; with room again it
// continues.
func TestAFleetWithAFullDisk(t *testing.T) {
	t.Parallel()
	disk := testenv.SmallDisk(t, "512k")
	a, b := &actor{id: nodeA, lines: realNode(t, filepath.Join(disk, "store"))}, &actor{id: nodeB}
	d := startDouble(t, a, b)
	says(t, d.ends(dropcap.ExitFindings, "fleet", "audit", "--targets", "all"),
		"2 hosts, 2 containers: 1 pass, 1 fail")
	filler := filepath.Join(disk, "filler")
	testenv.Fill(t, filler)
	text := d.ends(dropcap.ExitError, "fleet", "audit", "--targets", "all")
	says(t, text, "1 host, 0 containers; 1 host failed", "error: 1 host: "+nodeA,
		"the disk is full", "fix: ")
	// which is not sent to be done twice
	text = d.ends(dropcap.ExitError, "fleet", "learn", "--targets", "all", "--for", "1s")
	says(t, text, nodeA, "the disk is full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d.ends(dropcap.ExitFindings, "fleet", "audit", "--targets", "all")
}
