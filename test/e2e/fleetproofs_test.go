package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
)

// A run has one controller. Who else wants to go on with it, or to take it back, is told who has it, and what to do; a killed one has it no more.
func TestARunHasOneController(t *testing.T) {
	t.Parallel()
	a := &actor{id: nodeA, plan: "aaaaaaaaaaaa"}
	d := startDouble(t, a)
	plan := d.planned()
	gate := filepath.Join(t.TempDir(), "gate")
	t.Cleanup(func() { _ = os.WriteFile(gate, nil, 0o600) }) // the probe outlives a killed controller
	cmd, out := d.background(t, "wave 1 of 1: 1 of 1:", "fleet", "apply", plan, "--yes", "--rate", "200",
		"--probe", `sh -c 'until [ -e `+gate+` ]; do sleep 0.05; done'`)
	run := runID(t, out.String())
	for _, args := range [][]string{{"fleet", "resume", run}, {"fleet", "backout", run, "--yes"}, {"fleet", "backout", run}} {
		r := d.run(t, args...)
		r.wantError(t, dropcap.ExitError, "cannot go on with run "+run+": process ")
		says(t, r.err, " does so already\n", "hint: wait until it is done, or stop it; `dropcap fleet status "+run+"` shows how far it is")
	}
	if a.done["backout"] > 0 {
		t.Error("it was backed out all the same")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.ends(0, "fleet", "resume", run)
	d.ends(0, "fleet", "backout", run, "--yes")
	if a.done["apply"] != 1 || a.done["backout"] != 1 {
		t.Errorf("it did %v", a.done)
	}
}

// needsPerson is the receipt of a backout that could not put the old container back.
var needsPerson = dropcap.Receipt{Status: dropcap.ExitPerson, Document: changed(dropcap.NeedsPerson), Summary: "1 change: 1 needs-person",
	Error: &dropcap.Failing{Code: dropcap.CodePerson, Message: "cannot back out web: its old container is gone", Hint: "`dropcap history 0123456789ab` tells what is there"}}

// A host that needs a person keeps a backout from no other, and the status says that a person is needed.
func TestABackoutThatNeedsAPersonSaysSo(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa", says: map[string]dropcap.Receipt{"backout": needsPerson}}, &actor{id: nodeB, plan: "bbbbbbbbbbbb"}
	d := startDouble(t, a, b)
	run := runID(t, d.ends(0, "fleet", "apply", d.planned(), "--yes"))
	text := d.ends(dropcap.ExitPerson, "fleet", "backout", run, "--yes", "--max-concurrency", "1")
	says(t, text, "needs-person", nodeA+": person: cannot back out web: its old container is gone", "its old container is gone",
		"dropcap: error: cannot back out all of run "+run+": it was taken back; the backout failed on 1 of 2 hosts",
		"dropcap: hint: `dropcap fleet status ")
	if b.done["backout"] != 1 {
		t.Errorf("the other host did %v", b.done)
	}
	delete(a.says, "backout") // a person has been there
	d.ends(0, "fleet", "backout", run, "--yes")
}

// The same where the run backs out by itself.
func TestAnAutomaticBackoutThatNeedsAPersonSaysSo(t *testing.T) {
	t.Parallel()
	a, b := &actor{id: nodeA, plan: "aaaaaaaaaaaa", says: map[string]dropcap.Receipt{"backout": needsPerson}}, &actor{id: nodeB, plan: "bbbbbbbbbbbb"}
	d := startDouble(t, a, b)
	failing, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	text := d.ends(dropcap.ExitPerson, "fleet", "apply", d.planned(), "--yes", "--auto-backout", "--probe", failing)
	run := runID(t, text)
	says(t, text, "dropcap: error: cannot finish run "+run+": ", "the probe failed", "the backout failed on 1 of 2 hosts")
	if b.done["backout"] != 1 {
		t.Errorf("the other host did %v", b.done)
	}
	d.ends(dropcap.ExitPerson, "fleet", "resume", run)
	delete(a.says, "backout")
	d.ends(dropcap.ExitRolledBack, "fleet", "resume", run)
}

// A node that is gone, or says too much, keeps no other's result from where AWS shows it.
func TestOneRefusedNodeKeepsNoOtherFromBeingExported(t *testing.T) {
	t.Parallel()
	d := startDouble(t, &actor{id: nodeA}, &actor{id: nodeB})
	d.refuse = func(operation, body string) string {
		if operation == "PutComplianceItems" && strings.Contains(body, nodeA) {
			return "InvalidResourceId"
		}
		return ""
	}
	text := d.ends(dropcap.ExitIncomplete, "fleet", "audit", "--targets", "all", "--export", "ssm-compliance", "--export", "security-hub")
	says(t, text, "warning: cannot put the compliance of "+nodeA+" in 111122223333/us-east-1: InvalidResourceId", "SSM Compliance: 1 nodes", "Security Hub: 0 findings")
}
