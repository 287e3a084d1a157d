package cloud_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

func TestTheWireOfAnAgentThatStarts(t *testing.T) {
	_, cfg, url := open(t, nil)
	a := wire{t, url, one}
	t.Run("an empty ping registers it", func(t *testing.T) {
		r := a.call("ssm", "AmazonSSM.UpdateInstanceInformation",
			`{"AgentName":"amazon-ssm-agent","AgentStatus":"EC2DetectorStatus:false_IMDSEC2Status:false","AgentVersion":"3.3.987.0","InstanceId":"`+one+`","PlatformType":"Linux"}`)
		if r.status != http.StatusOK || r.fields == nil {
			t.Fatalf("%d %s", r.status, r.text)
		}
	})
	t.Run("it has no associations", func(t *testing.T) {
		r := a.call("ssm", "AmazonSSM.ListInstanceAssociations", `{"InstanceId":"`+one+
			`","MaxResults":20}`)
		if list, ok := r.fields["Associations"].([]any); r.status != http.StatusOK || !ok ||
			len(list) != 0 || r.fields["NextToken"] != nil {
			t.Errorf("%d %s", r.status, r.text)
		}
	})
	t.Run("what it tells of itself is told on", func(t *testing.T) {
		a.call("ssm", "AmazonSSM.UpdateInstanceInformation",
			`{"AgentName":"amazon-ssm-agent","AgentStatus":"Active","AgentVersion":"3.3.987.0","ComputerName":"ip-10-0-0-1","IPAddress":"10.0.0.1","InstanceId":"`+one+`","PlatformName":"Debian GNU/Linux","PlatformType":"Linux","PlatformVersion":"12","SSMConnectionChannel":"ec2messages"}`)
		out, err := ssm.NewFromConfig(cfg).DescribeInstanceInformation(t.Context(),
			&ssm.DescribeInstanceInformationInput{})
		if err != nil || len(out.InstanceInformationList) != 1 {
			t.Fatalf("%v, %+v", err, out)
		}
		n := out.InstanceInformationList[0]
		if *n.InstanceId != one || *n.ComputerName != "ip-10-0-0-1" ||
			*n.AgentVersion != "3.3.987.0" || *n.PlatformName != "Debian GNU/Linux" ||
			n.PingStatus != types.PingStatusOnline {
			t.Errorf("%+v", n)
		}
	})
	t.Run("what is not done here is refused so that it goes on", func(t *testing.T) {
		r := a.call("ssm", "AmazonSSM.ListAssociations",
			`{"AssociationFilterList":[{"key":"InstanceId","value":"`+one+`"}],"MaxResults":1}`)
		if r.status != http.StatusBadRequest || r.fields["__type"] != "UnknownOperationException" {
			t.Errorf("%d %s", r.status, r.text)
		}
	})
}

func TestTheWireOfACommand(t *testing.T) {
	double, c, a := attached(t, nil)
	early := make(chan []map[string]any, 1)
	go func() { early <- a.poll(9 * time.Second) }() // a long poll that begins before the command
	testenv.Eventually(t, 5*time.Second, "long poll", func() bool {
		return double.Polls(cloud.DefaultAccount, "us-east-1", one)
	})
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.OutputS3BucketName, in.OutputS3KeyPrefix = aws.String("logs"), aws.String("some/prefix")
	})
	list := <-early
	if len(list) != 1 {
		t.Fatalf("the long poll gave %d messages", len(list))
	}
	m := list[0]
	message := "aws.ssm." + id + "." + one
	if m["MessageId"] != message || m["Destination"] != one ||
		!strings.HasPrefix(m["Topic"].(string), "aws.ssm.sendCommand.") {
		t.Errorf("%v", m)
	}
	// The agent extracts the command's id from the message's by splitting at dots, and rejects an
	// empty date; the model requires 24 characters.
	if date := m["CreatedDate"].(string); !regexp.MustCompile(
		`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(date) {
		t.Errorf("CreatedDate is %s", date)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(m["Payload"].(string)), &p); err != nil {
		t.Fatal(err)
	}
	content, _ := p["DocumentContent"].(map[string]any)
	given, _ := p["Parameters"].(map[string]any)
	if p["CommandId"] != id || p["DocumentName"] != "AWS-RunShellScript" ||
		content["schemaVersion"] != "1.2" || content["runtimeConfig"] == nil ||
		content["parameters"] == nil {
		t.Errorf("%v", p)
	}
	// A list stays a list, a text a text; the agent itself appends COMMAND/NODE to the prefix, and
	// CloudWatchOutputEnabled must be a text.
	if lines, ok := given["commands"].([]any); !ok || len(lines) != 1 || lines[0] != "echo hello" ||
		given["executionTimeout"] != "3600" {
		t.Errorf("%v", given)
	}
	if p["OutputS3BucketName"] != "logs" || p["OutputS3KeyPrefix"] != "some/prefix" ||
		p["CloudWatchOutputEnabled"] != "false" || p["CloudWatchLogGroupName"] != "" {
		t.Errorf("%v", p)
	}
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusPending {
		t.Errorf("before anything was said it is %s", s)
	}
	a.takes(message)
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusInProgress {
		t.Errorf("in progress it is %s", s)
	}
	step := result("aws:runShellScript", "Failed", 3, "hello\n",
		"failed to run commands: exit status 3")
	a.says(message, "InProgress", "", "{"+step+"}") // after the step
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusInProgress {
		t.Errorf("after the step it is %s", s)
	}
	// at the end; with a single step it repeats the result
	a.says(message, "Failed", "", "{"+step+"}")
	a.mds("DeleteMessage", `{"MessageId":"`+message+`"}`)
	out := get(t, c, id, one)
	if out.Status != types.CommandInvocationStatusFailed || out.ResponseCode != 3 ||
		*out.StandardOutputContent != "hello\n" ||
		*out.StandardErrorContent != "failed to run commands: exit status 3" {
		t.Errorf("%s %d %q %q", out.Status, out.ResponseCode, *out.StandardOutputContent,
			*out.StandardErrorContent)
	}
	// a reply that it kept and sends once more
	a.says(message, "Success", "", "{"+result("aws:runShellScript", "Success", 0, "again", "")+"}")
	if out := get(t, c, id, one); out.ResponseCode != 3 {
		t.Error("a late reply changed the result")
	}
}

func TestTheWireOfADocumentOfSeveralSteps(t *testing.T) {
	double, c, a := attached(t, nil)
	double.Document(cloud.DefaultAccount, "us-east-1", "two-steps",
		`{"schemaVersion":"2.2","description":"x","mainSteps":[
		{"action":"aws:runShellScript","name":"second","inputs":{"runCommand":["echo 1"]}},{"action":"aws:runShellScript","name":"first","inputs":{"runCommand":["echo 2; exit 4"]}}]}`)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.DocumentName, in.Parameters = aws.String("two-steps"), nil
	})
	m, _ := a.only()
	message := m["MessageId"].(string)
	a.takes(message)
	a.says(message, "InProgress", "", "{"+result("second", "Success", 0, "1\n", "")+"}")
	a.says(message, "InProgress", "", "{"+result("first", "Failed", 4, "2\n", "bad")+"}")
	// the end of a document with several steps has no results
	a.says(message, "Failed", "", "{}")
	for step, want := range map[string]string{"second": "1\n", "first": "2\n"} {
		out, err := c.GetCommandInvocation(t.Context(),
			&ssm.GetCommandInvocationInput{CommandId: &id, InstanceId: aws.String(one),
				PluginName: &step})
		if err != nil || *out.StandardOutputContent != want ||
			out.Status != types.CommandInvocationStatusFailed {
			t.Errorf("%s: %v, %+v", step, err, out)
		}
	}
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
	if err != nil || len(list.CommandInvocations[0].CommandPlugins) != 2 ||
		*list.CommandInvocations[0].CommandPlugins[0].Output != "1\n" {
		t.Errorf("%v, %+v", err, list)
	}
}

func TestTheWireOfACancellation(t *testing.T) {
	for name, nodes := range map[string][]string{"of a command": nil, "on one node": {one}} {
		t.Run(name, func(t *testing.T) {
			_, c, a := attached(t, nil)
			id := send(t, c, nil)
			m, _ := a.only()
			message := m["MessageId"].(string)
			a.takes(message)
			if _, err := c.CancelCommand(t.Context(), &ssm.CancelCommandInput{CommandId: &id,
				InstanceIds: nodes}); err != nil {
				t.Fatal(err)
			}
			m, p := a.only()
			if !strings.HasPrefix(m["Topic"].(string), "aws.ssm.cancelCommand.") ||
				p["CancelMessageId"] != message || m["MessageId"] == message {
				t.Errorf("%v %v", m, p)
			}
			a.takes(m["MessageId"].(string)) // it reports that the cancellation is in progress, too
			if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusCancelling {
				t.Errorf("meanwhile it is %s", s)
			}
			a.says(message, "Cancelled", "", "{"+result("aws:runShellScript", "Cancelled", 137, "",
				"")+"}")
			if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusCancelled {
				t.Errorf("then it is %s", s)
			}
			if list := a.poll(200 * time.Millisecond); len(list) != 0 {
				t.Errorf("%d messages more", len(list))
			}
		})
	}
}

func TestTheWireOfAMessageThatTheAgentCannotDo(t *testing.T) {
	_, c, a := attached(t, nil)
	id := send(t, c, nil)
	m, _ := a.only()
	a.mds("FailMessage", `{"FailureType":"InternalHandlerException","MessageId":"`+
		m["MessageId"].(string)+`"}`)
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusFailed {
		t.Errorf("after FailMessage it is %s", s)
	}
	id = send(t, c, nil)
	m, _ = a.only()
	// and it does not acknowledge it
	a.says(m["MessageId"].(string), "Failed", "document has an unsupported plugin", "null")
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
	if err != nil || list.CommandInvocations[0].Status != types.CommandInvocationStatusFailed ||
		aws.ToString(
			list.CommandInvocations[0].TraceOutput) != "document has an unsupported plugin" {
		t.Errorf("%v, %+v", err, list)
	}
	if list := a.poll(200 * time.Millisecond); len(list) != 0 {
		t.Errorf("%d messages more", len(list))
	}
}

func TestTheWireOfARedelivery(t *testing.T) {
	clock := cloud.NewFakeClock()
	_, c, a := attached(t, clock)
	send(t, c, nil)
	first, _ := a.only()
	if list := a.poll(200 * time.Millisecond); len(list) != 0 {
		t.Errorf("within the time that the agent asked for, %d messages", len(list))
	}
	clock.Advance(11 * time.Second)
	again, _ := a.only()
	if again["MessageId"] != first["MessageId"] || again["Payload"] != first["Payload"] {
		t.Errorf("%v, then %v", first, again)
	}
	a.takes(again["MessageId"].(string))
	clock.Advance(11 * time.Second)
	if list := a.poll(200 * time.Millisecond); len(list) != 0 {
		t.Errorf("after it was acknowledged, %d messages", len(list))
	}
}

func TestTheWireOfRefusals(t *testing.T) {
	_, _, a := attached(t, nil)
	for name, tt := range map[string]struct{ service, target, body, want string }{
		"a signature for another service": {"ec2messages",
			"AmazonSSM.UpdateInstanceInformation", `{"InstanceId":"` + one + `"}`,
			"InvalidSignatureException"},
		"the other way round": {"ssm",
			"EC2WindowsMessageDeliveryService.GetMessages", `{"Destination":"` + one +
				`","MessagesRequestId":"6b5c1d0e-8a1f-4c55"}`, "InvalidSignatureException"},
		"no node": {"ssm", "AmazonSSM.UpdateInstanceInformation",
			`{"AgentName":"amazon-ssm-agent"}`, "ValidationException"},
		"a node's id that is none": {"ssm", "AmazonSSM.UpdateInstanceInformation",
			`{"InstanceId":"../../etc/x"}`, "InvalidInstanceId"},
		"a request's id that is too short": {"ec2messages",
			"EC2WindowsMessageDeliveryService.GetMessages", `{"Destination":"` + one +
				`","MessagesRequestId":"short"}`, "ValidationException"},
		"a reply without a payload": {"ec2messages",
			"EC2WindowsMessageDeliveryService.SendReply", `{"MessageId":"aws.ssm.x.` + one +
				`","ReplyId":"0d4b9a52-7a0b-4a3f"}`, "ValidationException"},
		"a reply to no message": {"ec2messages",
			"EC2WindowsMessageDeliveryService.SendReply", `{"MessageId":"aws.ssm.x.` + one +
				`","ReplyId":"0d4b9a52-7a0b-4a3f","Payload":"{}"}`, "InvalidMessageIdException"},
		"a kind of failure that there is not": {"ec2messages",
			"EC2WindowsMessageDeliveryService.FailMessage", `{"MessageId":"aws.ssm.x.` + one +
				`","FailureType":"Other"}`, "ValidationException"},
		"an operation that there is not": {"ec2messages",
			"EC2WindowsMessageDeliveryService.Sing", `{}`, "UnknownOperationException"},
		"what is no JSON": {"ec2messages",
			"EC2WindowsMessageDeliveryService.GetMessages", `{`, "SerializationException"},
	} {
		r := a.call(tt.service, tt.target, tt.body)
		if r.fields["__type"] != tt.want || r.status != http.StatusBadRequest ||
			r.fields["message"] == "" ||
			r.header.Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("%s: %d %s, want %s", name, r.status, r.text, tt.want)
		}
	}
	resp, err := http.Post(a.url+"/", "application/x-amz-json-1.1", strings.NewReader("{}"))
	if err == nil {
		resp.Body.Close()
	}
	if err != nil || resp.StatusCode == http.StatusOK {
		t.Errorf("a request that nobody signed: %v, %v", resp, err)
	}
}

func TestTheWireOfOutputInABucket(t *testing.T) {
	double, c, a := attached(t, nil)
	double.Bucket(cloud.DefaultAccount, "us-east-1", "logs")
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.OutputS3BucketName, in.OutputS3KeyPrefix = aws.String("logs"), aws.String("p")
	})
	_, p := a.only()
	key := p["OutputS3KeyPrefix"].(string) + "/" + id + "/" + one +
		"/awsrunShellScript/0.awsrunShellScript/stdout"
	port := a.url[strings.LastIndex(a.url, ":"):]
	at := func(method, query, body string) reply {
		// the bucket is the host's first part; that name need not resolve here
		t.Helper()
		r, err := a.send(t.Context(), "s3", method, a.url+"/"+key+query, body,
			map[string]string{"Host": "logs.localhost" + port, "Content-Type": "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := at(http.MethodPut, "", "all of it"); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.text)
	}
	if r := at(http.MethodPut, "?acl=", ""); r.status != http.StatusOK {
		t.Errorf("giving it to the bucket's owner: %d %s", r.status, r.text)
	}
	if r := at(http.MethodGet, "", ""); r.text != "all of it" {
		t.Errorf("it is %q", r.text)
	}
	if keys := double.Objects("logs"); len(keys) != 1 || keys[0] != "p/"+id+"/"+one+
		"/awsrunShellScript/0.awsrunShellScript/stdout" {
		t.Errorf("%v", keys)
	}
}
