package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

const (
	one = "i-00000000000000001"
	two = "i-00000000000000002"
)

// open starts a cloud and returns the real SDK's configuration for it, as with AWS_ENDPOINT_URL,
// without retries.
func open(t *testing.T, clock cloud.Clock) (*cloud.Cloud, aws.Config, string) {
	t.Helper()
	double := cloud.New(clock)
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": srv.URL,
		"AWS_ACCESS_KEY_ID": cloud.AccessKey, "AWS_SECRET_ACCESS_KEY": cloud.SecretKey,
		"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": ""} {
		t.Setenv(k, v)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRetryer(func() aws.Retryer {
		return aws.NopRetryer{}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return double, cfg, srv.URL
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func send(t *testing.T, c *ssm.Client, change func(*ssm.SendCommandInput)) string {
	t.Helper()
	in := &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"),
		InstanceIds: []string{one}, Parameters: map[string][]string{"commands": {"echo hello"}}}
	if change != nil {
		change(in)
	}
	out, err := c.SendCommand(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.Command.CommandId
}

func get(t *testing.T, c *ssm.Client, id, node string) *ssm.GetCommandInvocationOutput {
	t.Helper()
	out, err := c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &id,
		InstanceId: &node})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRequestsAreHeldAgainstTheServicesOwnModel(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one})
	c := ssm.NewFromConfig(cfg)
	for name, tt := range map[string]struct {
		change func(*ssm.SendCommandInput)
		want   string
	}{
		"a comment of 101 characters": {func(in *ssm.SendCommandInput) {
			in.Comment = aws.String(strings.Repeat("x", 101))
		}, "ValidationException"},
		"a delivery timeout of 29 s": {func(in *ssm.SendCommandInput) {
			in.TimeoutSeconds = aws.Int32(29)
		}, "ValidationException"},
		"51 nodes": {func(in *ssm.SendCommandInput) {
			in.InstanceIds = slices.Repeat([]string{one}, 51)
		}, "ValidationException"},
		"an id of 9 digits": {func(in *ssm.SendCommandInput) {
			in.InstanceIds = []string{"i-000000001"}
		}, "ValidationException"},
		"a node that there is not": {func(in *ssm.SendCommandInput) {
			in.InstanceIds = []string{two}
		}, "InvalidInstanceId"},
		"a node twice": {func(in *ssm.SendCommandInput) {
			in.InstanceIds = []string{one, one}
		}, "DuplicateInstanceId"},
		"a document that there is not": {func(in *ssm.SendCommandInput) {
			in.DocumentName = aws.String("dropcap-none")
		}, "InvalidDocument"},
		"a parameter that the document has not": {func(in *ssm.SendCommandInput) {
			in.Parameters["other"] = []string{"x"}
		}, "InvalidParameters"},
		"a timeout that its pattern refuses": {func(in *ssm.SendCommandInput) {
			in.Parameters["executionTimeout"] = []string{"0"}
		}, "InvalidParameters"},
		"64 KB of parameters": {func(in *ssm.SendCommandInput) {
			in.Parameters["commands"] = []string{strings.Repeat("x", 64<<10)}
		}, "MaxDocumentSizeExceeded"},
	} {
		in := &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"),
			InstanceIds: []string{one}, Parameters: map[string][]string{"commands": {"true"}}}
		tt.change(in)
		if _, err := c.SendCommand(t.Context(), in); code(err) != tt.want {
			t.Errorf("%s: got %s, want %s", name, code(err), tt.want)
		}
	}
}

func answers(text string, exit int) cloud.Simulator {
	return func(cloud.Script) (string, string, int) { return text, "", exit }
}

func TestOutputIsCutAsTheAgentCutsIt(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one, Simulated: answers(strings.Repeat("x", 30000), 3)})
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, nil)
	out := get(t, c, id, one)
	if n := len(*out.StandardOutputContent); n != 24000 ||
		!strings.HasSuffix(*out.StandardOutputContent, "--output truncated--") {
		t.Errorf("standard output has %d characters and ends with %q", n,
			(*out.StandardOutputContent)[n-24:])
	}
	if out.ResponseCode != 3 || out.Status != types.CommandInvocationStatusFailed ||
		!strings.Contains(*out.StandardErrorContent, "exit status 3") {
		t.Errorf("got %v, %s, %s", out.ResponseCode, out.Status, *out.StandardErrorContent)
	}
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
	if err != nil || len(*list.CommandInvocations[0].CommandPlugins[0].Output) != 2500 {
		t.Errorf("the combined output is not cut at 2,500: %v", err)
	}
}

func TestALostAnswerBecomesDeliveryTimedOutThoughItRan(t *testing.T) {
	clock := cloud.NewFakeClock()
	double, cfg, _ := open(t, clock)
	ran := 0
	double.Add(cloud.Node{ID: one, Simulated: func(cloud.Script) (string, string, int) {
		ran++
		return "done", "", 0
	}})
	double.Inject(cloud.Fault{Kind: cloud.LostReply, Node: one, Times: 1})
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.TimeoutSeconds = aws.Int32(60)
		in.Parameters["executionTimeout"] = []string{"60"}
	})
	if out := get(t, c, id, one); out.Status != types.CommandInvocationStatusInProgress {
		t.Errorf("before the timeout: %s", out.Status)
	}
	clock.Advance(3 * time.Minute)
	if out := get(t, c, id, one); *out.StatusDetails != "DeliveryTimedOut" || ran != 1 {
		t.Errorf("got %s, and it ran %d times", *out.StatusDetails, ran)
	}
}

func TestTooManyErrorsTerminateTheRest(t *testing.T) {
	double, cfg, _ := open(t, nil)
	var ids []string
	for k := range 10 {
		id := fmt.Sprintf("i-0000000000000001%x", k)
		ids = append(ids, id)
		double.Add(cloud.Node{ID: id, Simulated: answers("", 1)})
	}
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.InstanceIds, in.MaxErrors, in.MaxConcurrency = ids, aws.String("3"), aws.String("1")
	})
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, i := range list.CommandInvocations {
		count[*i.StatusDetails]++
	}
	if count["Failed"] != 4 || count["Terminated"] != 6 {
		t.Errorf("%v: MaxErrors 3 stops at the fourth", count)
	}
}

func TestPagesTagsAndGroups(t *testing.T) {
	double, cfg, _ := open(t, nil)
	for k := range 120 {
		double.Add(cloud.Node{ID: fmt.Sprintf("i-%017x", k),
			Tags: map[string]string{"role": []string{"web", "db"}[k%2]}, Simulated: answers("", 0)})
	}
	c := ssm.NewFromConfig(cfg)
	n := 0
	pages := ssm.NewDescribeInstanceInformationPaginator(c,
		&ssm.DescribeInstanceInformationInput{MaxResults: aws.Int32(50)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.InstanceInformationList)
	}
	if n != 120 {
		t.Errorf("%d nodes in all pages", n)
	}
	_, err := c.DescribeInstanceInformation(t.Context(),
		&ssm.DescribeInstanceInformationInput{Filters: []types.InstanceInformationStringFilter{
			{Key: aws.String("tag:role"), Values: []string{"web"}}, {Key: aws.String("PingStatus"),
				Values: []string{"Online"}}}})
	if code(err) != "InvalidFilterKey" {
		t.Errorf("tags beside other filters: %s", code(err))
	}
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.InstanceIds, in.Targets, in.MaxConcurrency = nil,
			[]types.Target{{Key: aws.String("tag:role"), Values: []string{"db"}}},
			aws.String("100%")
	})
	out, err := c.ListCommands(t.Context(), &ssm.ListCommandsInput{CommandId: &id})
	if err != nil || out.Commands[0].TargetCount != 60 ||
		out.Commands[0].Status != types.CommandStatusSuccess {
		t.Errorf("%v %+v", err, out)
	}
}

func TestFaultsStrikeAsOftenAsAskedFor(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one, Simulated: answers("fine", 0)})
	c := ssm.NewFromConfig(cfg)
	double.Inject(cloud.Fault{Kind: cloud.Throttle, API: "ssm:SendCommand", Times: 2})
	in := &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"),
		InstanceIds: []string{one}, Parameters: map[string][]string{"commands": {"true"}}}
	for _, want := range []string{"ThrottlingException", "ThrottlingException", "<nil>"} {
		if _, err := c.SendCommand(t.Context(), in); code(err) != want {
			t.Errorf("got %s, want %s", code(err), want)
		}
	}
	double.Deny("ssm:SendCommand")
	if _, err := c.SendCommand(t.Context(), in); code(err) != "AccessDeniedException" ||
		!strings.Contains(err.Error(), "ssm:SendCommand") {
		t.Errorf("denied: %v", err)
	}
	double.Heal()
	id := send(t, c, nil)
	double.Inject(cloud.Fault{Kind: cloud.NotYet, Times: 1})
	if _, err := c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &id,
		InstanceId: aws.String(one)}); code(err) != "InvocationDoesNotExist" {
		t.Errorf("not yet: %s", code(err))
	}
	if out := get(t, c, id, one); *out.StandardOutputContent != "fine" {
		t.Errorf("then: %s", *out.StandardOutputContent)
	}
}

// eventually asks until a node has answered.
func eventually(t *testing.T, c *ssm.Client, id, node string) *ssm.GetCommandInvocationOutput {
	t.Helper()
	var out *ssm.GetCommandInvocationOutput
	testenv.Eventually(t, time.Minute, "answer of "+node, func() bool {
		out = get(t, c, id, node)
		return out.Status != types.CommandInvocationStatusPending &&
			out.Status != types.CommandInvocationStatusInProgress
	})
	return out
}

func TestTheAgentRunsScriptsAsTheRealOneDoes(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	folder := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	agent := &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1", Folder: folder,
		Env: []string{"LAB=yes"}}
	go func() { done <- agent.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.Parameters["commands"] = []string{"false",
			`echo "$LAB $AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME"`,
			`test -n "$SSM_COMMAND_ID" && echo "$SSM_COMMAND_ID" >&2`}
	})
	out := eventually(t, c, id, one)
	if *out.StandardOutputContent != "yes "+one+" us-east-1\n" || *out.StandardErrorContent != id+
		"\n" || out.Status != types.CommandInvocationStatusSuccess {
		t.Errorf("got %s, %q, %q", out.Status, *out.StandardOutputContent,
			*out.StandardErrorContent)
	}
	t.Run("a timeout kills the group, but not what has a session of its own", func(t *testing.T) {
		mark := filepath.Join(folder, "mark")
		id := send(t, c, func(in *ssm.SendCommandInput) {
			in.Parameters["executionTimeout"] = []string{"5"}
			in.Parameters["commands"] = []string{"setsid sh -c 'sleep 7; echo alive >" + mark +
				"' >/dev/null 2>&1 &", "sleep 600"}
		})
		out := eventually(t, c, id, one)
		if *out.StatusDetails != "ExecutionTimedOut" || out.ResponseCode != 137 {
			t.Errorf("got %s, %d", *out.StatusDetails, out.ResponseCode)
		}
		testenv.Eventually(t, 30*time.Second, "mark: the detached part did not survive",
			func() bool {
				_, err := os.Stat(mark)
				return err == nil
			})
	})
	t.Run("the same message is run once, and a command under two ids twice", func(t *testing.T) {
		for kind, times := range map[string]int{cloud.Redelivered: 1, cloud.Duplicate: 2} {
			ids := filepath.Join(folder, kind)
			double.Inject(cloud.Fault{Kind: kind, Node: one, Times: 1})
			id := send(t, c, func(in *ssm.SendCommandInput) {
				in.Parameters["commands"] = []string{"echo $SSM_COMMAND_ID >>" + ids}
			})
			eventually(t, c, id, one)
			var got []string
			testenv.Eventually(t, time.Minute, "both have run", func() bool {
				text, _ := os.ReadFile(ids) // none yet
				got = strings.Fields(string(text))
				return len(got) >= times
			})
			eventually(t, c, send(t, c, nil), one) // whatever was delivered earlier has run by now
			if text, err := os.ReadFile(ids); err != nil ||
				len(strings.Fields(string(text))) != times ||
				len(slices.Compact(slices.Sorted(slices.Values(got)))) != times ||
				!slices.Contains(got, id) {
				t.Errorf("%s: run as %q, %v", kind, text, err)
			}
		}
	})
}

func TestTheAgentGoesOnAfterAStepThatFailed(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	double.Document(cloud.DefaultAccount, "us-east-1", "steps",
		`{"schemaVersion":"2.2","description":"x","mainSteps":[
		{"action":"aws:runShellScript","name":"b","inputs":{"runCommand":["echo 1; exit 4"]}},
		{"action":"aws:runShellScript","name":"stops","inputs":{"runCommand":["echo 2; exit 5"],"onFailure":"exit"}},
		{"action":"aws:runShellScript","name":"c","inputs":{"runCommand":["echo 3"]}}]}`)
	defer attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1",
		Folder: t.TempDir()})()
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.DocumentName, in.Parameters = aws.String("steps"), nil
	})
	var got []string
	testenv.Within(time.Minute, func() bool {
		out, err := c.ListCommandInvocations(t.Context(),
			&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
		if err != nil {
			t.Fatal(err)
		}
		if i := out.CommandInvocations[0]; i.Status == types.CommandInvocationStatusFailed {
			for _, p := range i.CommandPlugins {
				got = append(got, fmt.Sprint(p.Status, " ", p.ResponseCode, " ",
					strings.SplitN(*p.Output, "\n", 2)[0]))
			}
		}
		return len(got) > 0
	})
	want := []string{"Failed 4 1", "Failed 5 2",
		"Skipped 0 Plugin with name aws:runShellScript and id c skipped due to prior step with " +
			"an exit condition"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	name := "stops"
	out, err := c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &id,
		InstanceId: aws.String(one), PluginName: &name})
	if err != nil || *out.StandardOutputContent != "2\n\nStep was found to have onFailure "+
		"property. Further document steps will be skipped." {
		t.Errorf("%v, %q", err, aws.ToString(out.StandardOutputContent))
	}
}
