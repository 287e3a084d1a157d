package cloud_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"dropcap/internal/lab/cloud"
)

// wire sends what amazon-ssm-agent 3.3 puts on the wire, by its published source. These requests
// are written independently of the double's own agent, which would prove nothing about itself. No
// process of the real agent takes part here.
type wire struct {
	t         *testing.T
	url, node string
}

// reply is an answer, decoded as it came.
type reply struct {
	status int
	header http.Header
	text   string
	fields map[string]any
}

// send signs a request as the agent's SDK does and sends it.
func (a wire) send(ctx context.Context, service, method, address, body string,
	header map[string]string) (reply, error) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if host := header["Host"]; host != "" {
		req.Host = host
	}
	req.Header.Set("User-Agent",
		"aws-sdk-go/1.55.5 (go1.22.9; linux; amd64) amazon-ssm-agent/3.3.987.0")
	sum := sha256.Sum256([]byte(body))
	key := aws.Credentials{AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.SecretKey}
	if service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), service,
		"us-east-1", time.Now()); err != nil {
		a.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.fields)
	return r, nil
}

// call makes a JSON 1.1 request, with a body as text.
func (a wire) call(service, target, body string) reply {
	a.t.Helper()
	r, err := a.send(a.t.Context(), service, http.MethodPost, a.url+"/", body,
		map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

// mds makes a request to ec2messages that must succeed.
func (a wire) mds(operation, body string) map[string]any {
	a.t.Helper()
	r := a.call("ec2messages", "EC2WindowsMessageDeliveryService."+operation, body)
	if r.status != http.StatusOK {
		a.t.Fatalf("%s: %d %s", operation, r.status, r.text)
	}
	return r.fields
}

// poll is GetMessages; it waits at most that long for a message.
func (a wire) poll(most time.Duration) []map[string]any {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), most)
	defer cancel()
	r, err := a.send(ctx, "ec2messages", http.MethodPost, a.url+"/",
		`{"Destination":"`+a.node+
			`","MessagesRequestId":"6b5c1d0e-8a1f-4c55-9d5e-0f7a2b3c4d5e","VisibilityTimeoutInSeconds":10}`,
		map[string]string{"X-Amz-Target": "EC2WindowsMessageDeliveryService.GetMessages",
			"Content-Type": "application/x-amz-json-1.1"})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil || r.status != http.StatusOK || r.fields["Destination"] != a.node {
		a.t.Fatalf("GetMessages: %v, %+v", err, r)
	}
	var out []map[string]any
	list, _ := r.fields["Messages"].([]any)
	for _, m := range list {
		out = append(out, m.(map[string]any))
	}
	return out
}

func quoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return strings.TrimSpace(b.String())
}

// says is SendReply with a status; runtime is its runtimeStatus.
func (a wire) says(message, status, trace, runtime string) {
	a.t.Helper()
	payload :=
		`{"additionalInfo":{"agent":{"lang":"en-US","name":"amazon-ssm-agent","os":"","osver":"1","ver":"3.3.987.0"},"dateTime":"2026-01-02T03:04:05.678Z","runId":"",` +
			`"runtimeStatusCounts":{"Success":1},"ableToOpenMGSConnection":false},"documentStatus":"` +
			status + `","documentTraceOutput":` + quoted(trace) + `,"runtimeStatus":` + runtime +
			`}`
	a.mds("SendReply", `{"MessageId":"`+message+`","Payload":`+quoted(payload)+
		`,"ReplyId":"0d4b9a52-7a0b-4a3f-8b1c-2f6d5e4c3b2a"}`)
}

// takes does what the agent does with a message that it can read: it reports that it is in
// progress, then acknowledges it.
func (a wire) takes(message string) {
	a.t.Helper()
	a.says(message, "InProgress", "", "null")
	a.mds("AcknowledgeMessage", `{"MessageId":"`+message+`"}`)
}

// result is one entry of runtimeStatus.
func result(step, status string, code int, stdout, stderr string) string {
	text, _ := json.Marshal(code)
	both := stdout
	if stderr != "" {
		both += "\n----------ERROR-------\n" + stderr
	}
	return quoted(step) + `:{"status":"` + status + `","code":` + string(text) +
		`,"name":"aws:runShellScript","output":` + quoted(both) +
		`,"startDateTime":"2026-01-02T03:04:05.678Z","endDateTime":"2026-01-02T03:04:06.789Z","outputS3BucketName":"","outputS3KeyPrefix":"","stepName":"","standardOutput":` +
		quoted(stdout) + `,"standardError":` + quoted(stderr) + `}`
}

// attached starts a cloud without nodes, and an agent that introduces itself.
func attached(t *testing.T, clock cloud.Clock) (*cloud.Cloud, *ssm.Client, wire) {
	t.Helper()
	double, cfg, url := open(t, clock)
	a := wire{t, url, one}
	a.call("ssm", "AmazonSSM.UpdateInstanceInformation",
		`{"AgentName":"amazon-ssm-agent","AgentStatus":"Active","AgentVersion":"3.3.987.0","AvailabilityZone":"us-east-1a","AvailabilityZoneId":"",`+
			`"ComputerName":"ip-10-0-0-1","IPAddress":"10.0.0.1","InstanceId":"`+one+
			`","PlatformName":"Debian GNU/Linux","PlatformType":"Linux","PlatformVersion":"12","SSMConnectionChannel":"ec2messages"}`)
	return double, ssm.NewFromConfig(cfg), a
}

// only returns the only message, with its payload.
func (a wire) only() (message, payload map[string]any) {
	a.t.Helper()
	list := a.poll(5 * time.Second)
	if len(list) != 1 {
		a.t.Fatalf("%d messages", len(list))
	}
	if err := json.Unmarshal([]byte(list[0]["Payload"].(string)), &payload); err != nil {
		a.t.Fatal(err)
	}
	return list[0], payload
}
