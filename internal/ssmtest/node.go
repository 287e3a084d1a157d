package ssmtest

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
	again     bool      // a duplicate
	hidden    time.Time // not given out before
	fetched   bool
}

// visibility is for how long a fetched message is not given out again, unless it is acknowledged.
const visibility = 10 * time.Second

// pending gives what a node may fetch now.
func (c *Cloud) pending(n *Node) []*message {
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

// wire is a message as the agent gets it (amazon-ssm-agent, SendCommandPayload).
func (m *message) wire(now time.Time) map[string]any {
	parameters := map[string]any{}
	lists := listParameters(m.cmd.content)
	for k, v := range m.cmd.parameters {
		if lists[k] {
			parameters[k] = v
		} else {
			parameters[k] = strings.Join(v, " ")
		}
	}
	payload, err := json.Marshal(map[string]any{
		"Parameters": parameters, "DocumentContent": m.cmd.content, "CommandId": m.cmd.id, "DocumentName": m.cmd.document,
		"OutputS3BucketName": m.cmd.bucket, "OutputS3KeyPrefix": m.prefix(),
	})
	if err != nil {
		panic(err) // maps of strings
	}
	return map[string]any{"CreatedDate": now.UTC().Format(time.RFC3339), "Destination": m.inv.node, "MessageId": m.id, "Payload": string(payload), "Topic": m.topic}
}

func (m *message) prefix() string {
	if m.cmd.bucket == "" {
		return ""
	}
	return m.cmd.output(m.inv.node)
}

// find gives the message that an agent speaks of. Ids are "aws.ssm.COMMAND.NODE".
func (r *region) find(id string) (*command, *invocation) {
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

// acknowledge takes a message off the node's queue.
func (n *Node) acknowledge(id string) {
	for k, m := range n.queue {
		if m.id == id && m.fetched {
			n.queue = slices.Delete(n.queue, k, k+1)
			return
		}
	}
}

// reply takes a node's answer (amazon-ssm-agent, SendReplyPayload).
func (c *Cloud) reply(r *region, id, payload string) error {
	cmd, inv := r.find(id)
	if inv == nil {
		return fmt.Errorf("there is no message %s", id)
	}
	var p struct {
		DocumentStatus string `json:"documentStatus"`
		RuntimeStatus  map[string]struct {
			Status         string `json:"status"`
			Code           int    `json:"code"`
			Name           string `json:"name"`
			StandardOutput string `json:"standardOutput"`
			StandardError  string `json:"standardError"`
			Start          string `json:"startDateTime"`
			End            string `json:"endDateTime"`
		} `json:"runtimeStatus"`
	}
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return fmt.Errorf("the payload is not JSON: %w", err)
	}
	if p.DocumentStatus == "InProgress" {
		if !inv.over() && inv.started.IsZero() {
			inv.status, inv.detail, inv.started = "InProgress", "InProgress", c.clock.Now()
		}
		return nil
	}
	if c.fault(LostReply, "", inv.node) {
		inv.lost = true
	}
	if inv.lost {
		return nil
	}
	plugins := map[string]plugin{}
	for name, s := range p.RuntimeStatus {
		plugins[name] = plugin{name: s.Name, status: s.Status, code: s.Code, stdout: s.StandardOutput, stderr: s.StandardError, started: s.Start, ended: s.End}
	}
	c.finish(cmd, inv, plugins, p.DocumentStatus)
	c.step(r, cmd)
	return nil
}

// simulate answers for the nodes of a region that have a Simulator. The lock is given up meanwhile, since a simulator may take its time.
func (c *Cloud) simulate(r *region, cmd *command) {
	for _, id := range cmd.order {
		n, inv := r.nodes[id], cmd.invocations[id]
		if n == nil || n.Simulated == nil || n.Gone || !inv.sent || inv.over() || inv.lost || inv.deliveredOnce {
			continue
		}
		if c.fault(NeverStarted, "", id) {
			inv.deliveredOnce = true
			continue
		}
		times := 1
		for _, m := range n.queue {
			if m.inv == inv && m.again {
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
		if c.fault(LostReply, "", id) || c.fault(KilledMidway, "", id) {
			inv.lost = true
			continue
		}
		status := "Success"
		if exit != 0 {
			status = "Failed"
			stderr += fmt.Sprintf("failed to run commands: exit status %d", exit)
		}
		m := &message{cmd: cmd, inv: inv}
		c.put(id, cmd.bucket, m.prefix()+"/awsrunShellScript/"+firstStep(cmd.content)+"/stdout", stdout)
		c.finish(cmd, inv, map[string]plugin{"aws:runShellScript": {name: "aws:runShellScript", status: status, code: exit,
			stdout: cut(stdout, MaxStdout, truncatedMark), stderr: cut(stderr, MaxStderr, truncatedMark)}}, status)
	}
}

// truncatedMark is what the agent ends cut output with (3.3).
const truncatedMark = "--output truncated--"

// scriptOf gives the lines of a command's shell script, of either schema.
func scriptOf(cmd *command, node, region string) Script {
	s := Script{Node: node, Command: cmd.id, Region: region, Timeout: cmd.execution()}
	for _, in := range shellSteps(cmd.content) {
		filled, _ := fill(in, cmd.parameters, listParameters(cmd.content)).(map[string]any)
		switch lines := filled["runCommand"].(type) {
		case []any:
			s.Lines = append(s.Lines, texts(lines)...)
		case string:
			s.Lines = append(s.Lines, lines)
		}
		s.WorkingDirectory, _ = filled["workingDirectory"].(string)
	}
	return s
}

// firstStep names the first aws:runShellScript step, as the folder of its output in a bucket is called. Schema 1.2 has a number for it.
func firstStep(content map[string]any) string {
	if names := stepNames(content); len(names) > 0 {
		return names[0]
	}
	return "0.awsrunShellScript"
}

// stepNames gives the names of the aws:runShellScript steps, in the order of shellSteps; none of schema 1.2.
func stepNames(content map[string]any) []string {
	var out []string
	steps, _ := content["mainSteps"].([]any)
	for _, v := range steps {
		if step, _ := v.(map[string]any); step["action"] == "aws:runShellScript" {
			out = append(out, str(step, "name"))
		}
	}
	return out
}

// shellSteps gives the inputs of all aws:runShellScript steps.
func shellSteps(content map[string]any) []any {
	var out []any
	if rc, ok := content["runtimeConfig"].(map[string]any); ok {
		if p, ok := rc["aws:runShellScript"].(map[string]any); ok {
			if list, ok := p["properties"].([]any); ok {
				out = append(out, list...)
			}
		}
	}
	steps, _ := content["mainSteps"].([]any)
	for _, v := range steps {
		step, _ := v.(map[string]any)
		if step["action"] == "aws:runShellScript" {
			out = append(out, step["inputs"])
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
