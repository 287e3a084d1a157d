package aws_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

var long = strings.Repeat("0123456789\n", 10000)

// printed sends a command with a bucket and returns what came back.
func printed(t *testing.T, c *aws.Client, cmd dropcap.NodeCommand) (dropcap.NodeOutput, error) {
	t.Helper()
	if cmd.Bucket = "lab"; cmd.Prefix == "" {
		cmd.Prefix = "runs/1"
	}
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "end of the command", func() bool {
		list, err := c.Poll(t.Context(), here, sent)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].Over()
	})
	return c.Output(t.Context(), cmd, sent, one)
}

func TestALongOutputComesWholeFromTheBucket(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	if out, err := printed(t, c, script(one)); err != nil || out.Stdout != long {
		t.Errorf("%d characters of %d, %v", len(out.Stdout), len(long), err)
	}
	if n := double.Calls()["s3:ListObjectsV2"]; n != 0 {
		t.Errorf("the bucket was listed %d times, though the service tells the key", n)
	}
}

func TestTheStepOfOurDocumentIsFound(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	if _, err := c.EnsureDocument(t.Context(), here, "dropcap-look", lookDocument); err != nil {
		t.Fatal(err)
	}
	out, err := printed(t, c, dropcap.NodeCommand{Place: here, Nodes: []string{one},
		Document: "dropcap-look", Verb: "audit", Request: strings.Repeat("0f", 16),
		Delivery: time.Minute, Execution: time.Minute})
	if err != nil || out.Stdout != long {
		t.Errorf("%d characters, %v", len(out.Stdout), err)
	}
}

func TestAnAgentsOutputComesWholeFromTheBucket(t *testing.T) {
	double, c := open(t, aws.Options{Rate: 1000})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	agent := &cloud.Agent{Endpoint: endpoint(t), Node: one, Region: east, Folder: t.TempDir()}
	go func() { done <- agent.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	cmd := script(one)
	cmd.Prefix = "/big//x/"       // the agent turns it into big/x
	cmd.Delivery = 24 * time.Hour // the clock leaps while we ask
	cmd.Lines = []string{"i=0; while [ $i -lt 10000 ]; do echo 0123456789; i=$((i+1)); done"}
	if out, err := printed(t, c, cmd); err != nil || out.Stdout != strings.Repeat("0123456789\n",
		10000) {
		t.Errorf("%d characters, %v", len(out.Stdout), err)
	}
}

func TestAShortOutputAsksNothingOfTheBucket(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers("short", 0)})
	if out, err := printed(t, c, script(one)); err != nil || out.Stdout != "short" ||
		double.Calls()["s3:GetObject"] != 0 {
		t.Errorf("%+v, %v, %v", out, err, double.Calls())
	}
}

func TestWithoutTheObjectThereIsWhatRunCommandKept(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	cmd := script(one)
	sent := func() string {
		cmd.Bucket = "lab"
		id, err := c.Send(t.Context(), cmd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Poll(t.Context(), here, id); err != nil {
			// the node prints before the bucket exists
			t.Fatal(err)
		}
		return id
	}()
	double.Bucket(cloud.DefaultAccount, east, "lab")
	if out, err := c.Output(t.Context(), cmd, sent, one); err != nil || len(out.Stdout) != 24000 {
		t.Errorf("%d characters, %v", len(out.Stdout), err)
	}
	if double.Calls()["s3:ListObjectsV2"] != 1 {
		t.Errorf("the bucket was not searched: %v", double.Calls())
	}
}

func TestABucketThatMayNotBeReadIsTold(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Deny("s3:GetObject")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	_, err := printed(t, c, script(one))
	checkError(t, err, "denied", dropcap.ErrDenied, "s3:GetObject", "lab")
}

func TestABucketElsewhereIsAskedThere(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, west, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	for range 2 {
		if out, err := printed(t, c, script(one)); err != nil || out.Stdout != long {
			t.Errorf("%d characters, %v", len(out.Stdout), err)
		}
	}
	if n := double.Calls()["s3:GetObject"]; n != 3 {
		t.Errorf("%d requests for two objects, want 3: the region is learned once", n)
	}
}

func TestAnInvocationThatIsNotThereYetIsTemporary(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Simulated: answers("fine", 0)})
	sent, err := c.Send(t.Context(), script(one))
	if err != nil {
		t.Fatal(err)
	}
	double.Inject(cloud.Fault{Kind: cloud.NotYet, Times: 1})
	_, err = c.Output(t.Context(), script(one), sent, one)
	checkError(t, err, "not-yet", dropcap.ErrTemporary, one)
	if out, err := c.Output(t.Context(), script(one), sent, one); err != nil ||
		out.Stdout != "fine" {
		t.Errorf("%+v, %v", out, err)
	}
}

// Nodes may write into the bucket, and what one wrote must not pass for another's: a genuine object
// begins with what Run Command itself kept.
func TestAnObjectThatAnotherWroteIsRefused(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	cmd := script(one)
	cmd.Bucket, cmd.Prefix = "lab", "runs/1"
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(t.Context(), cmd, sent, one); err != nil || out.Stdout != long ||
		out.Refused != "" || out.Kept < 23000 {
		t.Fatalf("%d characters, of which %d were kept, %q, %v", len(out.Stdout), out.Kept,
			out.Refused, err)
	}
	key := "runs/1/" + sent + "/" + one + "/awsrunShellScript/0.awsrunShellScript/stdout"
	for name, forged := range map[string]string{"another text": strings.Repeat("forged ", 9000),
		"none": "", "another beginning": "x" + long[1:],
		"its end before what was kept": long[:20000]} {
		if err := c.PutObject(t.Context(), here, "lab", key,
			strings.NewReader(forged)); err != nil {
			t.Fatal(err)
		}
		out, err := c.Output(t.Context(), cmd, sent, one)
		if err != nil || out.Refused == "" || out.Kept != 0 ||
			!strings.HasPrefix(long, strings.TrimSuffix(out.Stdout, "--output truncated--")) {
			t.Errorf("%s: %d characters, %q, %v", name, len(out.Stdout), out.Refused, err)
		}
	}
}

// If the agent's key is missing, only that of another step is accepted in its place.
func TestAnObjectThatIsNotTheAgentsIsNotTaken(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Simulated: answers(long, 0)})
	double.Inject(cloud.Fault{Kind: cloud.LostObject})
	cmd := script(one)
	cmd.Bucket, cmd.Prefix = "lab", "runs/1"
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"/i-0000000000000000b/awsrunShellScript/0.awsrunShellScript/stdout", "/stdout", "/awsrunShellScript/a/b/stdout"} {
		if err := c.PutObject(t.Context(), here, "lab", "runs/1/"+sent+"/"+one+key,
			strings.NewReader(long)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := c.Output(t.Context(), cmd, sent, one); err != nil || out.Kept != 0 ||
		len(out.Stdout) > 24000 {
		t.Errorf("%d characters, %v", len(out.Stdout), err)
	}
}
