package cloud

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Agent is a node's small agent. It fetches messages as amazon-ssm-agent 3.3 does, runs their shell
// scripts in process groups of their own, at most five at once, installs packages
// (aws:configurePackage), and answers. It records in its folder which messages it got, so that its
// successor after a kill runs nothing twice. It supports no other actions.
type Agent struct {
	Endpoint string // of the double, "http://127.0.0.1:…"
	Channel  string // where it asks for ssmmessages, "https://127.0.0.1:…"; empty: it does not ask
	Roots    *x509.CertPool
	Node     string
	Region   string
	Key      Key      // of the node's account; DefaultKey if empty
	Env      []string // added to the scripts' environment; later values win
	Alone    bool     // the scripts see Env only, and nothing of this process's environment
	// holds scripts while they run, and packages while they are installed, mode 0700
	Folder   string
	Platform string // as named in packages: "debian", "amazon" …; this machine's if empty
	Arch     string // "x86_64", "arm64"; this machine's if empty
	Clock    Waiter // for long waits; nil means the wall clock

	Start func(*exec.Cmd) error // starts a script; nil means the command's own Start

	mu      sync.Mutex
	running map[string]context.CancelFunc
	slots   chan struct{}
	work    sync.WaitGroup
}

// client keeps a connection for each of many waiting agents, and never uses a proxy.
var client = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// pingEvery is how often an agent reports that it is alive; the real one does so every 5 minutes.
const pingEvery = time.Minute

// Run serves until ctx ends; then it kills the running commands, as on a stopped node. A later run
// with the same folder reports them.
func (a *Agent) Run(ctx context.Context) error {
	a.running, a.slots = map[string]context.CancelFunc{}, make(chan struct{}, 5)
	if a.Clock == nil {
		a.Clock = wall{}
	}
	if a.Key == (Key{}) {
		a.Key = DefaultKey
	}
	defer a.work.Wait()
	if err := a.openBooks(); err != nil {
		return err
	}
	if err := a.ping(ctx); err != nil {
		return fmt.Errorf("register %s: %w", a.Node, err)
	}
	for _, u := range a.unfinished() {
		a.work.Go(func() { a.reportLost(ctx, u) })
	}
	if a.Channel != "" {
		a.work.Go(func() { a.askForChannel(ctx) })
	}
	for pinged := time.Now(); ctx.Err() == nil; {
		if time.Since(pinged) > pingEvery && a.ping(ctx) == nil {
			pinged = time.Now()
		}
		var got struct {
			Messages []struct{ MessageId, Payload, Topic string }
		}
		err := a.post(ctx, "EC2WindowsMessageDeliveryService.GetMessages",
			map[string]any{"Destination": a.Node, "MessagesRequestId": rand.Text(),
				"VisibilityTimeoutInSeconds": 10}, &got)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		for _, m := range got.Messages {
			a.take(ctx, m.MessageId, m.Topic, m.Payload)
		}
	}
	return nil
}

// ping registers the node, or reports that it is still alive.
func (a *Agent) ping(ctx context.Context) error {
	return a.post(ctx, "AmazonSSM.UpdateInstanceInformation", map[string]any{"InstanceId": a.Node,
		"AgentName":    "amazon-ssm-agent",
		"AgentVersion": "3.3.0.0", "AgentStatus": "Active", "PlatformType": "Linux"}, nil)
}

type payload struct {
	Parameters         map[string]any
	DocumentContent    map[string]any
	CommandId          string
	OutputS3BucketName string
	OutputS3KeyPrefix  string
	CancelMessageId    string // of a message that cancels another
}

// take reports that a message is in progress, then acknowledges it, as the real agent does.
func (a *Agent) take(ctx context.Context, id, topic, text string) {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		_ = a.post(ctx, "EC2WindowsMessageDeliveryService.FailMessage",
			map[string]any{"MessageId": id, "FailureType": "InternalHandlerException"}, nil)
		return
	}
	cancels := strings.HasPrefix(topic, "aws.ssm.cancelCommand.")
	isNew := !cancels && a.record(id, p)
	a.reply(ctx, id, "InProgress", nil)
	_ = a.post(ctx, "EC2WindowsMessageDeliveryService.AcknowledgeMessage",
		map[string]any{"MessageId": id}, nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if stop := a.running[p.CancelMessageId]; cancels && stop != nil {
		stop()
	}
	if !isNew {
		return
	}
	run, stop := context.WithCancel(ctx)
	a.running[id] = stop
	a.work.Go(func() {
		defer stop()
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		a.execute(ctx, run, id, p)
	})
}

// The first wait before asking for ssmmessages again (agent/session/config: 5 to 10 s), and the
// longest.
const (
	firstChannelWait = 10 * time.Second
	mostChannelWait  = 40 * time.Minute
)

// askForChannel asks for the control channel of ssmmessages, and repeats that after each refusal,
// at growing intervals, for ever. Messages arrive through ec2messages.
func (a *Agent) askForChannel(ctx context.Context) {
	transport := &http.Transport{TLSClientConfig: trusting(a.Roots)}
	defer transport.CloseIdleConnections()
	secure := http.Client{Transport: transport}
	for wait := firstChannelWait; ; wait = min(2*wait, mostChannelWait) {
		body := []byte(`{"MessageSchemaVersion":"1.0","RequestId":"` + rand.Text() + `"}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost,
			a.Channel+"/v1/control-channel/"+a.Node, strings.NewReader(string(body)))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		if a.Key.Sign(req, body, "ssmmessages", a.Region) != nil {
			return
		}
		if resp, err := secure.Do(req); err == nil {
			resp.Body.Close()
		}
		if a.Clock.Sleep(ctx, wait) != nil {
			return
		}
	}
}
