package cloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long GetMessages waits for a message (the real service holds it for up to 20 s; the agent
// gives up after 20 s), and how long a message is hidden after delivery unless the agent says
// otherwise.
const (
	longPoll   = 10 * time.Second
	visibility = 10 * time.Second
)

// agentNeeds are the required fields of an agent's requests, and their minimum lengths
// (amazon-ssm-agent, its own client's checks).
var agentNeeds = map[string]map[string]int{
	"AmazonSSM.UpdateInstanceInformation": {"InstanceId": 10},
	"AmazonSSM.ListInstanceAssociations":  {"InstanceId": 10},
	"AmazonSSM.GetManifest":               {"PackageName": 1},
	"AmazonSSM.PutConfigurePackageResult": {"PackageName": 1, "Operation": 1},
	"EC2WindowsMessageDeliveryService.GetMessages": {"Destination": 10,
		"MessagesRequestId": 16},
	"EC2WindowsMessageDeliveryService.AcknowledgeMessage": {"MessageId": 16},
	"EC2WindowsMessageDeliveryService.DeleteMessage":      {"MessageId": 16},
	"EC2WindowsMessageDeliveryService.FailMessage":        {"MessageId": 16, "FailureType": 1},
	"EC2WindowsMessageDeliveryService.SendReply": {"MessageId": 16, "ReplyId": 16,
		"Payload": 1},
}

// serveAgent serves the agents. A node is known by the id in the request: identities are not
// checked.
func (c *Cloud) serveAgent(w http.ResponseWriter, r *http.Request, target string, body []byte) {
	out, f := c.answerAgent(r, target, body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("x-amzn-RequestId", requestID)
	if f != nil {
		w.WriteHeader(f.status)
		out = map[string]string{"__type": f.kind, "message": f.message}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (c *Cloud) answerAgent(r *http.Request, target string, body []byte) (any, *failure) {
	prefix, operation, _ := strings.Cut(target, ".")
	service := map[bool]string{true: "ssm", false: "ec2messages"}[prefix == "AmazonSSM"]
	who, why := c.authenticate(r, service, digestOf(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	if why != nil {
		return nil, why.byJSON(http.StatusBadRequest)
	}
	in, f := readAgent(target, body)
	if f != nil {
		return nil, f
	}
	reg := c.region(who.account, who.region)
	nothing := map[string]any{}
	switch operation {
	case "UpdateInstanceInformation":
		return nothing, c.ping(reg, in)
	case "ListInstanceAssociations":
		return map[string]any{"Associations": []any{}}, nil
	case "GetManifest", "PutConfigurePackageResult":
		return nothing, c.distributor(reg, operation, in)
	case "GetMessages":
		return c.getMessages(r, reg, in), nil
	case "SendReply":
		return map[string]any{"MessageId": str(in, "MessageId"), "ReplyId": str(in, "ReplyId")},
			c.reply(reg, str(in, "MessageId"), str(in, "Payload"))
	case "FailMessage":
		if cmd, i := reg.find(str(in, "MessageId")); i != nil && !i.over() {
			i.end("Failed", "Failed", c.clock.Now())
			c.step(reg, cmd)
		}
	}
	reg.acknowledge(str(in, "MessageId"))
	return nothing, nil
}

// distributor answers the requests around the installation of a package. GetManifest knows only
// AWS's own packages, none of which exist here: only its ResourceNotFoundException makes the agent
// take a name for that of a document.
func (c *Cloud) distributor(r *region, operation string, in map[string]any) *failure {
	f := c.gate("ssm:" + operation)
	if f == nil && operation == "GetManifest" {
		f = fail("ResourceNotFoundException", "The package %s does not exist.",
			str(in, "PackageName"))
	}
	c.note("ssm:"+operation, r.region, f)
	return f
}

// readAgent checks a request of an agent. It ignores unknown fields: later versions of the agent
// send more.
func readAgent(target string, body []byte) (map[string]any, *failure) {
	needs, ok := agentNeeds[target]
	if !ok {
		return nil, fail("UnknownOperationException", "%s is not known here", target)
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fail("SerializationException", "the request is not JSON")
	}
	for _, name := range sortedKeys(needs) {
		if len(str(in, name)) < needs[name] {
			return nil, fail("ValidationException",
				"1 validation error detected: Value at '%s' failed to satisfy constraint: Member "+
					"must have length greater than or equal to %d", lowerFirst(name), needs[name])
		}
	}
	if kind := str(in, "FailureType"); kind != "" &&
		!slices.Contains([]string{"InternalHandlerException", "NoHandlerExists"}, kind) {
		return nil, fail("ValidationException",
			"1 validation error detected: Value at 'failureType' failed to satisfy constraint: "+
				"Member must satisfy enum value set: [InternalHandlerException, NoHandlerExists]")
	}
	return in, nil
}

// refuseChannel answers an agent that wants the control channel of ssmmessages, which is not
// implemented. After this error, in XML, amazon-ssm-agent regards ec2messages as its channel. Any
// refusal leaves it polling that, and it asks again, at growing intervals, for ever. It asks only
// by TLS.
func (c *Cloud) refuseChannel(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.TLS == nil {
		http.Error(w, "Client sent an HTTP request to an HTTPS server.", http.StatusBadRequest)
		return
	}
	who, why := c.authenticate(r, "ssmmessages", digestOf(body))
	f := why.byJSON(http.StatusForbidden)
	if f == nil {
		f = &failure{http.StatusForbidden, "AccessDeniedException",
			"ssmmessages is not served here"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note("ssmmessages:CreateControlChannel", who.region, f)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	fmt.Fprintf(w, "<%s><Message>%s</Message></%s>", f.kind, escape(f.message), f.kind)
}

func (r *region) acknowledge(id string) {
	if k := strings.LastIndex(id, "."); k >= 0 {
		if n := r.nodes[id[k+1:]]; n != nil {
			n.acknowledge(id)
		}
	}
}

var nodeForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(i-([0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$`)
})

// ping handles a ping. An agent's first ping registers its node, as for an instance with a role.
func (c *Cloud) ping(r *region, in map[string]any) *failure {
	id := str(in, "InstanceId")
	n := r.nodes[id]
	if n == nil {
		if !nodeForm().MatchString(id) {
			return fail("InvalidInstanceId", "The instance ID %s is not valid.", id)
		}
		n = &Node{ID: id, Account: r.account, Region: r.region, Name: id, Platform: "Linux",
			Tags: map[string]string{}}
		r.nodes[id], r.order = n, append(r.order, id)
	}
	n.LastPing, n.attached = c.clock.Now(), true
	for field, key := range map[*string]string{&n.AgentVersion: "AgentVersion",
		&n.Platform: "PlatformType", &n.PlatformName: "PlatformName",
		&n.PlatformVersion: "PlatformVersion", &n.Name: "ComputerName"} {
		if v := str(in, key); v != "" {
			*field = v
		}
	}
	return nil
}

// getMessages waits for a message; it releases the lock meanwhile.
func (c *Cloud) getMessages(req *http.Request, r *region, in map[string]any) any {
	id := str(in, "Destination")
	hide := time.Duration(integer(in, "VisibilityTimeoutInSeconds",
		int(visibility/time.Second))) * time.Second
	out := map[string]any{"Destination": id, "MessagesRequestId": str(in, "MessagesRequestId"),
		"Messages": []any{}}
	end := time.After(longPoll)
	for {
		n := r.nodes[id]
		if n == nil {
			return out
		}
		if !n.Gone {
			n.LastPing = c.clock.Now()
			for _, cmd := range r.sequence {
				c.step(r, cmd)
			}
			if list := c.pending(n, hide); len(list) > 0 {
				wire := []any{}
				for _, m := range list {
					wire = append(wire, m.wire(c.clock.Now()))
				}
				out["Messages"] = wire
				return out
			}
		}
		if n.woken == nil {
			n.woken = make(chan struct{})
		}
		woken := n.woken
		c.mu.Unlock()
		select {
		case <-woken:
			c.mu.Lock()
		case <-end:
			c.mu.Lock()
			return out
		case <-req.Context().Done():
			c.mu.Lock()
			return out
		}
	}
}
