package aws_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/wire"
)

// lookDocument is as short as possible; the fleet's own are tested below.
const lookDocument = `{"schemaVersion":"2.2","description":"d","parameters":{"verb":{"type":"String","allowedPattern":"[a-z-]+"},
"request":{"type":"String","allowedPattern":"[0-9a-f]{32}"},"arguments":{"type":"String","default":"","allowedPattern":"[A-Za-z0-9 =,.:/@_-]*"},
"executionTimeout":{"type":"String","default":"120"}},
"mainSteps":[{"action":"aws:runShellScript","name":"dropcap","inputs":{"timeoutSeconds":"{{ executionTimeout }}","runCommand":["node {{ verb }} {{ request }} {{ arguments }}"]}}]}`

func TestACommandGoesToItsNodesAndComesBack(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Simulated: answers("fine", 3)})
	double.Add(cloud.Node{ID: two, Simulated: answers("good", 0)})
	cmd := script(two, one)
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Poll(t.Context(), here, sent)
	if err != nil || len(list) != 2 ||
		list[0] != (dropcap.Invocation{Node: one, Status: "Failed"}) ||
		list[1] != (dropcap.Invocation{Node: two, Status: "Success"}) {
		t.Errorf("%+v, %v", list, err)
	}
	out, err := c.Output(t.Context(), cmd, sent, one)
	if err != nil || out.Stdout != "fine" || out.Exit != 3 || out.Status != "Failed" ||
		!strings.Contains(out.Stderr, "exit status 3") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTheFleetsDocumentsGetTheirParameters(t *testing.T) {
	double, c := open(t, aws.Options{})
	var ran []cloud.Script
	double.Add(cloud.Node{ID: one, Simulated: func(s cloud.Script) (string, string, int) {
		ran = append(ran, s)
		return "", "", 0
	}})
	for _, d := range fleet.Documents() {
		if _, err := c.EnsureDocument(t.Context(), here, d.Name, d.Content); err != nil {
			t.Fatal(err)
		}
	}
	request := strings.Repeat("0f", 16)
	for _, tt := range []struct {
		verb, want string
		args       []string
	}{
		{"audit", "dropcap node 'audit' --request='" + request + "' --level=cis --whole",
			[]string{"--level=cis", "--whole"}},
		{"audit", "dropcap node 'audit' --request='" + request + "' ", nil},
		{"apply", "dropcap node 'apply' --request='" + request + "' --plan=x",
			[]string{"--plan=x"}},
	} {
		ran = nil
		verb, _ := wire.Lookup(tt.verb)
		cmd := dropcap.NodeCommand{Place: here, Nodes: []string{one}, Document: verb.Documents[0],
			Verb: tt.verb, Request: request, Args: tt.args,
			Delivery: time.Minute, Execution: 7 * time.Minute}
		sent, err := c.Send(t.Context(), cmd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Poll(t.Context(), here, sent); err != nil {
			t.Fatal(err)
		}
		if len(ran) != 1 || ran[0].Lines[len(ran[0].Lines)-1] != tt.want ||
			ran[0].Timeout != cmd.Execution {
			t.Errorf("%s %v: %+v", tt.verb, tt.args, ran)
		}
	}
}

func TestWhatWouldBeRefusedIsNotSent(t *testing.T) {
	double, c := open(t, aws.Options{})
	many := make([]string, 51)
	for k := range many {
		many[k] = id(k)
	}
	for name, change := range map[string]func(*dropcap.NodeCommand){
		"no node":      func(n *dropcap.NodeCommand) { n.Nodes = nil },
		"51 nodes":     func(n *dropcap.NodeCommand) { n.Nodes = many },
		"a node twice": func(n *dropcap.NodeCommand) { n.Nodes = []string{one, one} },
		"a strange id": func(n *dropcap.NodeCommand) { n.Nodes = []string{"*"} },
		"no document":  func(n *dropcap.NodeCommand) { n.Document = "" },
		"a long comment": func(n *dropcap.NodeCommand) {
			n.Comment = strings.Repeat("ä", 101)
		},
		"a delivery of 29 s":  func(n *dropcap.NodeCommand) { n.Delivery = 29 * time.Second },
		"a delivery too long": func(n *dropcap.NodeCommand) { n.Delivery = 31 * 24 * time.Hour },
		"an execution of 4 s": func(n *dropcap.NodeCommand) { n.Execution = 4 * time.Second },
		"one of 49 h":         func(n *dropcap.NodeCommand) { n.Execution = 49 * time.Hour },
		"nothing to run":      func(n *dropcap.NodeCommand) { n.Lines = nil },
		"a script elsewhere":  func(n *dropcap.NodeCommand) { n.Document = "dropcap-look" },
		"an argument in two": func(n *dropcap.NodeCommand) {
			n.Document, n.Lines, n.Args = "dropcap-look", nil, []string{"a b"}
		},
		"a prefix alone": func(n *dropcap.NodeCommand) { n.Prefix = "x" },
	} {
		cmd := script(one)
		change(&cmd)
		if _, err := c.Send(t.Context(), cmd); dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := double.Calls()["ssm:SendCommand"]; n != 0 {
		t.Errorf("%d were sent", n)
	}
}

func TestADroppedConnectionDoesNotSendTwice(t *testing.T) {
	for _, kind := range []string{cloud.Drop, cloud.ServerError} {
		double, c := open(t, aws.Options{})
		double.Add(cloud.Node{ID: one})
		double.Inject(cloud.Fault{Kind: kind, API: "ssm:SendCommand", Times: 1})
		_, err := c.Send(t.Context(), script(one))
		checkError(t, err, map[string]string{cloud.Drop: "unreachable",
			cloud.ServerError: "aws-fault"}[kind], dropcap.ErrTemporary, "send a command")
		if n := double.Calls()["ssm:SendCommand"]; n != 1 {
			t.Errorf("%s: sent %d times", kind, n)
		}
	}
}

func TestAThrottledCommandIsSentAgain(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one})
	double.Inject(cloud.Fault{Kind: cloud.Throttle, API: "ssm:SendCommand", Times: 3})
	if _, err := c.Send(t.Context(), script(one)); err != nil {
		t.Fatal(err)
	}
	if n := double.Calls()["ssm:SendCommand"]; n != 4 {
		t.Errorf("sent %d times", n)
	}
}

func TestThrottlingWithoutEndIsTemporary(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Inject(cloud.Fault{Kind: cloud.Throttle})
	_, err := c.Send(t.Context(), script(one))
	checkError(t, err, "throttled", dropcap.ErrTemporary, "--rate")
}

func TestQuestionsAreAskedAgainAfterEveryPassingFault(t *testing.T) {
	for _, kind := range []string{cloud.Drop, cloud.ServerError, cloud.Throttle} {
		double, c := open(t, aws.Options{})
		double.Add(cloud.Node{ID: one, Simulated: answers("fine", 0)})
		sent, err := c.Send(t.Context(), script(one))
		if err != nil {
			t.Fatal(err)
		}
		double.Inject(cloud.Fault{Kind: kind, Times: 3})
		if list, err := c.Poll(t.Context(), here, sent); err != nil || len(list) != 1 {
			t.Errorf("%s: %v, %v", kind, list, err)
		}
	}
}

func TestANodeThatIsGoneKeepsTheCommandFromNoOther(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one, Simulated: answers("fine", 0)})
	cmd := script(one, two)
	sent, err := c.Send(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := c.Poll(t.Context(), here, sent); err != nil || len(list) != 1 ||
		list[0].Status != "Success" {
		t.Errorf("%v, %v", list, err)
	}
	_, err = c.Output(t.Context(), cmd, sent, two)
	checkError(t, err, "not-yet", dropcap.ErrTemporary)
}

func TestAFailedNodeDoesNotTerminateTheRest(t *testing.T) {
	double, c := open(t, aws.Options{})
	var ids []string
	for k := range 50 {
		double.Add(cloud.Node{ID: id(k), Simulated: answers("", 3)})
		ids = append(ids, id(k))
	}
	sent, err := c.Send(t.Context(), script(ids...))
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Poll(t.Context(), here, sent)
	if err != nil || len(list) != 50 {
		t.Fatalf("%d, %v", len(list), err)
	}
	for _, i := range list {
		if i.Status != "Failed" {
			t.Errorf("%+v", i)
		}
	}
}

func TestAnInterruptionEndsTheWaiting(t *testing.T) {
	_, c := open(t, aws.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Send(ctx, script(one)); dropcap.ExitOf(err) != dropcap.ExitInterrupt {
		t.Errorf("%v", err)
	}
}
