package cloud

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// sendCommand is SendCommand.
func (c *Cloud) sendCommand(r *region, in map[string]any) (any, *failure) {
	d := r.documents[str(in, "DocumentName")]
	if d == nil || d.kind() == "Automation" {
		return nil, fail("InvalidDocument", "The document %s does not exist.",
			str(in, "DocumentName"))
	}
	version, content := d.resolve(str(in, "DocumentVersion"))
	if content == nil {
		return nil, fail("InvalidDocumentVersion",
			"The document version is not valid or does not exist.")
	}
	given, _ := in["Parameters"].(map[string]any)
	filled, complaint := parameters(content, given)
	if complaint != "" {
		return nil, fail("InvalidParameters", "%s", complaint)
	}
	size, _ := json.Marshal([]any{content, given})
	if len(size) > MaxDocument {
		return nil, fail("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
	}
	nodes, byID, f := r.target(in)
	if f != nil {
		return nil, f
	}
	cmd := &command{
		id: c.newID(), comment: str(in, "Comment"), document: d.name,
		version: str(in, "DocumentVersion"), content: content, parameters: filled,
		requested:      c.clock.Now(),
		delivery:       time.Duration(integer(in, "TimeoutSeconds", 3600)) * time.Second,
		maxConcurrency: str(in, "MaxConcurrency"), maxErrors: str(in, "MaxErrors"),
		bucket: str(in, "OutputS3BucketName"),
		prefix: str(in, "OutputS3KeyPrefix"), invocations: map[string]*invocation{}, order: nodes,
	}
	_ = version
	if byID {
		cmd.instances = nodes
	}
	cmd.targets, _ = in["Targets"].([]any)
	cmd.concurrency = max(limit(cmd.maxConcurrency, len(nodes), 50), 1)
	cmd.errors = limit(cmd.maxErrors, len(nodes), 0)
	for _, id := range nodes {
		cmd.invocations[id] = &invocation{node: id, status: "Pending", detail: "Pending"}
	}
	r.commands[cmd.id] = cmd
	r.sequence = append(r.sequence, cmd)
	c.step(r, cmd)
	answer := cmd.describe() // the service answers before it counts
	answer["Status"], answer["StatusDetails"] = "Pending", "Pending"
	for _, count := range []string{"TargetCount", "CompletedCount", "ErrorCount",
		"DeliveryTimedOutCount"} {
		answer[count] = 0
	}
	return map[string]any{"Command": answer}, nil
}

// target resolves InstanceIds or Targets to nodes' ids. Named nodes must exist; tags and groups may
// match none.
func (r *region) target(in map[string]any) (nodes []string, byID bool, f *failure) {
	ids, targets := texts(in["InstanceIds"]), []any{}
	if t, ok := in["Targets"].([]any); ok {
		targets = t
	}
	switch {
	case len(ids) == 0 && len(targets) == 0:
		return nil, false, fail("InvalidParameters", "InstanceIds or Targets must be given.")
	case len(ids) > 0 && len(targets) > 0:
		return nil, false, fail("InvalidParameters",
			"InstanceIds and Targets must not be given together.")
	}
	for k, id := range ids {
		if r.nodes[id] == nil {
			return nil, false,
				fail("InvalidInstanceId", "Instances not in a valid state for account: [%s]", id)
		}
		if slices.Contains(ids[:k], id) {
			return nil, false,
				fail("DuplicateInstanceId",
					"You can't specify an instance ID in more than one association.")
		}
	}
	if len(ids) > 0 {
		return ids, true, nil
	}
	for _, id := range r.order {
		if r.matches(r.nodes[id], targets) {
			nodes = append(nodes, id)
		}
	}
	return nodes, false, nil
}

// matches reports whether a node matches all targets, each by any of its values.
func (r *region) matches(n *Node, targets []any) bool {
	for _, t := range targets {
		m, _ := t.(map[string]any)
		if !r.matchesOne(n, str(m, "Key"), texts(m["Values"])) {
			return false
		}
	}
	return true
}

func (r *region) matchesOne(n *Node, key string, values []string) bool {
	switch {
	case strings.EqualFold(key, "InstanceIds"):
		return slices.Contains(values, n.ID) || slices.Contains(values, "*")
	case strings.HasPrefix(key, "tag:"):
		v, has := n.Tags[strings.TrimPrefix(key, "tag:")]
		return has && slices.Contains(values, v)
	case key == "tag-key":
		return slices.ContainsFunc(values, func(k string) bool { _, has := n.Tags[k]; return has })
	case key == "resource-groups:Name":
		return slices.ContainsFunc(values, func(g string) bool {
			return slices.Contains(r.groups[g], n.ID)
		})
	}
	return false
}

func (cmd *command) describe() map[string]any {
	status, detail, done, errors, timeouts := cmd.rollUp()
	return map[string]any{
		"CommandId": cmd.id, "DocumentName": cmd.document, "DocumentVersion": cmd.version,
		"Comment": cmd.comment, "Parameters": cmd.parameters,
		"InstanceIds": cmd.instances, "Targets": cmd.targets,
		"RequestedDateTime": stamp(cmd.requested),
		"ExpiresAfter":      stamp(cmd.requested.Add(cmd.delivery + cmd.execution())),
		"Status":            status,
		"StatusDetails":     detail,
		"MaxConcurrency":    cmd.maxConcurrency, "MaxErrors": cmd.maxErrors,
		"TargetCount": len(cmd.order), "CompletedCount": done,
		"ErrorCount": errors, "DeliveryTimedOutCount": timeouts, "OutputS3BucketName": cmd.bucket,
		"OutputS3KeyPrefix": cmd.prefix,
		"TimeoutSeconds":    int(cmd.delivery / time.Second),
	}
}

// settle brings a command to the present.
func (c *Cloud) settle(r *region, cmd *command) {
	for {
		c.step(r, cmd)
		before := cmd.ended()
		c.simulate(r, cmd)
		if cmd.ended() == before {
			return
		}
	}
}

func (cmd *command) ended() (n int) {
	for _, i := range cmd.invocations {
		if i.over() {
			n++
		}
	}
	return n
}

func (c *Cloud) cancelCommand(r *region, in map[string]any) (any, *failure) {
	cmd := r.commands[str(in, "CommandId")]
	if cmd == nil {
		return nil, fail("InvalidCommandId", "The specified command ID isn't valid.")
	}
	ids := texts(in["InstanceIds"])
	if len(ids) == 0 {
		cmd.cancelled = true
		ids = cmd.order
	}
	for _, id := range ids {
		i, n := cmd.invocations[id], r.nodes[id]
		if i == nil || i.over() || n == nil {
			continue
		}
		if i.started.IsZero() {
			i.end("Cancelled", "Cancelled", c.clock.Now())
			continue
		}
		i.status, i.detail = "Cancelling", "Cancelling"
		m := &message{id: messageID(c.newID(), id), cmd: cmd, inv: i,
			topic: "aws.ssm.cancelCommand." + r.region + ".1", cancels: messageID(cmd.id, id)}
		r.cancels[m.id] = true
		n.queue = append(n.queue, m)
		n.wake()
	}
	c.step(r, cmd)
	return map[string]any{}, nil
}

func (c *Cloud) listCommands(r *region, in map[string]any) (any, *failure) {
	var all []map[string]any
	for _, cmd := range slices.Backward(r.sequence) {
		if id := str(in, "CommandId"); id != "" && id != cmd.id {
			continue
		}
		if id := str(in, "InstanceId"); id != "" && cmd.invocations[id] == nil {
			continue
		}
		c.settle(r, cmd)
		all = append(all, cmd.describe())
	}
	if len(all) == 0 && str(in, "CommandId") != "" {
		return nil, fail("InvalidCommandId", "The specified command ID isn't valid.")
	}
	page, next, f := paged(all, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"Commands": page, "NextToken": next}, nil
}

func (c *Cloud) listInvocations(r *region, in map[string]any) (any, *failure) {
	if id := str(in, "CommandId"); id != "" && r.commands[id] == nil {
		return nil, fail("InvalidCommandId", "The specified command ID isn't valid.")
	}
	details, _ := in["Details"].(bool)
	var all []map[string]any
	for _, cmd := range slices.Backward(r.sequence) {
		if id := str(in, "CommandId"); id != "" && id != cmd.id {
			continue
		}
		c.settle(r, cmd)
		for _, node := range cmd.order {
			if id := str(in, "InstanceId"); id != "" && id != node ||
				!filtered(in, cmd.invocations[node]) {
				continue
			}
			all = append(all, c.invocation(r, cmd, cmd.invocations[node], details))
		}
	}
	page, next, f := paged(all, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"CommandInvocations": page, "NextToken": next}, nil
}

// filtered applies the Status filter, the only supported one.
func filtered(in map[string]any, i *invocation) bool {
	list, _ := in["Filters"].([]any)
	for _, v := range list {
		if m, _ := v.(map[string]any); str(m, "key") == "Status" && str(m, "value") != i.status &&
			str(m, "value") != i.detail {
			return false
		}
	}
	return true
}

func (c *Cloud) invocation(r *region, cmd *command, i *invocation, details bool) map[string]any {
	out := map[string]any{
		"CommandId": cmd.id, "InstanceId": i.node, "Comment": cmd.comment,
		"DocumentName": cmd.document, "DocumentVersion": cmd.version,
		"RequestedDateTime": stamp(cmd.requested), "Status": i.status, "StatusDetails": i.detail,
		"TraceOutput": i.trace, "CommandPlugins": []any{},
	}
	if n := r.nodes[i.node]; n != nil {
		out["InstanceName"] = n.Name
	}
	if details {
		plugins := []any{}
		for _, name := range inOrder(cmd.content, i.plugins) {
			p := i.plugins[name]
			text := p.output
			if text == "" {
				text = combined(p.stdout, p.stderr)
			}
			plugins = append(plugins, map[string]any{"Name": p.name, "Status": p.status,
				"StatusDetails": p.status, "ResponseCode": p.code, "Output": text})
		}
		out["CommandPlugins"] = plugins
	}
	return out
}

func (c *Cloud) getInvocation(r *region, in map[string]any) (any, *failure) {
	cmd := r.commands[str(in, "CommandId")]
	if cmd == nil {
		return nil, fail("InvalidCommandId", "The specified command ID isn't valid.")
	}
	i := cmd.invocations[str(in, "InstanceId")]
	if i == nil || c.fault(NotYet, "", str(in, "InstanceId")) {
		return nil, fail("InvocationDoesNotExist",
			"The command ID and managed node ID you specified didn't match any invocations.")
	}
	c.settle(r, cmd)
	if len(i.plugins) > 1 && str(in, "PluginName") == "" {
		return nil, fail("InvalidPluginName",
			"The plugin name must be given for a document of several steps.")
	}
	name, out, errs, code := "aws:runShellScript", i.stdout, i.stderr, i.exit
	if _, ok := i.plugins["configurePackage"]; ok {
		name = "configurePackage"
	}
	if p := str(in, "PluginName"); p != "" {
		if _, ok := i.plugins[p]; !ok {
			return nil, fail("InvalidPluginName", "The plugin name isn't valid.")
		}
		name, out, errs, code = p, i.plugins[p].stdout, i.plugins[p].stderr, i.plugins[p].code
	}
	if !i.over() {
		code = -1
	}
	answer := map[string]any{
		"CommandId": cmd.id, "InstanceId": i.node, "Comment": cmd.comment,
		"DocumentName": cmd.document, "DocumentVersion": cmd.version, "PluginName": name,
		"ResponseCode": code, "Status": i.status, "StatusDetails": i.detail,
		"StandardOutputContent":  cut(out, MaxStdout, truncatedMark),
		"StandardErrorContent":   cut(errs, MaxStderr, truncatedMark),
		"ExecutionStartDateTime": iso(i.started), "ExecutionEndDateTime": iso(i.ended),
	}
	if cmd.bucket != "" {
		folder := "https://s3." + r.region + ".amazonaws.com/" + cmd.bucket + "/" +
			cmd.output(i.node) + "/awsrunShellScript/" + firstStep(cmd.content)
		answer["StandardOutputUrl"], answer["StandardErrorUrl"] = folder+"/stdout", folder+"/stderr"
	}
	return answer, nil
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
