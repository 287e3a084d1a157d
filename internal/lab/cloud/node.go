package cloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// message is what an agent fetches.
type message struct {
	id, topic string
	cmd       *command
	inv       *invocation
	// the id of the message whose command is to be cancelled; empty: this one is a command
	cancels string
	again   bool      // a duplicate
	other   bool      // and under another id
	hidden  time.Time // not delivered again before
	fetched bool
}

// pending returns what a node may fetch now. A message that is not acknowledged in time is
// delivered again.
func (c *Cloud) pending(n *Node, visibility time.Duration) []*message {
	now := c.clock.Now()
	var out []*message
	for _, m := range n.queue {
		if m.inv.over() && !m.again || m.hidden.After(now) {
			continue
		}
		m.hidden, m.fetched = now.Add(visibility), true
		if c.fault(NeverStarted, "", n.ID) {
			m.hidden = now.Add(1e6 * time.Hour)
			continue
		}
		out = append(out, m)
	}
	return out
}

// wire returns a message as the agent receives it. No field is empty: the agent rejects a message
// without a topic, destination, id or date.
func (m *message) wire(now time.Time) map[string]any {
	payload, err := json.Marshal(m.payload())
	if err != nil {
		panic(err) // maps of strings
	}
	return map[string]any{"CreatedDate": iso(now), "Destination": m.inv.node, "MessageId": m.id,
		"Payload": string(payload), "Topic": m.topic}
}

// payload returns what the agent reads of a message (amazon-ssm-agent, agent/runcommand/contracts).
// The agent itself appends the ids of the command and the node to the prefix.
func (m *message) payload() map[string]any {
	if m.cancels != "" {
		return map[string]any{"CancelMessageId": m.cancels}
	}
	parameters := map[string]any{}
	lists := listParameters(m.cmd.content)
	for k, v := range m.cmd.parameters {
		if lists[k] {
			parameters[k] = v
		} else {
			parameters[k] = strings.Join(v, " ")
		}
	}
	return map[string]any{
		"Parameters": parameters, "DocumentContent": m.cmd.content, "CommandId": m.cmd.id,
		"DocumentName":       m.cmd.document,
		"OutputS3BucketName": m.cmd.bucket, "OutputS3KeyPrefix": m.cmd.prefix,
		"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": "false",
	}
}

// messageID returns a message's id, from which the agent extracts the command's id.
func messageID(command, node string) string { return "aws.ssm." + command + "." + node }

// find returns the command and invocation of a message.
func (r *region) find(id string) (*command, *invocation) {
	if first, ok := r.aliases[id]; ok {
		id = first
	}
	rest, ok := strings.CutPrefix(id, "aws.ssm.")
	if !ok {
		return nil, nil
	}
	commandID, node, ok := strings.Cut(rest, ".")
	cmd := r.commands[commandID]
	if !ok || cmd == nil {
		return nil, nil
	}
	return cmd, cmd.invocations[node]
}

// simulate answers for the nodes of a region that have a Simulator. It releases the lock meanwhile,
// since a simulator may take its time.
func (c *Cloud) simulate(r *region, cmd *command) {
	for _, id := range cmd.order {
		n, inv := r.nodes[id], cmd.invocations[id]
		if n == nil || n.Simulated == nil || n.Gone || !inv.sent || inv.over() || inv.lost ||
			inv.deliveredOnce {
			continue
		}
		if c.fault(NeverStarted, "", id) {
			inv.deliveredOnce = true
			continue
		}
		times := 1
		for _, m := range n.queue {
			if m.inv == inv && m.other {
				times = 2
			}
		}
		n.queue = slices.DeleteFunc(n.queue, func(m *message) bool { return m.inv == inv })
		inv.deliveredOnce, inv.started = true, c.clock.Now()
		inv.status, inv.detail = "InProgress", "InProgress"
		script := scriptOf(cmd, id, r.region)
		answer := n.Simulated
		c.mu.Unlock()
		stdout, stderr, exit := answer(script)
		if times == 2 {
			stdout, stderr, exit = answer(script)
		}
		c.mu.Lock()
		if inv.orphaned = c.fault(KilledMidway, "", id); inv.orphaned {
			continue
		}
		if c.fault(LostReply, "", id) {
			inv.lost = true
			continue
		}
		status := "Success"
		if exit != 0 {
			status = "Failed"
			stderr += fmt.Sprintf("failed to run commands: exit status %d", exit)
		}
		if stdout != "" {
			c.put(id, cmd.bucket, cmd.output(id)+"/awsrunShellScript/"+firstStep(cmd.content)+
				"/stdout", stdout)
		}
		c.finish(cmd, inv, map[string]plugin{"aws:runShellScript": {name: "aws:runShellScript",
			status: status, code: exit,
			stdout: cut(stdout, MaxStdout, truncatedMark),
			stderr: cut(stderr, MaxStderr, truncatedMark)}}, status)
	}
}

// truncatedMark is how the agent (3.3) marks the end of cut output.
const truncatedMark = "--output truncated--"

// scriptOf returns the lines of a command's shell script, of either schema.
func scriptOf(cmd *command, node, region string) Script {
	s := Script{Node: node, Command: cmd.id, Region: region, Timeout: cmd.execution()}
	lists := listParameters(cmd.content)
	for _, st := range stepsOf(cmd.content) {
		if skip, fail := st.allowed("Linux", cmd.parameters); skip != "" || fail != "" {
			continue
		}
		filled, _ := fill(st.inputs, cmd.parameters, lists).(map[string]any)
		switch st.action {
		case "aws:runShellScript":
			s.Lines = append(s.Lines, texts(filled["runCommand"])...)
			s.WorkingDirectory, _ = filled["workingDirectory"].(string)
		case "aws:configurePackage":
			s.Package = filled
		}
	}
	return s
}

// firstStep returns the name of the first aws:runShellScript step, as used for the folder of its
// output in a bucket. Schema 1.2 has a number for it.
func firstStep(content map[string]any) string {
	for _, st := range stepsOf(content) {
		if st.action == "aws:runShellScript" {
			return st.folder
		}
	}
	return "0.awsrunShellScript"
}

// inOrder returns the names of a document's steps in the document's order. Schema 1.2 has one,
// named after its action.
func inOrder(content map[string]any, plugins map[string]plugin) []string {
	out := []string{}
	steps, _ := content["mainSteps"].([]any)
	for _, v := range steps {
		step, _ := v.(map[string]any)
		if _, ok := plugins[str(step, "name")]; ok {
			out = append(out, str(step, "name"))
		}
	}
	for _, name := range sortedKeys(plugins) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
