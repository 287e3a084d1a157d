package cloud

import (
	"encoding/json"
	"maps"
	"slices"
)

// acknowledge takes a message off the node's queue.
func (n *Node) acknowledge(id string) {
	for k, m := range n.queue {
		if m.id == id && m.fetched {
			n.queue = slices.Delete(n.queue, k, k+1)
			return
		}
	}
}

// answer is what an agent says of a command (amazon-ssm-agent, SendReplyPayload). It is said when
// the command is taken, after each step, with that step's result, and at the end. At the end a
// document of several steps comes without their results.
type answer struct {
	DocumentStatus string `json:"documentStatus"`
	Trace          string `json:"documentTraceOutput"`
	RuntimeStatus  map[string]struct {
		Status         string `json:"status"`
		Code           int    `json:"code"`
		Name           string `json:"name"`
		Output         any    `json:"output"` // a text, of plugins that are known here
		StandardOutput string `json:"standardOutput"`
		StandardError  string `json:"standardError"`
		Start          string `json:"startDateTime"`
		End            string `json:"endDateTime"`
	} `json:"runtimeStatus"`
}

// reply takes a node's answer. One to a message that ends another says only that it was taken.
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
		// after a reboot it goes on
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
	return nil
}
