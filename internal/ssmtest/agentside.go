package ssmtest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// How long GetMessages waits for one (the real service holds it for up to 20 s; the agent gives up after 20 s), and for how long a message is not
// given out again where the agent does not say.
const (
	longPoll   = 10 * time.Second
	visibility = 10 * time.Second
)

// agentNeeds is what a request of an agent must have, and how long it must be at least (amazon-ssm-agent, its own client's checks).
var agentNeeds = map[string]map[string]int{
	"AmazonSSM.UpdateInstanceInformation":                 {"InstanceId": 10},
	"AmazonSSM.ListInstanceAssociations":                  {"InstanceId": 10},
	"EC2WindowsMessageDeliveryService.GetMessages":        {"Destination": 10, "MessagesRequestId": 16},
	"EC2WindowsMessageDeliveryService.AcknowledgeMessage": {"MessageId": 16},
	"EC2WindowsMessageDeliveryService.DeleteMessage":      {"MessageId": 16},
	"EC2WindowsMessageDeliveryService.FailMessage":        {"MessageId": 16, "FailureType": 1},
	"EC2WindowsMessageDeliveryService.SendReply":          {"MessageId": 16, "ReplyId": 16, "Payload": 1},
}

// serveAgent is the side of the service that an agent on a node speaks. A node is known by the id that it says: identities are not checked.
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
	c.mu.Lock()
	defer c.mu.Unlock()
	who, f := c.caller(r)
	if f != nil {
		return nil, f
	}
	in, f := readAgent(who, target, body)
	if f != nil {
		return nil, f
	}
	reg := c.region(who.account, who.region)
	nothing := map[string]any{}
	switch _, operation, _ := strings.Cut(target, "."); operation {
	case "UpdateInstanceInformation":
		return nothing, c.heard(reg, in)
	case "ListInstanceAssociations":
		return map[string]any{"Associations": []any{}}, nil
	case "GetMessages":
		return c.getMessages(r, reg, in), nil
	case "SendReply":
		return map[string]any{"MessageId": str(in, "MessageId"), "ReplyId": str(in, "ReplyId")}, c.reply(reg, str(in, "MessageId"), str(in, "Payload"))
	case "FailMessage":
		if cmd, i := reg.find(str(in, "MessageId")); i != nil && !i.over() {
			i.end("Failed", "Failed", c.clock.Now())
			c.step(reg, cmd)
		}
	}
	reg.acknowledge(str(in, "MessageId"))
	return nothing, nil
}

// readAgent checks a request of an agent. Fields that are not known here pass: agents of later versions say more of themselves.
func readAgent(who caller, target string, body []byte) (map[string]any, *failure) {
	needs, ok := agentNeeds[target]
	if !ok {
		return nil, fail("UnknownOperationException", "%s is not known here", target)
	}
	if service := map[bool]string{true: "ssm", false: "ec2messages"}[strings.HasPrefix(target, "AmazonSSM.")]; who.service != service {
		return nil, fail("InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", service)
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fail("SerializationException", "the request is not JSON")
	}
	for _, name := range sortedKeys(needs) {
		if len(str(in, name)) < needs[name] {
			return nil, fail("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to %d", lowerFirst(name), needs[name])
		}
	}
	if kind := str(in, "FailureType"); kind != "" && !slices.Contains([]string{"InternalHandlerException", "NoHandlerExists"}, kind) {
		return nil, fail("ValidationException", "1 validation error detected: Value at 'failureType' failed to satisfy constraint: Member must satisfy enum value set: [InternalHandlerException, NoHandlerExists]")
	}
	return in, nil
}

// refuseChannel answers an agent that wants the control channel of ssmmessages, which is not here. By this word, in XML, amazon-ssm-agent turns to
// ec2messages for good; after any other refusal it polls ec2messages too, but goes on asking.
func refuseChannel(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte("<AccessDeniedException><Message>ssmmessages is not served here</Message></AccessDeniedException>"))
}

func (r *region) acknowledge(id string) {
	if k := strings.LastIndex(id, "."); k >= 0 {
		if n := r.nodes[id[k+1:]]; n != nil {
			n.acknowledge(id)
		}
	}
}

var nodeForm = regexp.MustCompile(`^(i-([0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$`)

// heard takes a ping. An agent that says who it is for the first time registers its node, as an instance with a role does.
func (c *Cloud) heard(r *region, in map[string]any) *failure {
	id := str(in, "InstanceId")
	n := r.nodes[id]
	if n == nil {
		if !nodeForm.MatchString(id) {
			return fail("InvalidInstanceId", "The instance ID %s is not valid.", id)
		}
		n = &Node{ID: id, Account: r.account, Region: r.region, Name: id, Platform: "Linux", Tags: map[string]string{}}
		r.nodes[id], r.order = n, append(r.order, id)
	}
	n.LastPing, n.attached = c.clock.Now(), true
	for field, key := range map[*string]string{&n.AgentVersion: "AgentVersion", &n.Platform: "PlatformType", &n.PlatformName: "PlatformName",
		&n.PlatformVersion: "PlatformVersion", &n.Name: "ComputerName"} {
		if v := str(in, key); v != "" {
			*field = v
		}
	}
	return nil
}

// getMessages waits for a message; the lock is given up meanwhile.
func (c *Cloud) getMessages(req *http.Request, r *region, in map[string]any) any {
	id := str(in, "Destination")
	hide := time.Duration(integer(in, "VisibilityTimeoutInSeconds", int(visibility/time.Second))) * time.Second
	out := map[string]any{"Destination": id, "MessagesRequestId": str(in, "MessagesRequestId"), "Messages": []any{}}
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
