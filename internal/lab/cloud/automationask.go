package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// arn returns the name by which IAM knows who sent a request.
func (p principal) arn() string {
	if p.role != "" {
		return "arn:aws:sts::" + p.account + ":assumed-role/" + p.role + "/lab"
	}
	return "arn:aws:iam::" + p.account + ":user/lab"
}

// isOneOf reports whether approvers of a step name this principal.
func (p principal) isOneOf(approvers []string) bool {
	names := []string{p.arn()}
	if p.role != "" {
		names = append(names, "arn:aws:iam::"+p.account+":role/"+p.role)
	} else {
		names = append(names, "lab")
	}
	return slices.ContainsFunc(approvers, func(a string) bool { return slices.Contains(names, a) })
}

// signal is SendAutomationSignal, with the signals of an approval.
func (c *Cloud) signal(r *region, in map[string]any) (any, *failure) {
	a, f := r.automation(in)
	if f != nil {
		return nil, f
	}
	c.advance(r, a)
	s, kind := a.current(), str(in, "SignalType")
	if s.action != "aws:approve" || s.status != "Waiting" ||
		kind != "Approve" && kind != "Reject" {
		return nil, fail("InvalidAutomationSignalException",
			"The signal %s is not valid for the current Automation execution.", kind)
	}
	if !c.who.isOneOf(texts(s.inputs["Approvers"])) {
		return nil, fail("InvalidAutomationSignalException",
			"%s is not one of the approvers of step %s.", c.who.arn(), s.name)
	}
	s.decisions[c.who.arn()] = kind
	decisions, _ := json.Marshal(s.decisions) // of strings
	s.outputs["ApproverDecisions"] = []string{string(decisions)}
	needed := 1
	if n := texts(s.inputs["MinRequiredApprovals"]); len(n) == 1 {
		_, _ = fmt.Sscan(n[0], &needed) // checked when the document was created
	}
	switch {
	case kind == "Reject":
		s.outputs["ApprovalStatus"] = []string{"Rejected"}
		s.end("Failed", "rejected by "+c.who.arn())
	case len(s.decisions) >= needed:
		s.outputs["ApprovalStatus"] = []string{"Approved"}
		s.status = "Success"
	}
	c.advance(r, a)
	return map[string]any{}, nil
}

// stopAutomation is StopAutomationExecution. Cancel also cancels the command of the current step.
func (c *Cloud) stopAutomation(r *region, in map[string]any) (any, *failure) {
	a, f := r.automation(in)
	if f != nil {
		return nil, f
	}
	if over(a.status) {
		return nil, fail("InvalidAutomationStatusUpdateException",
			"The execution is %s already.", a.status)
	}
	s := a.current()
	if s.command != nil && str(in, "Type") != "Complete" {
		_, _ = c.cancelCommand(r, map[string]any{"CommandId": s.command.id}) // it exists
	}
	s.end("Cancelled", "the execution was stopped")
	s.ended, a.ended, a.status = c.clock.Now(), c.clock.Now(), "Cancelled"
	return map[string]any{}, nil
}

func (r *region) automation(in map[string]any) (*automation, *failure) {
	a := r.automations[str(in, "AutomationExecutionId")]
	if a == nil {
		return nil, fail("AutomationExecutionNotFoundException",
			"Automation execution %s does not exist.", str(in, "AutomationExecutionId"))
	}
	return a, nil
}

func (c *Cloud) getAutomation(r *region, in map[string]any) (any, *failure) {
	a, f := r.automation(in)
	if f != nil {
		return nil, f
	}
	c.advance(r, a)
	steps := []any{}
	for _, s := range a.steps {
		steps = append(steps, s.describe())
	}
	out := a.describe()
	out["StepExecutions"], out["Parameters"] = steps, a.given
	return map[string]any{"AutomationExecution": out}, nil
}

// listAutomations is DescribeAutomationExecutions, the newest first, without filters.
func (c *Cloud) listAutomations(r *region, in map[string]any) (any, *failure) {
	c.advanceAll(r)
	var list []map[string]any
	for _, a := range slices.Backward(r.runbooks) {
		list = append(list, a.describe())
	}
	page, next, f := paged(list, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"AutomationExecutionMetadataList": page, "NextToken": next}, nil
}

func (a *automation) describe() map[string]any {
	s := a.current()
	outputs := map[string][]string{}
	for _, name := range texts(a.content["outputs"]) {
		step, field, _ := strings.Cut(name, ".")
		for _, s := range a.steps {
			if s.name == step {
				outputs[name] = s.outputs[field]
			}
		}
	}
	return map[string]any{
		"AutomationExecutionId": a.id, "DocumentName": a.document, "DocumentVersion": a.version,
		"AutomationExecutionStatus": a.status, "ExecutionStartTime": stamp(a.started),
		"ExecutionEndTime": stamp(a.ended), "FailureMessage": a.failure, "Mode": "Auto",
		"ExecutedBy": a.by, "CurrentStepName": s.name, "CurrentAction": s.action,
		"Outputs": outputs,
	}
}

func (s *stepRun) describe() map[string]any {
	inputs := map[string]string{}
	for name, v := range s.inputs {
		text, _ := json.Marshal(v) // of JSON
		inputs[name] = string(text)
	}
	return map[string]any{
		"StepName": s.name, "Action": s.action, "StepStatus": s.status,
		"OnFailure": s.definition["onFailure"], "FailureMessage": s.failure,
		"ExecutionStartTime": stamp(s.started), "ExecutionEndTime": stamp(s.ended),
		"Inputs": inputs, "Outputs": s.outputs, "StepExecutionId": s.name,
	}
}

// duration reads an ISO 8601 duration of hours, minutes and seconds.
func duration(text string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(text, "PT")
	d, err := time.ParseDuration(strings.ToLower(rest))
	if !ok || err != nil || d < 0 {
		return 0, fmt.Errorf("the duration %s is not valid", text)
	}
	return d, nil
}
