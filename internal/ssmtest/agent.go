package ssmtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Agent is a small agent of a node: it fetches messages as amazon-ssm-agent 3.3 does, runs their shell scripts with /bin/sh in process groups
// of their own, at most five at once, installs packages (aws:configurePackage), and answers. Steps go on after one that failed, unless its onFailure is
// exit. It knows no other actions, no preconditions, and no finallyStep.
type Agent struct {
	Endpoint string // of the double, "http://127.0.0.1:…"
	Node     string
	Region   string
	Key      string   // the access key whose account the node is in; AccessKey if empty
	Env      []string // added to the scripts' environment; later values win
	Alone    bool     // the scripts see Env only, and nothing of this process's environment
	Folder   string   // where scripts are kept while they run, and packages for as long as they are installed, mode 0700
	Platform string   // as packages have it: "debian", "amazon" …; if empty, this machine's
	Arch     string   // "x86_64", "arm64"; if empty, this machine's

	Start func(*exec.Cmd) error // starts a script; if nil, the command's own Start

	mu      sync.Mutex
	seen    map[string]bool // ids of messages: a redelivery does not run twice
	running map[string]context.CancelFunc
	slots   chan struct{}
	work    sync.WaitGroup
}

// client keeps a connection for each of many agents that wait, and never goes through a proxy.
var client = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// pingEvery is how often an agent tells that it is there; the real one does so every 5 minutes.
const pingEvery = time.Minute

// Run serves until ctx ends; then commands that run are killed, as a stopped node's are.
func (a *Agent) Run(ctx context.Context) error {
	a.seen, a.running, a.slots = map[string]bool{}, map[string]context.CancelFunc{}, make(chan struct{}, 5)
	defer a.work.Wait()
	if err := a.ping(ctx); err != nil {
		return fmt.Errorf("register %s: %w", a.Node, err)
	}
	for pinged := time.Now(); ctx.Err() == nil; {
		if time.Since(pinged) > pingEvery && a.ping(ctx) == nil {
			pinged = time.Now()
		}
		var got struct {
			Messages []struct{ MessageId, Payload, Topic string }
		}
		err := a.post(ctx, "EC2WindowsMessageDeliveryService.GetMessages", map[string]any{"Destination": a.Node, "MessagesRequestId": rand.Text(), "VisibilityTimeoutInSeconds": 10}, &got)
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

// ping registers the node, or tells that it is still there.
func (a *Agent) ping(ctx context.Context) error {
	return a.post(ctx, "AmazonSSM.UpdateInstanceInformation", map[string]any{"InstanceId": a.Node, "AgentName": "amazon-ssm-agent",
		"AgentVersion": "3.3.0.0", "AgentStatus": "Active", "PlatformType": "Linux"}, nil)
}

type payload struct {
	Parameters         map[string]any
	DocumentContent    map[string]any
	CommandId          string
	OutputS3BucketName string
	OutputS3KeyPrefix  string
	CancelMessageId    string // of a message that ends another
}

// take says that a message is in progress, then acknowledges it, as the real agent does.
func (a *Agent) take(ctx context.Context, id, topic, text string) {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		_ = a.post(ctx, "EC2WindowsMessageDeliveryService.FailMessage", map[string]any{"MessageId": id, "FailureType": "InternalHandlerException"}, nil)
		return
	}
	a.reply(ctx, id, "InProgress", nil)
	_ = a.post(ctx, "EC2WindowsMessageDeliveryService.AcknowledgeMessage", map[string]any{"MessageId": id}, nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if strings.HasPrefix(topic, "aws.ssm.cancelCommand.") {
		if stop := a.running[p.CancelMessageId]; stop != nil {
			stop()
		}
		return
	}
	if a.seen[id] {
		return
	}
	a.seen[id] = true
	run, stop := context.WithCancel(ctx)
	a.running[id] = stop
	a.work.Add(1)
	go func() {
		defer a.work.Done()
		defer stop()
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		a.execute(ctx, run, id, p)
	}()
}

// execute runs the steps in order and sends the answers: one after each of several steps, with its result, and one at the end, which has the
// result only of a single step. ctx is the agent's, run the command's.
func (a *Agent) execute(ctx, run context.Context, id string, p payload) {
	given := map[string][]string{}
	for k, v := range p.Parameters {
		given[k] = texts(v)
	}
	lists := listParameters(p.DocumentContent)
	status, results := "Success", map[string]any{}
	steps, names := shellSteps(p.DocumentContent), stepNames(p.DocumentContent)
	for k, in := range steps {
		filled, _ := fill(in, given, lists).(map[string]any)
		s := a.script(run, p, filled)
		a.upload(ctx, p, k, s.whole)
		name := "aws:runShellScript" // schema 1.2
		if k < len(names) {
			name = names[k]
		}
		if len(steps) == 1 {
			results[name] = s.wire("aws:runShellScript")
		} else {
			a.reply(ctx, id, "InProgress", map[string]any{name: s.wire("aws:runShellScript")})
		}
		if s.status != "Success" && status != "Failed" { // a failure counts above a timeout and a cancellation
			status = s.status
		}
		if s.status == "Cancelled" || s.status != "Success" && filled["onFailure"] == "exit" {
			break
		}
	}
	for _, in := range stepInputs(p.DocumentContent, "aws:configurePackage") {
		filled, _ := fill(in, given, lists).(map[string]any)
		s := a.configure(run, p, filled)
		status, results["configurePackage"] = s.status, s.wire("aws:configurePackage")
	}
	if len(steps)+len(results) == 0 {
		status = "Failed"
	}
	a.reply(ctx, id, status, results)
}

// wire is a step's result as SendReplyPayload has it.
func (s plugin) wire(name string) map[string]any {
	return map[string]any{"status": s.status, "code": s.code, "name": name, "standardOutput": s.stdout, "standardError": s.stderr,
		"output": cut(s.stdout+s.stderr, MaxOutput, "---Error truncated----"), "startDateTime": s.started, "endDateTime": s.ended}
}

func (a *Agent) script(run context.Context, p payload, in map[string]any) plugin {
	lines := texts(in["runCommand"])
	timeout := time.Hour
	var seconds int
	if _, err := fmt.Sscan(strings.Join(texts(in["timeoutSeconds"]), ""), &seconds); err == nil && seconds >= 5 && seconds <= 172800 {
		timeout = time.Duration(seconds) * time.Second
	}
	ctx, cancel := context.WithTimeout(run, timeout)
	defer cancel()
	result := plugin{started: time.Now().UTC().Format(time.RFC3339)}
	file := filepath.Join(a.Folder, "script-"+rand.Text()+".sh")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o700); err != nil {
		return plugin{status: "Failed", code: 1, stderr: err.Error()}
	}
	defer os.Remove(file)
	cmd := exec.CommandContext(ctx, "/bin/sh", file)
	if !a.Alone {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(append(cmd.Env, "AWS_SSM_INSTANCE_ID="+a.Node, "AWS_SSM_REGION_NAME="+a.Region, "SSM_COMMAND_ID="+p.CommandId), a.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the whole group, no TERM
	cmd.WaitDelay = 2 * time.Second
	if dir, _ := in["workingDirectory"].(string); dir != "" {
		cmd.Dir = dir
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := a.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	err := start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	result.ended = time.Now().UTC().Format(time.RFC3339)
	result.status = "Success"
	var exit *exec.ExitError
	switch {
	case run.Err() != nil:
		result.status, result.code = "Cancelled", 137
	case ctx.Err() != nil:
		result.status, result.code = "TimedOut", 137
	case errors.As(err, &exit):
		result.status, result.code = "Failed", exit.ExitCode()
		fmt.Fprintf(&errs, "failed to run commands: exit status %d", result.code)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		result.status, result.code = "Failed", 1
		fmt.Fprintf(&errs, "failed to run commands: %v", err)
	}
	result.whole = out.Bytes()
	result.stdout, result.stderr = cut(out.String(), MaxStdout, truncatedMark), cut(errs.String(), MaxStderr, truncatedMark)
	return result
}

func (a *Agent) reply(ctx context.Context, id, status string, results map[string]any) {
	text, err := json.Marshal(map[string]any{"additionalInfo": map[string]any{"agent": map[string]string{"name": "amazon-ssm-agent", "lang": "en-US"}},
		"documentStatus": status, "documentTraceOutput": "", "runtimeStatus": results})
	if err != nil {
		return
	}
	for range 3 { // the real one keeps its replies and tries again
		if a.post(ctx, "EC2WindowsMessageDeliveryService.SendReply", map[string]any{"MessageId": id, "Payload": string(text), "ReplyId": rand.Text()}, nil) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// upload stores whole standard output in the command's bucket before the reply, as the real agent does, if the bucket answers.
func (a *Agent) upload(ctx context.Context, p payload, k int, whole []byte) {
	if p.OutputS3BucketName == "" {
		return
	}
	step := fmt.Sprintf("%d.awsrunShellScript", k)
	if names := stepNames(p.DocumentContent); k < len(names) {
		step = names[k]
	}
	address := a.Endpoint + "/" + p.OutputS3BucketName
	for _, r := range []struct {
		method, address string
		body            []byte
	}{
		{http.MethodHead, address, nil},
		{http.MethodPut, address + "/" + path.Join(p.OutputS3KeyPrefix, p.CommandId, a.Node) + "/awsrunShellScript/" + step + "/stdout", whole},
	} {
		req, err := http.NewRequestWithContext(ctx, r.method, r.address, bytes.NewReader(r.body))
		if err != nil {
			return
		}
		a.sign(req, "s3")
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return
		}
	}
}

// sign names the account and the region, and that is all that the double looks at.
func (a *Agent) sign(req *http.Request, service string) {
	key := a.Key
	if key == "" {
		key = AccessKey
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260102/"+a.Region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
}

// post sends one request.
func (a *Agent) post(ctx context.Context, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	service := "ec2messages"
	if strings.HasPrefix(target, "AmazonSSM.") {
		service = "ssm"
	}
	a.sign(req, service)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var said struct{ Message string }
		_ = json.NewDecoder(resp.Body).Decode(&said) // what it is else, the status says
		return fmt.Errorf("%s: %s %s", target, resp.Status, said.Message)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
