package cloud_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"dropcap/internal/lab/cloud"
)

func TestTheAnswerToSendCommandHasCountedNothingYet(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one, Simulated: answers("", 0)})
	// the document does not support this one: it ends at once
	double.Add(cloud.Node{ID: two, Platform: "Windows"})
	c := ssm.NewFromConfig(cfg)
	out, err := c.SendCommand(t.Context(),
		&ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"),
			InstanceIds: []string{one, two}, MaxErrors: aws.String("100%"),
			Parameters: map[string][]string{"commands": {"true"}}})
	if err != nil {
		t.Fatal(err)
	}
	if k := out.Command; k.TargetCount != 0 || k.CompletedCount != 0 || k.ErrorCount != 0 ||
		k.Status != "Pending" {
		t.Errorf("%d of %d, %d failed, %s", k.CompletedCount, k.TargetCount, k.ErrorCount, k.Status)
	}
	list, err := c.ListCommands(t.Context(),
		&ssm.ListCommandsInput{CommandId: out.Command.CommandId})
	if err != nil || list.Commands[0].TargetCount != 2 || list.Commands[0].CompletedCount != 2 {
		t.Errorf("later: %v, %+v", err, list)
	}
}

func TestACommandThatThereIsNotIsAnError(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one})
	c, id := ssm.NewFromConfig(cfg), aws.String("11111111-2222-3333-4444-555555555555")
	_, list := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: id})
	_, commands := c.ListCommands(t.Context(), &ssm.ListCommandsInput{CommandId: id})
	_, got := c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: id,
		InstanceId: aws.String(one)})
	for name, err := range map[string]error{"ListCommandInvocations": list,
		"ListCommands": commands, "GetCommandInvocation": got} {
		if code(err) != "InvalidCommandId" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{}); err != nil {
		t.Errorf("all of them, of which there are none: %v", err)
	}
}

func TestWhatIsBeingCancelledSaysSoTwice(t *testing.T) {
	_, c, a := attached(t, nil)
	id := send(t, c, nil)
	m, _ := a.only()
	a.takes(m["MessageId"].(string))
	if _, err := c.CancelCommand(t.Context(), &ssm.CancelCommandInput{CommandId: &id}); err != nil {
		t.Fatal(err)
	}
	if out := get(t, c, id, one); out.Status != "Cancelling" || *out.StatusDetails != "Cancelling" {
		t.Errorf("%s, %s", out.Status, *out.StatusDetails)
	}
}

func TestAStepsOutputAloneIsWhatIsListed(t *testing.T) {
	_, c, a := attached(t, nil)
	id := send(t, c, nil)
	m, _ := a.only()
	message := m["MessageId"].(string)
	a.takes(message)
	a.says(message, "Failed", "",
		`{"aws:runShellScript":{"status":"Failed","code":1,"name":"aws:runShellScript","output":"document process failed unexpectedly","standardOutput":"","standardError":""}}`)
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
	const failed = "document process failed unexpectedly"
	if err != nil || *list.CommandInvocations[0].CommandPlugins[0].Output != failed {
		t.Errorf("%v, %+v", err, list)
	}
	if out := get(t, c, id, one); *out.StandardOutputContent != "" || out.ResponseCode != 1 {
		t.Errorf("%q, %d", *out.StandardOutputContent, out.ResponseCode)
	}
}

func TestEveryAnswerOfABucketHasItsRegion(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Bucket(cloud.DefaultAccount, "eu-west-1", "far")
	double.Bucket(cloud.DefaultAccount, "us-east-1", "near")
	for name, tt := range map[string]struct {
		status int
		region string
	}{"near": {200, "us-east-1"}, "far": {301, "eu-west-1"}, "none": {404, "us-east-1"}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url+"/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := cloud.DefaultKey.Sign(req, nil, "s3", "us-east-1"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Amz-Bucket-Region"); resp.StatusCode != tt.status ||
			got != tt.region {
			t.Errorf("%s: %d, %q", name, resp.StatusCode, got)
		}
	}
	resp, err := http.Head(url + "/far") // unsigned
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden ||
		resp.Header.Get("X-Amz-Bucket-Region") != "eu-west-1" {
		t.Errorf("unsigned: %s, %v", resp.Status, resp.Header)
	}
	_, err = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
	}).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("none")})
	if code(err) != "NotFound" {
		t.Errorf("%v", err)
	}
}

// The outputs of a step in 2,500 characters: the longer of the two is cut, or both.
func TestBothOutputsShareWhatIsListed(t *testing.T) {
	for name, tt := range map[string]struct {
		stdout, stderr int
		ends           []string
	}{
		"short":         {10, 10, nil},
		"a long output": {5000, 10, []string{"---Output truncated---"}},
		"a long error":  {10, 5000, []string{"---Error truncated----"}},
		"both": {5000, 5000, []string{"---Output truncated---",
			"---Error truncated----"}},
		"exactly 2,500":      {2500, 0, []string{"---Output truncated---"}},
		"one less":           {2499, 0, nil},
		"2,500 with a title": {2400, 78, []string{"---Output truncated---"}},
	} {
		double, cfg, _ := open(t, nil)
		double.Add(cloud.Node{ID: one, Simulated: func(cloud.Script) (string, string, int) {
			return strings.Repeat("o", tt.stdout), strings.Repeat("e", tt.stderr), 0
		}})
		c := ssm.NewFromConfig(cfg)
		id := send(t, c, nil)
		list, err := c.ListCommandInvocations(t.Context(),
			&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
		if err != nil {
			t.Fatal(err)
		}
		text := *list.CommandInvocations[0].CommandPlugins[0].Output
		title := ""
		if tt.stderr > 0 {
			title = "\n----------ERROR-------\n"
		}
		whole := text == strings.Repeat("o", tt.stdout)+title+strings.Repeat("e", tt.stderr)
		if len(text) > 2500 || whole != (len(tt.ends) == 0) || !strings.Contains(text, title) {
			t.Errorf("%s: %d characters", name, len(text))
		}
		for _, mark := range tt.ends {
			if !strings.Contains(text, mark) {
				t.Errorf("%s: no %q", name, mark)
			}
		}
	}
}
