package ssmtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// longPoll is how long GetMessages waits for one; the real service holds it for up to 20 s.
const longPoll = 10 * time.Second

// serveAgent is the side of the service that an agent on a node speaks. A node is known by the id that it says: identities are not checked.
func (c *Cloud) serveAgent(w http.ResponseWriter, r *http.Request, target string, body []byte) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, `{"__type":"SerializationException"}`, http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	who, f := c.caller(r)
	if f != nil {
		c.mu.Unlock()
		http.Error(w, `{"__type":"`+f.kind+`"}`, f.status)
		return
	}
	reg := c.region(who.account, who.region)
	var out any = map[string]any{}
	var err error
	switch target {
	case "AmazonSSM.UpdateInstanceInformation":
		c.heard(reg, in)
	case "AmazonSSM.ListInstanceAssociations":
		out = map[string]any{"Associations": []any{}}
	case "EC2WindowsMessageDeliveryService.GetMessages":
		out = c.getMessages(r, reg, str(in, "Destination"), str(in, "MessagesRequestId"))
	case "EC2WindowsMessageDeliveryService.SendReply":
		err = c.reply(reg, str(in, "MessageId"), str(in, "Payload"))
	case "EC2WindowsMessageDeliveryService.AcknowledgeMessage", "EC2WindowsMessageDeliveryService.DeleteMessage":
		reg.acknowledge(str(in, "MessageId"))
	case "EC2WindowsMessageDeliveryService.FailMessage":
		if cmd, i := reg.find(str(in, "MessageId")); i != nil && !i.over() {
			i.end("Failed", "Failed", c.clock.Now())
			c.step(reg, cmd)
		}
		reg.acknowledge(str(in, "MessageId"))
	}
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "InvalidRequestException", "message": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (r *region) acknowledge(id string) {
	if k := strings.LastIndex(id, "."); k >= 0 {
		if n := r.nodes[id[k+1:]]; n != nil {
			n.acknowledge(id)
		}
	}
}

// heard takes a ping.
func (c *Cloud) heard(r *region, in map[string]any) {
	n := r.nodes[str(in, "InstanceId")]
	if n == nil {
		return
	}
	n.LastPing, n.attached = c.clock.Now(), true
	for field, key := range map[*string]string{&n.AgentVersion: "AgentVersion", &n.Platform: "PlatformType", &n.PlatformName: "PlatformName",
		&n.PlatformVersion: "PlatformVersion", &n.Name: "ComputerName"} {
		if v := str(in, key); v != "" {
			*field = v
		}
	}
}

// getMessages waits for a message; the lock is given up meanwhile.
func (c *Cloud) getMessages(req *http.Request, r *region, id, request string) any {
	out := map[string]any{"Destination": id, "MessagesRequestId": request, "Messages": []any{}}
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
			if list := c.pending(n); len(list) > 0 {
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
