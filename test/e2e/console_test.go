package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// automation is an execution of a runbook as the service tells it.
type automation struct {
	AutomationExecution struct {
		AutomationExecutionStatus string
		StepExecutions            []struct {
			StepName, StepStatus string
			Outputs              map[string][]string
		}
	}
}

func (a automation) steps() string {
	var list []string
	for _, s := range a.AutomationExecution.StepExecutions {
		list = append(list, s.StepName+" "+s.StepStatus)
	}
	return strings.Join(list, ", ")
}

// command returns the id of the command that a step sent.
func (a automation) command(step string) string {
	for _, s := range a.AutomationExecution.StepExecutions {
		if s.StepName == step {
			return strings.Join(s.Outputs["CommandId"], "")
		}
	}
	return ""
}

// console does what a person does in AWS's console.
type console struct {
	*labBench
	t *testing.T
}

func (c console) ok(operation string, in, out any) {
	c.t.Helper()
	if status := c.ask(c.t, c.key(), operation, in, out); status != http.StatusOK {
		c.t.Fatalf("%s: %d: %v %v", operation, status, in, out)
	}
}

// start starts a runbook.
func (c console) start(name string, parameters map[string][]string) string {
	c.t.Helper()
	var out struct{ AutomationExecutionId string }
	c.ok("StartAutomationExecution", map[string]any{"DocumentName": name,
		"Parameters": parameters}, &out)
	return out.AutomationExecutionId
}

// comes waits until an execution has a status.
func (c console) comes(id, status string) (a automation) {
	c.t.Helper()
	if !testenv.Within(2*time.Minute, func() bool {
		c.ok("GetAutomationExecution", map[string]any{"AutomationExecutionId": id}, &a)
		got := a.AutomationExecution.AutomationExecutionStatus
		return got == status || got == "Failed" || got == "Success"
	}) || a.AutomationExecution.AutomationExecutionStatus != status {
		c.t.Fatalf("%s is not %s: %s", id, status, a.steps())
	}
	return a
}

func (c console) approve(id string) {
	c.t.Helper()
	c.ok("SendAutomationSignal", map[string]any{"AutomationExecutionId": id,
		"SignalType": "Approve"}, &struct{}{})
}

type read struct {
	Status, StandardOutputContent, StandardErrorContent string
	ResponseCode                                        int
}

// page returns what a person reads of a command on a node, when it is over.
func (c console) page(command, node string) (r read) {
	c.t.Helper()
	if !testenv.Within(time.Minute, func() bool {
		c.ok("GetCommandInvocation", map[string]any{"CommandId": command, "InstanceId": node}, &r)
		return r.Status != "Pending" && r.Status != "InProgress" && r.Status != "Cancelling"
	}) {
		c.t.Fatalf("%s does not end on %s", command, node)
	}
	return r
}

// send sends a form to a node, and returns its page.
func (c console) send(document, node string, parameters map[string][]string) (string, read) {
	c.t.Helper()
	var sent struct{ Command struct{ CommandId string } }
	c.ok("SendCommand", map[string]any{"DocumentName": document, "InstanceIds": []string{node},
		"Parameters": parameters}, &sent)
	return sent.Command.CommandId, c.page(sent.Command.CommandId, node)
}

// is checks a page: the step's status, what the verdict begins with, and some texts.
func (c console) is(r read, exit int, verdict string, says ...string) {
	c.t.Helper()
	if r.ResponseCode != exit || (r.Status == "Success") != (exit == 0) ||
		!strings.HasPrefix(r.StandardOutputContent, verdict) ||
		len(r.StandardOutputContent) >= 24000 {
		c.t.Errorf("%s %d:\n%s%s", r.Status, r.ResponseCode, r.StandardOutputContent,
			r.StandardErrorContent)
	}
	for _, s := range says {
		if !strings.Contains(r.StandardOutputContent, s) {
			c.t.Errorf("it does not say %q:\n%s", s, r.StandardOutputContent)
		}
	}
}

// The whole control by a runbook over three nodes with real engines: one fails, and all are taken
// back; then over one that does not fail, and taken back by the twin.
func TestTheRunbookDoesTheControlAndTakesItBack(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Base, testenv.Docker20)
	l := startLab(t, "--nodes", "3", "--node-fails", "3", "--engines", "private")
	s := fleetStage{t, l.fleet(t), l}
	s.dropcap(0, []string{"document dropcap-control-backout is there now"}, "fleet", "install",
		"--documents")
	c, before, nodes := console{l, t}, l.script(t, theContainers), l.nodes(t)
	all := map[string][]string{"TagKey": {"fleet"}, "TagValue": {"lab"}, "Approvers": {"lab"},
		"Containers": {"web, db, monitor"}, "MaxConcurrency": {"2"}}

	id := c.start("dropcap-control", all)
	a := c.comes(id, "Waiting")
	c.is(c.page(a.command("auditBefore"), nodes[2]), 0, "FAIL: 2 of 2 containers", "net-raw")
	c.is(c.page(a.command("plan"), nodes[0]), 0, "TO CHANGE: 1 of 1 container", id)
	s.same(before)
	c.approve(id)
	a = c.comes(id, "Failed")
	if got := a.steps(); got != "nodes Success, auditBefore Success, plan Success, dryRun Success, approve "+
		"Success, apply Failed, backout Success" {
		t.Errorf("%s", got)
	}
	c.is(c.page(a.command("apply"), nodes[0]), 0, "DONE: 1 applied", "dropcap-backout with run "+id)
	c.is(c.page(a.command("apply"), nodes[2]), 4, "ROLLED BACK: cannot change monitor")
	c.is(c.page(a.command("backout"), nodes[0]), 0, "DONE: 1 backed-out")
	c.is(c.page(a.command("backout"), nodes[2]), 0, "NOTHING TO DO")
	s.same(before)

	one := map[string][]string{"TagKey": {"Name"}, "TagValue": {"lab-1"}, "Approvers": {"lab"},
		"Containers": {"web"}}
	id = c.start("dropcap-control", one)
	c.comes(id, "Waiting")
	c.approve(id)
	a = c.comes(id, "Success")
	c.is(c.page(a.command("auditAfter"), nodes[0]), 0, "NOT WORSE than at the beginning of the "+
		"run. PASS")
	_, again := c.send("dropcap-apply", nodes[0], map[string][]string{"run": {id},
		"dryRun": {"no"}})
	c.is(again, 0, "DONE: 1 applied", "nothing was done again")
	_, status := c.send("dropcap-status", nodes[0], nil)
	c.is(status, 0, "2 CHANGES on this host: 1 applied, 1 backed-out")

	back := c.start("dropcap-control-backout", map[string][]string{"TagKey": {"Name"},
		"TagValue": {"lab-1"}, "Approvers": {"lab"}, "Run": {id}})
	a = c.comes(back, "Waiting")
	c.is(c.page(a.command("status"), nodes[0]), 0, "DONE: 1 applied")
	c.approve(back)
	c.comes(back, "Success")
	s.same(before)
	_, twice := c.send("dropcap-backout", nodes[0], map[string][]string{"run": {id}})
	c.is(twice, 0, "NOTHING TO DO")
	if os.Getenv("DROPCAP_TEST_FULL") != "" {
		c.goesOn(nodes[1])
		s.same(before)
	}
}

// goesOn applies within a step that has too little time, and by a command that is cancelled: what
// was begun comes to its end, and is told afterwards.
func (c console) goesOn(node string) {
	c.t.Helper()
	applied := func(run string) {
		c.t.Helper()
		var r read
		if !testenv.Within(time.Minute, func() bool {
			_, r = c.send("dropcap-status", node, map[string][]string{"run": {run}})
			return !strings.HasPrefix(r.StandardOutputContent, "STILL AT WORK")
		}) {
			c.t.Fatalf("it does not end: %+v", r)
		}
		c.is(r, 0, "DONE: 1 applied")
		_, r = c.send("dropcap-backout", node, nil)
		c.is(r, 0, "DONE: 1 backed-out")
	}
	given := map[string][]string{"dryRun": {"no"}, "containers": {"db"}, "executionTimeout": {"5"}}
	run, short := c.send("dropcap-apply", node, given)
	c.is(short, 7, "STILL AT WORK", "dropcap-status with run "+run)
	applied(run)

	delete(given, "executionTimeout")
	var sent struct{ Command struct{ CommandId string } }
	c.ok("SendCommand", map[string]any{"DocumentName": "dropcap-apply",
		"InstanceIds": []string{node}, "Parameters": given}, &sent)
	run = sent.Command.CommandId
	if !testenv.Within(time.Minute, func() bool {
		_, r := c.send("dropcap-status", node, map[string][]string{"run": {run}})
		return strings.HasPrefix(r.StandardOutputContent, "STILL AT WORK: the apply")
	}) {
		c.t.Fatal("it does not begin")
	}
	c.ok("CancelCommand", map[string]any{"CommandId": run}, &struct{}{})
	if r := c.page(run, node); r.Status != "Cancelled" {
		c.t.Errorf("%+v", r)
	}
	applied(run)
}

// The forms through the double's agents, on fake engines: what a person reads, what makes a step
// fail, and what does not pass a form.
func TestFormsTellAPersonWhatTheyCameTo(t *testing.T) {
	many := []fake.Container{{Name: "web"}, {Name: "db"}}
	for k := range 300 {
		many = append(many, fake.Container{Name: fmt.Sprintf("one-of-those-that-are-many-%d", k)})
	}
	l, s := fakeNodes(t, many, nil)
	s.dropcap(0, nil, "fleet", "install", "--documents")
	c, nodes := console{l, t}, l.nodes(t)
	run, audit := c.send("dropcap-audit", nodes[0], nil)
	c.is(audit, 0, "FAIL: 302 of 302 containers", "run:  "+run, "lines more: AWS's console")
	_, audit = c.send("dropcap-audit", nodes[0], map[string][]string{"findings": {"fail"},
		"containers": {"web db"}})
	c.is(audit, 3, "FAIL: 2 of 2 containers", "web, db")
	_, audit = c.send("dropcap-audit", nodes[0], map[string][]string{"containers": {"absent"}})
	c.is(audit, 0, "NOTHING TO JUDGE")
	_, audit = c.send("dropcap-audit", nodes[1], map[string][]string{"findings": {"fail"}})
	c.is(audit, 0, "NOTHING TO JUDGE")
	run, plan := c.send("dropcap-plan", nodes[0], map[string][]string{"containers": {"web"},
		"level": {"cis"}})
	// the fake engine lacks what a change needs, and the plan refuses
	c.is(plan, 0, "LEFT AS THEY ARE: the plan refuses 1 of 1 container (level cis)", "run:  "+run)
	_, apply := c.send("dropcap-apply", nodes[0], map[string][]string{"run": {run}})
	c.is(apply, 0, "LEFT AS THEY ARE")
	_, apply = c.send("dropcap-apply", nodes[1], map[string][]string{"run": {run},
		"dryRun": {"no"}})
	c.is(apply, 0, "LEFT AS IT IS: this host has no plan of run "+run)
	_, apply = c.send("dropcap-apply", nodes[0], map[string][]string{"run": {run},
		"level": {"least"}})
	if apply.ResponseCode != 2 || !strings.Contains(apply.StandardErrorContent,
		"cannot choose containers or a level for a plan that is made") {
		t.Errorf("%+v", apply)
	}
	_, status := c.send("dropcap-status", nodes[0], map[string][]string{"run": {run}})
	c.is(status, 0, "PLANNED, and not applied. LEFT AS THEY ARE")
	for _, bad := range []string{"web'; id; '", "$(id)", "`id`", "web\nid", "-x", "a*"} {
		var out map[string]any
		if code := l.ask(t, l.key(), "SendCommand", map[string]any{"DocumentName": "dropcap-audit",
			"InstanceIds": nodes[:1], "Parameters": map[string][]string{"containers": {bad}}},
			&out); code == http.StatusOK ||
			!strings.Contains(fmt.Sprint(out), "InvalidParameters") {
			t.Errorf("%q passes: %v", bad, out)
		}
	}
	s.dropcap(0, nil, "fleet", "uninstall", "--targets", "all", "--purge", "--yes", "--force")
	var left struct{ Content string }
	for _, name := range []string{"dropcap-audit", "dropcap-control"} {
		if l.ask(t, l.key(), "GetDocument", map[string]any{"Name": name}, &left) == http.StatusOK {
			t.Errorf("%s is left behind", name)
		}
	}
}
