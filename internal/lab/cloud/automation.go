package cloud

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// automation is an execution of a runbook (schema 0.3). It has the actions that dropcap's own
// runbooks use: aws:runCommand, aws:approve, aws:branch, aws:sleep, and
// aws:assertAwsResourceProperty for managed nodes. Their semantics are those of
// the user guide ("Systems Manager Automation actions reference"); none was compared with the
// service.
type automation struct {
	id, document, version, by string
	content                   map[string]any
	given                     map[string][]string
	lists                     map[string]bool
	started, ended            time.Time
	status                    string // the API's enumeration
	failure                   string
	steps                     []*stepRun // those that have begun, in order
	failed                    string     // status of the first critical step that failed
}

// stepRun is an execution of a step.
type stepRun struct {
	definition     map[string]any
	name, action   string
	status         string
	failure        string
	started, ended time.Time
	inputs         map[string]any
	outputs        map[string][]string
	command        *command          // of aws:runCommand
	decisions      map[string]string // of aws:approve, by who decided
	next           string            // that aws:branch chose
	until          time.Time         // of aws:sleep
}

// defaultTimeouts are how long steps may take unless they say otherwise.
var defaultTimeouts = map[string]time.Duration{"aws:runCommand": time.Hour,
	"aws:approve": 7 * 24 * time.Hour, "aws:sleep": 7 * 24 * time.Hour}

func over(status string) bool {
	return !slices.Contains([]string{"Pending", "InProgress", "Waiting"}, status)
}

// startAutomation is StartAutomationExecution, without targets of its own.
func (c *Cloud) startAutomation(r *region, in map[string]any) (any, *failure) {
	d := r.documents[str(in, "DocumentName")]
	if d == nil || d.kind() != "Automation" {
		return nil, fail("AutomationDefinitionNotFoundException",
			"Automation document %s does not exist.", str(in, "DocumentName"))
	}
	version, content := d.resolve(str(in, "DocumentVersion"))
	if content == nil {
		return nil, fail("AutomationDefinitionVersionNotFoundException",
			"The document version is not valid or does not exist.")
	}
	for _, name := range []string{"TargetParameterName", "Targets", "TargetLocations",
		"TargetMaps"} {
		if in[name] != nil {
			return nil, fail("InvalidAutomationExecutionParametersException",
				"%s is not done here.", name)
		}
	}
	given, _ := in["Parameters"].(map[string]any)
	filled, complaint := parameters(content, given)
	if complaint != "" {
		return nil, fail("InvalidAutomationExecutionParametersException", "%s", complaint)
	}
	a := &automation{id: c.newID(), document: d.name, version: fmt.Sprint(version),
		by: c.who.arn(), content: content, given: filled, lists: listParameters(content),
		started: c.clock.Now(), status: "Pending"}
	r.automations[a.id] = a
	r.runbooks = append(r.runbooks, a)
	c.advance(r, a)
	return map[string]any{"AutomationExecutionId": a.id}, nil
}

// advanceAll brings all executions of a region to the present.
func (c *Cloud) advanceAll(r *region) {
	for _, a := range r.runbooks {
		c.advance(r, a)
	}
}

// advance brings an execution to the present.
func (c *Cloud) advance(r *region, a *automation) {
	for !over(a.status) {
		s := a.current()
		if s == nil {
			a.begin(stepNamed(a.content, ""))
			continue
		}
		if s.status == "Pending" {
			s.started = c.clock.Now()
			c.beginStep(r, a, s)
		}
		if !over(s.status) {
			c.progress(r, s)
		}
		if !over(s.status) {
			a.status = s.status
			return
		}
		c.leave(a, s)
	}
}

func (a *automation) current() *stepRun {
	if len(a.steps) == 0 {
		return nil
	}
	return a.steps[len(a.steps)-1]
}

func (a *automation) begin(definition map[string]any) {
	a.status = "InProgress"
	a.steps = append(a.steps, &stepRun{definition: definition, name: str(definition, "name"),
		action: str(definition, "action"), status: "Pending", outputs: map[string][]string{}})
}

// leave ends a step, and begins the next one or ends the execution.
func (c *Cloud) leave(a *automation, s *stepRun) {
	now := c.clock.Now()
	s.ended = now
	on := str(s.definition, "onFailure")
	if s.status != "Success" && a.failed == "" && s.critical(on) {
		a.failed = s.status
		a.failure = "Step " + s.name + " failed: " + s.failure
	}
	next := s.next
	switch {
	case next != "":
	case fmt.Sprint(s.definition["isEnd"]) == "true":
	case s.status == "Success" || on == "Continue":
		next = following(a.content, s.definition)
	case strings.HasPrefix(on, "step:"):
		next = strings.TrimPrefix(on, "step:")
	}
	if next != "" {
		a.begin(stepNamed(a.content, next))
		return
	}
	a.ended, a.status = now, "Success"
	if a.failed != "" {
		a.status = a.failed
	}
}

// critical reports whether the failure of a step is one of the whole execution ("Properties shared
// by all actions", isCritical).
func (s *stepRun) critical(onFailure string) bool {
	if v, ok := s.definition["isCritical"]; ok {
		return fmt.Sprint(v) == "true"
	}
	return onFailure != "Continue"
}

// end ends a step.
func (s *stepRun) end(status, failure string) { s.status, s.failure = status, failure }

// beginStep begins a step's action.
func (c *Cloud) beginStep(r *region, a *automation, s *stepRun) {
	s.status = "InProgress"
	s.inputs, _ = a.fill(s.definition["inputs"]).(map[string]any)
	switch s.action {
	case "aws:runCommand":
		c.beginCommand(r, s)
	case "aws:approve":
		s.status, s.decisions = "Waiting", map[string]string{}
		s.outputs["ApprovalStatus"] = []string{"Waiting"}
	case "aws:branch":
		s.next = chosen(s.inputs)
		s.status = "Success"
	case "aws:assertAwsResourceProperty":
		c.assert(r, s)
	case "aws:sleep":
		d, err := duration(str(s.inputs, "Duration"))
		if err != nil {
			s.end("Failed", err.Error())
			return
		}
		s.until = s.started.Add(d)
	}
}

// beginCommand sends the step's command, by the same checks as any SendCommand.
func (c *Cloud) beginCommand(r *region, s *stepRun) {
	in := maps.Clone(s.inputs)
	if p, ok := in["Parameters"].(map[string]any); ok {
		lists := map[string]any{}
		for name, v := range p {
			lists[name] = anys(texts(v))
		}
		in["Parameters"] = lists
	}
	f := c.ask(r, "ssm:SendCommand")
	if f == nil {
		f = c.validate("ssm", "SendCommand", in)
	}
	if f == nil {
		var out any
		if out, f = c.sendCommand(r, in); f == nil {
			answer, _ := out.(map[string]any)
			sent, _ := answer["Command"].(map[string]any)
			s.command = r.commands[str(sent, "CommandId")]
			s.outputs["CommandId"] = []string{s.command.id}
			return
		}
	}
	s.end("Failed", f.kind+": "+f.message)
}

// ask makes a request of Automation's own, which takes the permission of whoever started it.
func (c *Cloud) ask(r *region, api string) *failure {
	f := c.gate(api)
	c.note(api, r.region, f)
	return f
}

// progress looks whether a step is over.
func (c *Cloud) progress(r *region, s *stepRun) {
	most := defaultTimeouts[s.action]
	if n := texts(s.definition["timeoutSeconds"]); len(n) == 1 {
		if d, err := time.ParseDuration(n[0] + "s"); err == nil {
			most = d
		}
	}
	now := c.clock.Now()
	switch {
	case s.command != nil:
		c.settle(r, s.command)
		if s.told(); !over(s.status) {
			break
		}
		for _, api := range []string{"ssm:ListCommands", "ssm:ListCommandInvocations"} {
			if f := c.ask(r, api); f != nil {
				s.end("Failed", f.kind+": "+f.message)
			}
		}
	case s.action == "aws:sleep" && !now.Before(s.until):
		s.status = "Success"
	}
	if !over(s.status) && now.Sub(s.started) > most {
		s.end("TimedOut", "the step took longer than its timeoutSeconds")
		if s.command != nil {
			_, _ = c.cancelCommand(r, map[string]any{"CommandId": s.command.id}) // it exists
		}
	}
}

// told takes over what a command came to. The output is that of the only node, if there is one
// only.
func (s *stepRun) told() {
	cmd := s.command
	status, detail, done, _, _ := cmd.rollUp()
	s.outputs["Status"] = []string{status}
	if done < len(cmd.order) {
		return
	}
	if len(cmd.order) == 1 {
		i := cmd.invocations[cmd.order[0]]
		s.outputs["ResponseCode"] = []string{fmt.Sprint(i.exit)}
		s.outputs["Output"] = []string{combined(i.stdout, i.stderr)}
	}
	if s.status = status; status != "Success" { // Failed, TimedOut or Cancelled
		s.failure = "command " + cmd.id + " ended with " + detail
	}
}

// propertyForm is the only form of a JSONPath that is read here: a field of a list's first item.
var propertyForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\$\.([A-Za-z]+)\[0\]\.([A-Za-z]+)$`)
})

// assert asks for the managed nodes, and fails the step unless a property of the answer is one of
// those that are desired.
func (c *Cloud) assert(r *region, s *stepRun) {
	in := maps.Clone(s.inputs)
	for _, name := range []string{"Service", "Api", "PropertySelector", "DesiredValues"} {
		delete(in, name)
	}
	at := propertyForm().FindStringSubmatch(str(s.inputs, "PropertySelector"))
	if str(s.inputs, "Service") != "ssm" || at == nil ||
		str(s.inputs, "Api") != "DescribeInstanceInformation" {
		s.end("Failed", "only properties of DescribeInstanceInformation are known here")
		return
	}
	f := c.ask(r, "ssm:DescribeInstanceInformation")
	if f == nil {
		f = c.validate("ssm", "DescribeInstanceInformation", in)
	}
	var answer map[string]any
	if f == nil {
		var out any
		out, f = c.describeNodes(r, in)
		answer, _ = out.(map[string]any)
	}
	if f != nil {
		s.end("Failed", f.kind+": "+f.message)
		return
	}
	list, _ := answer[at[1]].([]map[string]any)
	if len(list) == 0 || !slices.Contains(texts(s.inputs["DesiredValues"]), str(list[0], at[2])) {
		s.end("Failed", "the property "+str(s.inputs, "PropertySelector")+" is not there, or is "+
			"none of the desired values")
		return
	}
	s.status = "Success"
}
