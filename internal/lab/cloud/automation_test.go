package cloud_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

// bench is a cloud with dropcap's documents, and nodes that note what they are sent.
type bench struct {
	*testing.T
	double *cloud.Cloud
	clock  *cloud.FakeClock
	ssm    *ssm.Client
	sent   []string       // "NODE VERB", in order
	lines  []string       // of those, what runs
	fails  map[string]int // exit statuses, by "NODE VERB"
}

func newBench(t *testing.T) *bench {
	clock := cloud.NewFakeClock()
	double, cfg, _ := open(t, clock)
	b := &bench{T: t, double: double, clock: clock, ssm: ssm.NewFromConfig(cfg),
		fails: map[string]int{}}
	for _, d := range fleet.ConsoleDocuments() {
		kind := types.DocumentTypeCommand
		if strings.HasPrefix(d.Name, "dropcap-control") {
			kind = types.DocumentTypeAutomation
		}
		b.create(d.Name, d.Content, kind)
	}
	for _, id := range []string{one, two} {
		double.Add(cloud.Node{ID: id, Tags: map[string]string{"role": "web"},
			Simulated: func(s cloud.Script) (string, string, int) {
				line := s.Lines[len(s.Lines)-1]
				what := id + " " + strings.Fields(line)[2]
				if strings.Contains(line, "--findings='new'") {
					what += " new"
				}
				b.sent, b.lines = append(b.sent, what), append(b.lines, line)
				return "it is " + what, "", b.fails[what]
			}})
	}
	return b
}

func (b *bench) create(name, content string, kind types.DocumentType) {
	b.Helper()
	if _, err := b.ssm.CreateDocument(b.Context(), &ssm.CreateDocumentInput{Name: &name,
		Content: &content, DocumentType: kind}); err != nil {
		b.Fatal(name, err)
	}
}

func (b *bench) start(name string, parameters map[string][]string) string {
	b.Helper()
	out, err := b.ssm.StartAutomationExecution(b.Context(), &ssm.StartAutomationExecutionInput{
		DocumentName: &name, Parameters: parameters})
	if err != nil {
		b.Fatal(err)
	}
	return *out.AutomationExecutionId
}

// stands returns an execution's status and steps as "NAME STATUS".
func (b *bench) stands(id string) (types.AutomationExecutionStatus, []string,
	*types.AutomationExecution) {
	b.Helper()
	out, err := b.ssm.GetAutomationExecution(b.Context(),
		&ssm.GetAutomationExecutionInput{AutomationExecutionId: &id})
	if err != nil {
		b.Fatal(err)
	}
	var steps []string
	for _, s := range out.AutomationExecution.StepExecutions {
		steps = append(steps, *s.StepName+" "+string(s.StepStatus))
	}
	return out.AutomationExecution.AutomationExecutionStatus, steps, out.AutomationExecution
}

func (b *bench) ends(id string, status types.AutomationExecutionStatus, steps ...string) {
	b.Helper()
	got, list, e := b.stands(id)
	if got != status || !slices.Equal(list, steps) {
		b.Errorf("%s %q, %s; and not %s %q", got, list, aws.ToString(e.FailureMessage), status,
			steps)
	}
}

func (b *bench) signal(id string, kind types.SignalType) error {
	_, err := b.ssm.SendAutomationSignal(b.Context(), &ssm.SendAutomationSignalInput{
		AutomationExecutionId: &id, SignalType: kind,
		Payload: map[string][]string{"Comment": {"why"}}})
	return err
}

func given(more ...string) map[string][]string {
	p := map[string][]string{"TagKey": {"role"}, "TagValue": {"web"}, "Approvers": {"lab"}}
	for i := 0; i < len(more); i += 2 {
		p[more[i]] = []string{more[i+1]}
	}
	return p
}

var untilApproval = []string{"nodes Success", "auditBefore Success", "plan Success",
	"dryRun Success"}

func TestTheControlAppliesWhatIsApproved(t *testing.T) {
	b := newBench(t)
	id := b.start("dropcap-control", given("Level", "cis", "Containers", "web, db"))
	b.ends(id, "Waiting", append(untilApproval, "approve Waiting")...)
	before := []string{one + " audit", two + " audit", one + " plan", two + " plan"}
	if !slices.Equal(b.sent, before) {
		t.Errorf("before the approval %q", b.sent)
	}
	if err := b.signal(id, types.SignalTypeApprove); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(2 * time.Second)
	b.ends(id, "Success", append(untilApproval, "approve Success", "apply Success",
		"auditAfter Success", "done Success")...)
	if after := []string{one + " apply", two + " apply", one + " audit new",
		two + " audit new"}; !slices.Equal(b.sent[4:], after) {
		t.Errorf("after the approval %q", b.sent[4:])
	}
	for _, want := range []string{"--containers='web, db' --level='cis'", "--dry-run='no'",
		"--run='" + id + "'"} {
		if !strings.Contains(strings.Join(b.lines, "\n"), want) {
			t.Errorf("nothing was sent with %s: %q", want, b.lines)
		}
	}
	if err := b.signal(id, types.SignalTypeApprove); code(err) !=
		"InvalidAutomationSignalException" {
		t.Errorf("approved twice: %v", err)
	}
}

// The approver is told which command has the plans, and a failed node leads to a backout of all.
func TestTheControlTakesAllBackIfOneNodeFails(t *testing.T) {
	for _, fails := range []string{" apply", " audit new"} {
		b := newBench(t)
		b.fails[two+fails] = 4
		id := b.start("dropcap-control", given("MaxConcurrency", "1"))
		_, _, e := b.stands(id)
		approve := e.StepExecutions[4]
		plan := e.StepExecutions[2].Outputs["CommandId"][0]
		if !strings.Contains(approve.Inputs["Message"], plan) ||
			!strings.Contains(approve.Inputs["Approvers"], "lab") {
			t.Errorf("the approver reads %q", approve.Inputs)
		}
		if err := b.signal(id, types.SignalTypeApprove); err != nil {
			t.Fatal(err)
		}
		steps := append(untilApproval, "approve Success", "apply Failed", "backout Success")
		if fails == " audit new" {
			steps = append(untilApproval, "approve Success", "apply Success", "auditAfter Failed",
				"backout Success")
		}
		b.ends(id, "Failed", steps...)
		if n := len(b.sent); !slices.Equal(b.sent[n-2:], []string{one + " backout",
			two + " backout"}) || !strings.HasSuffix(b.lines[n-1], "--wait='3600'") ||
			!strings.Contains(b.lines[n-1], "--run='"+id+"'") {
			t.Errorf("%q", b.lines)
		}
	}
}

func TestTheErrorThresholdKeepsFurtherNodesFromBeingChanged(t *testing.T) {
	b := newBench(t)
	b.fails[one+" apply"] = 4
	id := b.start("dropcap-control", given("MaxConcurrency", "1", "MaxErrors", "0"))
	if err := b.signal(id, types.SignalTypeApprove); err != nil {
		t.Fatal(err)
	}
	b.ends(id, "Failed", append(untilApproval, "approve Success", "apply Failed",
		"backout Success")...)
	if slices.Contains(b.sent, two+" apply") {
		t.Errorf("%q", b.sent)
	}
}

// Nothing is applied without an approval of somebody who may give it.
func TestTheControlAppliesNothingUnasked(t *testing.T) {
	unapplied := func(b *bench) {
		t.Helper()
		if slices.ContainsFunc(b.sent, func(s string) bool {
			return strings.Contains(s, "apply")
		}) {
			t.Errorf("%q", b.sent)
		}
	}
	b := newBench(t)
	id := b.start("dropcap-control", given())
	if err := b.signal(id, types.SignalTypeReject); err != nil {
		t.Fatal(err)
	}
	b.ends(id, "Failed", append(untilApproval, "approve Failed")...)
	unapplied(b)

	id = b.start("dropcap-control", given("DryRun", "yes"))
	b.ends(id, "Success", untilApproval...)
	unapplied(b)

	parameters := given()
	parameters["Approvers"] = []string{"arn:aws:iam::111122223333:role/other", "boss"}
	id = b.start("dropcap-control", parameters)
	if err := b.signal(id, types.SignalTypeApprove); code(err) !=
		"InvalidAutomationSignalException" {
		t.Errorf("whoever wants approves: %v", err)
	}
	b.clock.Advance(4 * 24 * time.Hour)
	b.ends(id, "TimedOut", append(untilApproval, "approve TimedOut")...)
	unapplied(b)

	id = b.start("dropcap-control", given("TagValue", "nobody"))
	b.ends(id, "Failed", "nodes Failed")

	b.fails[two+" plan"] = 6
	id = b.start("dropcap-control", given())
	b.ends(id, "Failed", "nodes Success", "auditBefore Success", "plan Failed")
	unapplied(b)

	b.fails = map[string]int{}
	id = b.start("dropcap-control", given())
	if _, err := b.ssm.StopAutomationExecution(t.Context(), &ssm.StopAutomationExecutionInput{
		AutomationExecutionId: &id}); err != nil {
		t.Fatal(err)
	}
	b.ends(id, "Cancelled", append(untilApproval, "approve Cancelled")...)
	unapplied(b)
}

func TestTheBackoutTwinTakesARunBack(t *testing.T) {
	b := newBench(t)
	b.fails[one+" status"] = 1 // what it tells is for the approver only
	run := "01234567-89ab-cdef-0123-456789abcdef"
	id := b.start("dropcap-control-backout", given("Run", run))
	b.ends(id, "Waiting", "nodes Success", "status Failed", "approve Waiting")
	if err := b.signal(id, types.SignalTypeApprove); err != nil {
		t.Fatal(err)
	}
	b.ends(id, "Success", "nodes Success", "status Failed", "approve Success",
		"backout Success", "audit Success")
	if line := b.lines[2]; !strings.HasPrefix(line, "dropcap console backout --run='"+run+"'") {
		t.Errorf("%q", line)
	}
}

func TestParametersOfRunbooksAreHeldToTheirForms(t *testing.T) {
	b := newBench(t)
	for _, bad := range []map[string][]string{{"TagKey": {"role"}}, given("Containers", "$(id)"),
		given("Level", "high"), given("TagValue", "web;id"), given("MaxErrors", "-1"),
		given("Nothing", "x"), given("AutomationAssumeRole", "root")} {
		if _, err := b.ssm.StartAutomationExecution(t.Context(),
			&ssm.StartAutomationExecutionInput{DocumentName: aws.String("dropcap-control"),
				Parameters: bad}); code(err) != "InvalidAutomationExecutionParametersException" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, name := range []string{"dropcap-apply", "no-such"} {
		if _, err := b.ssm.StartAutomationExecution(t.Context(),
			&ssm.StartAutomationExecutionInput{DocumentName: &name}); code(err) !=
			"AutomationDefinitionNotFoundException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.ssm.SendCommand(t.Context(), &ssm.SendCommandInput{InstanceIds: []string{one},
		DocumentName: aws.String("dropcap-control")}); code(err) != "InvalidDocument" {
		t.Errorf("a runbook is sent: %v", err)
	}
	if len(b.sent) > 0 {
		t.Errorf("%q", b.sent)
	}
}

func TestBranchesChooseAndFailuresGoWhereTheyAreSent(t *testing.T) {
	b := newBench(t)
	b.create("branches", `{"schemaVersion":"0.3","parameters":{"which":{"type":"String"}},"mainSteps":[
		{"name":"choose","action":"aws:branch","inputs":{"Choices":[
			{"NextStep":"first","Variable":"{{ which }}","StringEquals":"one"},
			{"NextStep":"second","Not":{"Variable":"{{ which }}","StartsWith":"t"}}],"Default":"third"}},
		{"name":"first","action":"aws:runCommand","onFailure":"Continue","inputs":{"DocumentName":"no-such","InstanceIds":["`+
		one+`"]}},
		{"name":"second","action":"aws:sleep","inputs":{"Duration":"PT1M"},"timeoutSeconds":30,"onFailure":"step:third","isCritical":false},
		{"name":"third","action":"aws:sleep","inputs":{"Duration":"PT0S"},"isEnd":true},
		{"name":"never","action":"aws:sleep","inputs":{"Duration":"never"}}]}`,
		types.DocumentTypeAutomation)
	for which, want := range map[string][]string{
		"one":   {"choose Success", "first Failed", "second TimedOut", "third Success"},
		"other": {"choose Success", "second TimedOut", "third Success"},
		"two":   {"choose Success", "third Success"}} {
		id := b.start("branches", map[string][]string{"which": {which}})
		b.clock.Advance(31 * time.Second)
		b.ends(id, "Success", want...)
	}
}

func TestRunbooksThatTheServiceWouldNotTakeAreRefused(t *testing.T) {
	_, cfg, _ := open(t, nil)
	c := ssm.NewFromConfig(cfg)
	sleep := `"action":"aws:sleep","inputs":{"Duration":"PT1S"}`
	for k, steps := range []string{"", `{"name":"a",` + sleep + `}`,
		`{"name":"one",` + sleep + `},{"name":"one",` + sleep + `}`,
		`{"name":"one",` + sleep + `,"nextStep":"two"}`,
		`{"name":"one",` + sleep + `,"onFailure":"step:two"}`,
		`{"name":"one",` + sleep + `,"onFailure":"Retry"}`,
		`{"name":"one","action":"aws:executeScript","inputs":{}}`,
		`{"name":"one","action":"aws:runCommand","inputs":{}}`,
		`{"name":"one","action":"aws:approve","inputs":{"Approvers":["{{ who }}"]}}`,
		`{"name":"one","action":"aws:approve","inputs":{"Approvers":["{{ two.Output }}"]}}`,
	} {
		_, err := c.CreateDocument(t.Context(), &ssm.CreateDocumentInput{
			Name:         aws.String(fmt.Sprintf("runbook-%d", k)),
			Content:      aws.String(`{"schemaVersion":"0.3","mainSteps":[` + steps + `]}`),
			DocumentType: types.DocumentTypeAutomation})
		if code(err) != "InvalidDocumentContent" {
			t.Errorf("%s: %v", steps, err)
		}
	}
	_, err := c.CreateDocument(t.Context(), &ssm.CreateDocumentInput{
		Name:         aws.String("of-another-type"),
		Content:      aws.String(`{"schemaVersion":"0.3","mainSteps":[{"name":"one",` + sleep + `}]}`),
		DocumentType: types.DocumentTypeCommand})
	if code(err) != "InvalidDocumentContent" {
		t.Errorf("a Command document of schema 0.3: %v", err)
	}
}

// A daily audit by State Manager: a host with findings counts as not compliant until its next run.
func TestAnAssociationAuditsEachDayAndShowsInCompliance(t *testing.T) {
	b := newBench(t)
	b.fails[two+" audit"] = 3
	out, err := b.ssm.CreateAssociation(t.Context(), &ssm.CreateAssociationInput{
		Name: aws.String("dropcap-audit"), AssociationName: aws.String("dropcap-daily-audit"),
		Targets:            []types.Target{{Key: aws.String("tag:role"), Values: []string{"web"}}},
		Parameters:         map[string][]string{"findings": {"fail"}},
		ScheduleExpression: aws.String("rate(1 day)"), MaxErrors: aws.String("100%"),
		ComplianceSeverity: types.AssociationComplianceSeverityHigh})
	if err != nil {
		t.Fatal(err)
	}
	id := out.AssociationDescription.AssociationId
	compliant := func(node string, want types.ComplianceStatus) {
		t.Helper()
		items, err := b.ssm.ListComplianceItems(t.Context(), &ssm.ListComplianceItemsInput{
			ResourceIds: []string{node}})
		if err != nil || len(items.ComplianceItems) != 1 ||
			items.ComplianceItems[0].Status != want ||
			aws.ToString(items.ComplianceItems[0].Title) != "dropcap-daily-audit" {
			t.Errorf("%s: %+v, %v", node, items.ComplianceItems, err)
		}
	}
	runs := func(want ...string) {
		t.Helper()
		out, err := b.ssm.DescribeAssociationExecutions(t.Context(),
			&ssm.DescribeAssociationExecutionsInput{AssociationId: id})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range out.AssociationExecutions {
			got = append(got, aws.ToString(e.Status))
		}
		if !slices.Equal(got, want) {
			t.Errorf("runs %q, and not %q", got, want)
		}
	}
	compliant(one, types.ComplianceStatusCompliant)
	compliant(two, types.ComplianceStatusNonCompliant)
	runs("Failed")
	b.fails = map[string]int{}
	b.clock.Advance(25 * time.Hour)
	compliant(two, types.ComplianceStatusCompliant)
	runs("Success", "Failed")
	if _, err := b.ssm.StartAssociationsOnce(t.Context(), &ssm.StartAssociationsOnceInput{
		AssociationIds: []string{*id}}); err != nil {
		t.Fatal(err)
	}
	runs("Success", "Success", "Failed")
	if _, err := b.ssm.CreateAssociation(t.Context(), &ssm.CreateAssociationInput{
		Name: aws.String("dropcap-audit"), InstanceId: aws.String(one),
		Parameters: map[string][]string{"containers": {"$(id)"}}}); code(err) !=
		"InvalidParameters" {
		t.Errorf("an association takes what the form does not: %v", err)
	}
	if _, err := b.ssm.DeleteAssociation(t.Context(), &ssm.DeleteAssociationInput{
		AssociationId: id}); err != nil {
		t.Fatal(err)
	}
}
