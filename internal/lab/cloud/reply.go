package cloud

import (
	"encoding/json"
	"maps"
	"slices"
)

// acknowledge removes a message from the node's queue.
func (n *Node) acknowledge(id string) {
	for k, m := range n.queue {
		if m.id == id && m.fetched {
			n.queue = slices.Delete(n.queue, k, k+1)
			return
		}
	}
}

// answer is what an agent reports about a command (amazon-ssm-agent, SendReplyPayload): when it
// accepts the command, after each step, with that step's result, and at the end. The final report
// of a document with several steps has no results.
type answer struct {
	DocumentStatus string `json:"documentStatus"`
	Trace          string `json:"documentTraceOutput"`
	RuntimeStatus  map[string]struct {
		Status         string `json:"status"`
		Code           int    `json:"code"`
		Name           string `json:"name"`
		Output         any    `json:"output"` // a text, for the supported plugins
		StandardOutput string `json:"standardOutput"`
		StandardError  string `json:"standardError"`
		Start          string `json:"startDateTime"`
		End            string `json:"endDateTime"`
	} `json:"runtimeStatus"`
}

// reply handles a node's report. One about a message that cancels another only says that it
// arrived.
func (c *Cloud) reply(r *region, id, payload string) *failure {
	if r.cancels[id] {
		return nil
	}
	cmd, inv := r.find(id)
	if inv == nil {
		return fail("InvalidMessageIdException", "There is no message %s.", id)
	}
	var p answer
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return fail("ValidationException", "The payload is not JSON: %v", err)
	}
	plugins := maps.Clone(inv.plugins)
	if plugins == nil {
		plugins = map[string]plugin{}
	}
	for name, s := range p.RuntimeStatus {
		output, _ := s.Output.(string)
		plugins[name] = plugin{name: s.Name, status: s.Status, code: s.Code,
			stdout: s.StandardOutput, stderr: s.StandardError, output: output, started: s.Start,
			ended: s.End}
	}
	if p.DocumentStatus == "InProgress" || p.DocumentStatus == "SuccessAndReboot" {
		// after a reboot it continues
		if !inv.over() {
			inv.plugins = plugins
		}
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
	inv.trace = p.Trace
	c.finish(cmd, inv, plugins, p.DocumentStatus)
	c.step(r, cmd)
	c.advanceAll(r)
	return nil
}
