package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// association is a State Manager association of a Command document. It runs when it is created,
// when it is asked to, and by its rate whenever somebody asks about it after that time. The real
// service has agents run it; here each run is a command, and ListAssociations, by which an agent
// asks at its start, is refused.
type association struct {
	id, name string
	request  map[string]any // as it was created
	runs     []*command
	every    time.Duration // 0: only once
}

// createAssociation is CreateAssociation.
func (c *Cloud) createAssociation(r *region, in map[string]any) (any, *failure) {
	a := &association{id: c.newID(), name: str(in, "AssociationName"), request: in}
	if expression := str(in, "ScheduleExpression"); expression != "" {
		if a.every = rate(expression); a.every == 0 {
			return nil, fail("InvalidSchedule", "The schedule %s is invalid; only rates are done "+
				"here.", expression)
		}
	}
	if f := c.runAssociation(r, a); f != nil {
		return nil, f
	}
	r.associations = append(r.associations, a)
	return map[string]any{"AssociationDescription": c.describeAssociation(r, a)}, nil
}

// rate reads "rate(1 day)"; 0 if it is none.
func rate(expression string) time.Duration {
	var n int
	var unit string
	if k, err := fmt.Sscanf(expression, "rate(%d %s", &n, &unit); k != 2 || err != nil || n < 1 {
		return 0
	}
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour,
		"day": 24 * time.Hour}
	name, closed := strings.CutSuffix(unit, ")")
	if !closed {
		return 0
	}
	return time.Duration(n) * units[strings.TrimSuffix(name, "s")]
}

// runAssociation sends its document, by the same checks as any SendCommand.
func (c *Cloud) runAssociation(r *region, a *association) *failure {
	in := map[string]any{"DocumentName": a.request["Name"], "MaxConcurrency": "100%",
		"MaxErrors": "100%"}
	for _, name := range []string{"Targets", "Parameters", "DocumentVersion", "MaxConcurrency",
		"MaxErrors"} {
		if v, ok := a.request[name]; ok {
			in[name] = v
		}
	}
	if id := str(a.request, "InstanceId"); id != "" {
		in["InstanceIds"] = []any{id}
	}
	f := c.validate("ssm", "SendCommand", in)
	if f != nil {
		return f
	}
	if _, f = c.sendCommand(r, in); f == nil {
		a.runs = append(a.runs, r.sequence[len(r.sequence)-1])
	}
	return f
}

// latest brings an association to the present, and returns its last run.
func (c *Cloud) latest(r *region, a *association) *command {
	last := a.runs[len(a.runs)-1]
	if a.every > 0 && c.clock.Now().Sub(last.requested) >= a.every &&
		c.runAssociation(r, a) == nil {
		last = a.runs[len(a.runs)-1]
	}
	c.settle(r, last)
	return last
}

func (c *Cloud) describeAssociation(r *region, a *association) map[string]any {
	last := c.latest(r, a)
	status, detail, counts := last.ofAssociation()
	out := map[string]any{"AssociationId": a.id, "AssociationVersion": "1",
		"Overview": map[string]any{"Status": status, "DetailedStatus": detail,
			"AssociationStatusAggregatedCount": counts},
		"LastExecutionDate": stamp(last.requested)}
	for _, name := range []string{"Name", "AssociationName", "Targets", "Parameters",
		"ScheduleExpression", "ComplianceSeverity", "MaxErrors", "MaxConcurrency",
		"SyncCompliance", "ApplyOnlyAtCronInterval"} {
		if v, ok := a.request[name]; ok {
			out[name] = v
		}
	}
	return out
}

// ofAssociation returns a run's status as associations have it, and how many nodes have which.
func (cmd *command) ofAssociation() (status, detail string, counts map[string]int) {
	counts = map[string]int{}
	for _, i := range cmd.invocations {
		counts[i.associated()]++
	}
	status, detail, done, _, _ := cmd.rollUp()
	if done < len(cmd.order) {
		return "Pending", "Pending", counts
	}
	if status != "Success" {
		status = "Failed"
	}
	return status, detail, counts
}

// associated returns a node's status in an association.
func (i *invocation) associated() string {
	switch {
	case !i.over():
		return "Pending"
	case i.status == "Success":
		return "Success"
	}
	return "Failed"
}

func (r *region) association(in map[string]any) (*association, *failure) {
	for _, a := range r.associations {
		if a.id == str(in, "AssociationId") {
			return a, nil
		}
	}
	return nil, fail("AssociationDoesNotExist", "The specified association doesn't exist.")
}

func (c *Cloud) getAssociation(r *region, in map[string]any) (any, *failure) {
	a, f := r.association(in)
	if f != nil {
		return nil, f
	}
	return map[string]any{"AssociationDescription": c.describeAssociation(r, a)}, nil
}

// associationRuns is DescribeAssociationExecutions, the newest first, without filters.
func (c *Cloud) associationRuns(r *region, in map[string]any) (any, *failure) {
	a, f := r.association(in)
	if f != nil {
		return nil, f
	}
	c.latest(r, a)
	var list []map[string]any
	for _, run := range slices.Backward(a.runs) {
		status, detail, counts := run.ofAssociation()
		list = append(list, map[string]any{"AssociationId": a.id, "ExecutionId": run.id,
			"Status": status, "DetailedStatus": detail, "CreatedTime": stamp(run.requested),
			"ResourceCountByStatus": counted(counts)})
	}
	page, next, f := paged(list, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"AssociationExecutions": page, "NextToken": next}, nil
}

// counted returns counts in the service's form, "{Failed=1, Success=2}".
func counted(counts map[string]int) string {
	var list []string
	for _, name := range sortedKeys(counts) {
		list = append(list, fmt.Sprintf("%s=%d", name, counts[name]))
	}
	return "{" + strings.Join(list, ", ") + "}"
}

func (c *Cloud) startAssociations(r *region, in map[string]any) (any, *failure) {
	for _, id := range texts(in["AssociationIds"]) {
		a, f := r.association(map[string]any{"AssociationId": id})
		if f == nil {
			f = c.runAssociation(r, a)
		}
		if f != nil {
			return nil, f
		}
	}
	return map[string]any{}, nil
}

func (c *Cloud) deleteAssociation(r *region, in map[string]any) (any, *failure) {
	a, f := r.association(in)
	if f != nil {
		return nil, f
	}
	r.associations = slices.DeleteFunc(r.associations, func(b *association) bool { return a == b })
	return map[string]any{}, nil
}

// associationItems are a node's compliance items of type Association: whether the last run of each
// was a success there.
func (c *Cloud) associationItems(r *region, node string) (list []any) {
	for _, a := range r.associations {
		i := c.latest(r, a).invocations[node]
		if i == nil || !i.over() {
			continue
		}
		status := map[bool]string{true: "COMPLIANT", false: "NON_COMPLIANT"}
		severity := str(a.request, "ComplianceSeverity")
		if severity == "" {
			severity = "UNSPECIFIED"
		}
		list = append(list, map[string]any{"ComplianceType": "Association", "ResourceId": node,
			"ResourceType": "ManagedInstance", "Id": a.id, "Title": a.name, "Severity": severity,
			"Status": status[i.associated() == "Success"]})
	}
	return list
}
