package cloud

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// command is one SendCommand.
type command struct {
	id, comment, document, version string
	content                        map[string]any // the document, before parameters are filled in
	parameters                     map[string][]string
	instances                      []string
	targets                        []any
	requested                      time.Time
	delivery                       time.Duration // TimeoutSeconds
	concurrency, errors            int
	maxConcurrency, maxErrors      string // as requested
	bucket, prefix                 string
	invocations                    map[string]*invocation
	order                          []string
	cancelled                      bool
	closed                         bool // no more changes
}

// invocation is a command on one node.
type invocation struct {
	node    string
	status  string // the API's enumeration
	detail  string // StatusDetails
	sent    bool   // a message was created for the node
	sentAt  time.Time
	started time.Time
	ended   time.Time
	stdout  string
	stderr  string
	exit    int
	plugins map[string]plugin // by the step's name
	trace   string            // what the agent reports about the document as a whole
	lost    bool              // the final reply will not arrive
	// its agent was killed; a later one reports that after searching for the command
	orphaned      bool
	deliveredOnce bool
}

// plugin is the result of one step of a document.
type plugin struct {
	name, status    string
	code            int
	stdout, stderr  string
	output          string // both, cut; or a message if neither was written
	whole, wholeErr string // uncut; only from the agent in this package
	started, ended  string
}

func (i *invocation) over() bool {
	switch i.status {
	case "Pending", "InProgress", "Delayed", "Cancelling":
		return false
	}
	return true
}

// execution returns how long a command may run: the document's executionTimeout, by default 3,600
// s.
func (cmd *command) execution() time.Duration {
	if v := cmd.parameters["executionTimeout"]; len(v) == 1 {
		if n, err := strconv.Atoi(v[0]); err == nil && n >= 5 && n <= 172800 {
			return time.Duration(n) * time.Second
		}
	}
	return time.Hour
}

// output returns the folder of a node's output in the bucket, named as the agent does: slashes in a
// prefix only separate.
func (cmd *command) output(node string) string { return keyOf(cmd.prefix, cmd.id, node) }

// limit computes "50" or "10%" of n.
func limit(text string, n, otherwise int) int {
	if text == "" {
		return otherwise
	}
	if p, ok := strings.CutSuffix(text, "%"); ok {
		v, _ := strconv.Atoi(p)
		return int(math.Floor(float64(n) * float64(v) / 100))
	}
	v, _ := strconv.Atoi(text)
	return v
}

// step brings a command to the present: it sends messages to further nodes as the ramp allows,
// expires those that nobody fetched, and stops after too many errors.
func (c *Cloud) step(r *region, cmd *command) {
	if cmd.closed {
		return
	}
	now := c.clock.Now()
	done, flying, errors := 0, 0, 0
	for _, id := range cmd.order {
		i := cmd.invocations[id]
		c.expire(cmd, i, now)
		switch {
		case i.over():
			done++
			if i.status == "Failed" && i.detail == "Failed" || i.detail == "ExecutionTimedOut" {
				// Undeliverable, Terminated and DeliveryTimedOut do not count (user guide,
				// "Understanding command statuses")
				errors++
			}
		case i.sent:
			flying++
		}
	}
	cmd.closed = done == len(cmd.order)
	stopped := errors > cmd.errors
	ramp := 1
	for ramp*2 <= done+1 && ramp < cmd.concurrency {
		ramp *= 2
	}
	for _, id := range cmd.order {
		i := cmd.invocations[id]
		if i.sent || i.over() {
			continue
		}
		switch {
		case cmd.cancelled:
			i.end("Cancelled", "Cancelled", now)
		case stopped:
			i.end("Failed", "Terminated", now)
		case flying < min(ramp, max(cmd.concurrency, 1)):
			c.send(r, cmd, i, now)
			if i.over() {
				continue
			}
			flying++
		}
	}
}

func (i *invocation) end(status, detail string, at time.Time) {
	i.status, i.detail, i.ended = status, detail, at
}

// expire ends an invocation whose time is over. A message that was not fetched within the delivery
// timeout, and a lost final reply, both end as DeliveryTimedOut.
func (c *Cloud) expire(cmd *command, i *invocation, now time.Time) {
	if i.over() || !i.sent {
		return
	}
	switch {
	case i.orphaned && now.Sub(i.started) >= workerTimeout:
		first := "aws:runShellScript"
		if steps := stepsOf(cmd.content); len(steps) > 0 {
			first = steps[0].name
		}
		c.finish(cmd, i, map[string]plugin{first: {status: "Failed", code: 1, output: vanished}},
			"Failed")
	case i.started.IsZero() && now.Sub(i.sentAt) > cmd.delivery:
		i.end("TimedOut", "DeliveryTimedOut", now)
	case !i.started.IsZero() && now.Sub(i.started) > cmd.delivery+cmd.execution():
		i.end("TimedOut", "DeliveryTimedOut", now)
	}
}

// send creates the node's message, or ends the invocation if the node cannot receive it.
func (c *Cloud) send(r *region, cmd *command, i *invocation, now time.Time) {
	n := r.nodes[i.node]
	i.sent, i.sentAt = true, now
	switch {
	case n == nil:
		i.end("Failed", "Undeliverable", now)
		return
	case n.Platform == "Windows" && !supports(cmd.content, "Windows"):
		i.end("Failed", "InvalidPlatform", now)
		return
	}
	i.status, i.detail = "Pending", "Pending"
	m := &message{id: messageID(cmd.id, i.node), cmd: cmd, inv: i, topic: "aws.ssm.sendCommand." +
		r.region + ".1"}
	n.queue = append(n.queue, m)
	if c.fault(Redelivered, "", i.node) {
		twin := *m
		twin.again = true
		n.queue = append(n.queue, &twin)
	}
	if c.fault(Duplicate, "", i.node) {
		twin := *m
		twin.again, twin.other, twin.id = true, true, messageID(c.newID(), i.node)
		r.aliases[twin.id] = m.id
		n.queue = append(n.queue, &twin)
	}
	n.wake()
}

// rollUp returns the whole command's status and its detail (user guide, "Understanding command
// statuses": by priority).
func (cmd *command) rollUp() (status, detail string, done, errors, timeouts int) {
	counts := map[string]int{}
	for _, i := range cmd.invocations {
		counts[i.detail]++
		counts["status:"+i.status]++
		if i.over() {
			done++
		}
	}
	errors = counts["Failed"] + counts["ExecutionTimedOut"]
	timeouts = counts["DeliveryTimedOut"]
	n := len(cmd.invocations)
	switch {
	case n == 0:
		return "Success", "NoInstancesInTag", 0, 0, 0
	case done < n && cmd.cancelled:
		return "Cancelling", "Cancelling", done, errors, timeouts
	case done < n && (done > 0 || counts["status:InProgress"] > 0):
		return "InProgress", "InProgress", done, errors, timeouts
	case done < n:
		return "Pending", "Pending", done, errors, timeouts
	case errors > cmd.errors && counts["Terminated"] > 0:
		return "Failed", "LimitExceeded", done, errors, timeouts
	case counts["Cancelled"] > 0:
		return "Cancelled", "Cancelled", done, errors, timeouts
	case errors > 0:
		return "Failed", "Failed", done, errors, timeouts
	case timeouts > 0:
		return "TimedOut", "DeliveryTimedOut", done, errors, timeouts
	case counts["Undeliverable"]+counts["InvalidPlatform"] > 0:
		return "Failed", "Incomplete", done, errors, timeouts
	}
	return "Success", "Success", done, errors, timeouts
}

// finish records a node's final reply.
func (c *Cloud) finish(cmd *command, i *invocation, plugins map[string]plugin,
	documentStatus string) {
	if i.over() {
		return // a late or repeated reply changes nothing
	}
	now := c.clock.Now()
	i.plugins = plugins
	var out, errs strings.Builder
	for _, name := range inOrder(cmd.content, plugins) {
		p := plugins[name]
		out.WriteString(p.stdout)
		errs.WriteString(p.stderr)
		i.exit = p.code
	}
	i.stdout, i.stderr = out.String(), errs.String()
	if c.fault(Damaged, "", i.node) && len(i.stdout) > 40 {
		b := []byte(i.stdout)
		b[len(b)/2] ^= 1
		i.stdout = string(b)
	}
	if c.fault(Truncated, "", i.node) {
		i.stdout = i.stdout[:len(i.stdout)*2/3]
	}
	switch documentStatus {
	case "Success":
		i.end("Success", "Success", now)
	case "TimedOut":
		i.end("TimedOut", "ExecutionTimedOut", now)
	case "Cancelled":
		i.end("Cancelled", "Cancelled", now)
	default:
		i.end("Failed", "Failed", now)
	}
}

// cut shortens output as the agent does: output of exactly the maximum length is marked too.
func cut(s string, most int, mark string) string {
	if len(s) < most {
		return s
	}
	return s[:most-len(mark)] + mark
}

// combined returns both outputs of a step in 2,500 characters. If they are longer, each gets half,
// and more if the other leaves some (agent/framework/processor/executer/iohandler, TruncateOutput).
func combined(stdout, stderr string) string {
	const outMark, errMark = "\n---Output truncated---", "\n---Error truncated----"
	title := ""
	if stderr != "" {
		title = "\n----------ERROR-------\n"
	}
	room := MaxOutput - len(title)
	switch {
	case len(stdout)+len(stderr) < room:
		return stdout + title + stderr
	case len(stdout) > room/2 && len(stderr) > room/2:
		each := (room - len(outMark) - len(errMark)) / 2
		return stdout[:each] + outMark + title + stderr[:each] + errMark
	case len(stdout) <= room/2:
		return stdout + title + stderr[:room-len(errMark)-len(stdout)] + errMark
	}
	return stdout[:room-len(outMark)-len(stderr)] + outMark + title + stderr
}

func (c *Cloud) newID() string {
	c.serial++
	return fmt.Sprintf("%08x-dc00-4000-8000-%012x", c.serial, c.serial*7919)
}
