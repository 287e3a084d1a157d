package cloud

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// wire returns a step's result in the form of SendReplyPayload.
func (s plugin) wire() map[string]any {
	return map[string]any{"status": s.status, "code": s.code, "name": s.name, "output": s.output,
		"startDateTime": s.started, "endDateTime": s.ended,
		"standardOutput": cut(s.stdout, MaxStdout, truncatedMark),
		"standardError":  cut(s.stderr, MaxStderr, truncatedMark)}
}

// reply reports the state of a command, and returns whether the service received it.
func (a *Agent) reply(ctx context.Context, id, status string, results map[string]any) bool {
	agent := map[string]string{"name": "amazon-ssm-agent", "lang": "en-US"}
	text, err := json.Marshal(
		map[string]any{"additionalInfo": map[string]any{"agent": agent},
			"documentStatus": status, "documentTraceOutput": "", "runtimeStatus": results})
	if err != nil {
		return false
	}
	for range 3 { // the real one keeps its replies and tries again
		if a.post(ctx, "EC2WindowsMessageDeliveryService.SendReply", map[string]any{"MessageId": id,
			"Payload": string(text), "ReplyId": rand.Text()}, nil) == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return false
}

// upload stores what a step has written, whole, in the command's bucket, before the reply, as the
// real agent does, if the bucket answers. First it asks for the bucket's region and encryption.
func (a *Agent) upload(ctx context.Context, p payload, folder string, s plugin) {
	for _, out := range []struct{ name, text string }{{"stdout", s.whole}, {"stderr", s.wholeErr}} {
		if p.OutputS3BucketName == "" || out.text == "" {
			continue
		}
		bucket := a.Endpoint + "/" + p.OutputS3BucketName
		_, _ = a.object(ctx, http.MethodHead, bucket, "", nil)
		header := map[string]string{"X-Amz-Acl": "bucket-owner-full-control",
			"Content-Type": "text/plain"}
		var e encryption
		if body, err := a.object(ctx, http.MethodGet, bucket+"?encryption=", "", nil); err == nil &&
			xml.Unmarshal(body, &e) == nil {
			header["X-Amz-Server-Side-Encryption"] = e.Algorithm
		}
		key := keyOf(p.OutputS3KeyPrefix, p.CommandId, a.Node) + "/awsrunShellScript/" + folder +
			"/" + out.name
		// an upload that fails leaves nothing
		_, _ = a.object(ctx, http.MethodPut, bucket+"/"+key, out.text, header)
	}
}

// keyOf joins parts of a key as the agent does: with single slashes, and none in front.
func keyOf(parts ...string) string { return strings.TrimPrefix(path.Join(parts...), "/") }

// object makes one request to S3.
func (a *Agent) object(ctx context.Context, method, address, text string,
	header map[string]string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if err := a.Key.Sign(req, []byte(text), "s3", a.Region); err != nil {
		return nil, err
	}
	return answered(req)
}

// answered sends a request, and returns the body of its answer.
func answered(req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(nil, resp.Body, maxObject)); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var answer struct{ Type, Message string }
		// otherwise the status is enough
		_ = json.Unmarshal(bytes.Replace(body.Bytes(), []byte(`"__type"`), []byte(`"type"`), 1),
			&answer)
		return nil, fmt.Errorf("%s: %s %s", resp.Status, answer.Type, answer.Message)
	}
	return body.Bytes(), nil
}

// post sends one JSON 1.1 request.
func (a *Agent) post(ctx context.Context, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+"/",
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	service := "ec2messages"
	if strings.HasPrefix(target, "AmazonSSM.") {
		service = "ssm"
	}
	if err := a.Key.Sign(req, body, service, a.Region); err != nil {
		return err
	}
	text, err := answered(req)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
