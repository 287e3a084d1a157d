package cloud_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

// asAgent turns this program into an agent, so that it can be killed.
const asAgent = "SSMTEST_AGENT"

func TestMain(m *testing.M) {
	if url := os.Getenv(asAgent); url != "" {
		a := &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1",
			Folder: os.Getenv("FOLDER")}
		fmt.Fprintln(os.Stderr, a.Run(context.Background())) // it is killed
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	testenv.Eventually(t, time.Minute, what, is)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// lines sends a script.
func lines(t *testing.T, c *ssm.Client, list ...string) string {
	t.Helper()
	return send(t, c, func(in *ssm.SendCommandInput) { in.Parameters["commands"] = list })
}

func TestAnAgentThatWasKilledSaysAMinuteLaterThatItsCommandHasFailed(t *testing.T) {
	clock := cloud.NewFakeClock()
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	c := ssm.NewFromConfig(cfg)
	folder := t.TempDir()
	runs, over := filepath.Join(folder, "runs"), filepath.Join(folder, "over")
	agent := exec.Command(os.Args[0])
	agent.Env = append(os.Environ(), asAgent+"="+url, "FOLDER="+folder)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	id := lines(t, c, "echo said; echo x >>"+runs, "while [ ! -e "+over+
		" ]; do sleep 0.05; done; echo y >>"+runs)
	until(t, "the command", func() bool { return exists(runs) })
	if err := agent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait() // it was killed
	t.Cleanup(attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1", Folder: folder,
		Clock: clock}))
	until(t, "the next agent's wait", func() bool { return clock.Waiting() == 1 })
	clock.Advance(59 * time.Second)
	if out := eventually(t, c, lines(t, c, "echo other"),
		one); *out.StandardOutputContent != "other\n" {
		t.Errorf("%+v", out)
	}
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusInProgress {
		t.Errorf("after 59 s it is %s", s)
	}
	clock.Advance(time.Second)
	out := eventually(t, c, id, one)
	if out.Status != types.CommandInvocationStatusFailed || out.ResponseCode != 1 ||
		*out.StandardOutputContent != "" || *out.StandardErrorContent != "" {
		t.Errorf("%s %d %q %q", out.Status, out.ResponseCode, *out.StandardOutputContent,
			*out.StandardErrorContent)
	}
	if err := os.WriteFile(over, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the command, which goes on", func() bool {
		text, _ := os.ReadFile(runs)
		return strings.Contains(string(text), "y")
	})
	if text, err := os.ReadFile(runs); err != nil || string(text) != "x\ny\n" {
		t.Errorf("it was run as %q, %v", text, err)
	}
}

func TestASimulatedNodeWhoseAgentIsKilledSaysTheSame(t *testing.T) {
	clock := cloud.NewFakeClock()
	double, cfg, _ := open(t, clock)
	ran := 0
	double.Add(cloud.Node{ID: one, Simulated: func(cloud.Script) (string, string, int) {
		ran++
		return "said", "", 0
	}})
	double.Inject(cloud.Fault{Kind: cloud.KilledMidway, Times: 1})
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, nil)
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusInProgress {
		t.Errorf("at first it is %s", s)
	}
	clock.Advance(time.Minute)
	if out := get(t, c, id, one); *out.StatusDetails != "Failed" || out.ResponseCode != 1 ||
		*out.StandardOutputContent != "" || ran != 1 {
		t.Errorf("%s %d %q, run %d times", *out.StatusDetails, out.ResponseCode,
			*out.StandardOutputContent, ran)
	}
	list, err := c.ListCommandInvocations(t.Context(),
		&ssm.ListCommandInvocationsInput{CommandId: &id, Details: true})
	if err != nil || !strings.Contains(*list.CommandInvocations[0].CommandPlugins[0].Output,
		"document process failed unexpectedly") {
		t.Errorf("%v, %+v", err, list)
	}
}

func TestHowScriptsEnd(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	folder := t.TempDir()
	defer attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1", Folder: folder})()
	c := ssm.NewFromConfig(cfg)
	for script, tt := range map[string]struct {
		detail string
		code   int32
		says   bool // "failed to run commands"
	}{
		"kill -KILL $$": {"ExecutionTimedOut", 137, false},
		// the shell around it is killed too: the real agent reports the same
		"kill -KILL 0":         {"Failed", -1, true},
		"exit 137":             {"ExecutionTimedOut", 137, false},
		"kill -TERM $$":        {"Failed", 143, true},
		"exit 3":               {"Failed", 3, true},
		"echo x; exit 168":     {"Success", 168, false},
		"echo x >&2; exit 169": {"Failed", 169, true},
	} {
		out := eventually(t, c, lines(t, c, script), one)
		if *out.StatusDetails != tt.detail || out.ResponseCode != tt.code ||
			strings.Contains(*out.StandardErrorContent, "failed to run commands") != tt.says {
			t.Errorf("%s: %s %d %q", script, *out.StatusDetails, out.ResponseCode,
				*out.StandardErrorContent)
		}
	}
	// 24,000 characters are cut although they would fit.
	for size, cut := range map[int]bool{23999: false, 24000: true, 24001: true} {
		out := eventually(t, c, lines(t, c, fmt.Sprintf("printf %%0%dd 0", size)), one)
		if text := *out.StandardOutputContent; strings.HasSuffix(text,
			"--output truncated--") != cut || len(text) != min(size, 24000) {
			t.Errorf("of %d characters there are %d, ending with %q", size, len(text),
				text[len(text)-20:])
		}
	}
}

func TestWhoeverHoldsStandardOutputIsWaitedFor(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	folder := t.TempDir()
	defer attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1", Folder: folder})()
	c := ssm.NewFromConfig(cfg)
	began, over := filepath.Join(folder, "began"), filepath.Join(folder, "over")
	holder := "setsid sh -c 'echo $$ >" + began + "; while [ ! -e " + over +
		" ]; do sleep 0.05; done; echo late' &"
	id := lines(t, c, holder, "echo early")
	until(t, "the holder", func() bool { return exists(began) })
	// The script itself ended long ago: a later one is over.
	for range 3 {
		eventually(t, c, lines(t, c, "sleep 1"), one)
	}
	if s := get(t, c, id, one).Status; s != types.CommandInvocationStatusInProgress {
		t.Errorf("while its output is held it is %s", s)
	}
	if err := os.WriteFile(over, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := eventually(t, c, id, one); *out.StandardOutputContent != "early\nlate\n" {
		t.Errorf("%q", *out.StandardOutputContent)
	}
}

func TestPreconditionsAreHonoured(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	double.Add(cloud.Node{ID: two, Simulated: func(s cloud.Script) (string, string, int) {
		return strings.Join(s.Lines, "|"), "", 0
	}})
	step := func(name, precondition string) string {
		return `{"action":"aws:runShellScript","name":"` + name + `","precondition":` +
			precondition + `,"inputs":{"runCommand":["echo ` + name + `"]}}`
	}
	double.Document(cloud.DefaultAccount, "us-east-1", "conditions",
		`{"schemaVersion":"2.2","description":"x","parameters":{"want":{"type":"String","default":"yes"}},"mainSteps":[`+strings.Join([]string{
			step("linux", `{"StringEquals":["platformType","Linux"]}`),
			step("turned", `{"StringEquals":["linux","platformType"]}`),
			step("windows", `{"StringEquals":["platformType","Windows"]}`),
			step("wanted", `{"StringEquals":["{{ want }}","yes"]}`),
			step("unwanted", `{"StringEquals":["{{ want }}","no"]}`),
			step("strange", `{"NumberEquals":["1","1"]}`)}, ",")+`]}`)
	defer attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1",
		Folder: t.TempDir()})()
	c := ssm.NewFromConfig(cfg)
	to := func(node string) string {
		return send(t, c, func(in *ssm.SendCommandInput) {
			in.DocumentName, in.Parameters, in.InstanceIds = aws.String("conditions"), nil,
				[]string{node}
		})
	}
	id := to(one)
	var got []string
	until(t, "the end", func() bool {
		out, err := c.ListCommandInvocations(t.Context(),
			&ssm.ListCommandInvocationsInput{CommandId: &id, InstanceId: aws.String(one),
				Details: true})
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, p := range out.CommandInvocations[0].CommandPlugins {
			got = append(got, string(p.Status))
			if p.Status == "Skipped" && !strings.Contains(*p.Output, "unsatisfied preconditions") ||
				p.Status == "Failed" && !strings.Contains(*p.Output, "Unrecognized precondition") {
				t.Errorf("%s", *p.Output)
			}
		}
		return out.CommandInvocations[0].Status == types.CommandInvocationStatusFailed
	})
	if want := []string{"Success", "Success", "Skipped", "Success", "Skipped",
		"Failed"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if out := get(t, c, to(two),
		two); *out.StandardOutputContent != "echo linux|echo turned|echo wanted" {
		t.Errorf("%q", *out.StandardOutputContent)
	}
}

func TestTheControlChannelIsAskedForByTLSEverMoreRarely(t *testing.T) {
	clock := cloud.NewFakeClock()
	double := cloud.New(clock)
	double.Add(cloud.Node{ID: one})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := cloud.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: double}
	served := make(chan error, 1)
	go func() { served <- cloud.Serve(server, l, certificate) }()
	defer func() { _ = server.Close(); <-served }()
	address := l.Addr().String()
	defer attach(t, &cloud.Agent{Endpoint: "http://" + address, Channel: "https://" + address,
		Roots: certificate.Roots(), Node: one, Region: "us-east-1", Folder: t.TempDir(),
		Clock: clock})()
	for asked, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second,
		80 * time.Second} {
		until(t, "the wait", func() bool {
			return double.Calls()["ssmmessages:CreateControlChannel"] == asked+1 &&
				clock.Waiting() == 1
		})
		clock.Advance(wait - time.Second)
		if clock.Waiting() != 1 {
			t.Errorf("it is asked for again before %s are over", wait)
		}
		clock.Advance(time.Second)
	}
	for _, call := range double.Log() {
		if call.API == "ssmmessages:CreateControlChannel" && call.Error != "AccessDeniedException" {
			t.Errorf("%+v", call)
		}
	}
	// Without TLS nobody knows what a control channel is.
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn,
		"POST /v1/control-channel/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", one)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil ||
		!strings.Contains(line, "400") {
		t.Errorf("%q, %v", line, err)
	}
}

// The node asks for the bucket's region and encryption, and grants the bucket's owner what it
// stores: its policy must allow that.
func TestTheAgentStoresOutputAsTheRealOneDoes(t *testing.T) {
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	double.Bucket(cloud.DefaultAccount, "us-east-1", "logs")
	defer attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1",
		Folder: t.TempDir()})()
	c := ssm.NewFromConfig(cfg)
	stored := func(script string) (string, *ssm.GetCommandInvocationOutput) {
		id := send(t, c, func(in *ssm.SendCommandInput) {
			in.OutputS3BucketName, in.OutputS3KeyPrefix,
				in.Parameters["commands"] = aws.String("logs"), aws.String("/big//x/"),
				[]string{script}
		})
		return "big/x/" + id + "/" + one + "/awsrunShellScript/0.awsrunShellScript/",
			eventually(t, c, id, one)
	}
	folder, out := stored("echo out; echo err >&2")
	if got := double.Objects("logs"); !slices.Equal(got,
		[]string{folder + "stderr", folder + "stdout"}) {
		t.Errorf("%q, want those in %s", got, folder)
	}
	if u := aws.ToString(out.StandardErrorUrl); !strings.HasSuffix(u, "/logs/"+folder+"stderr") ||
		!strings.HasSuffix(aws.ToString(out.StandardOutputUrl), "/logs/"+folder+"stdout") {
		t.Errorf("%s", u)
	}
	object, err := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
	}).GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String("logs")})
	if err != nil {
		t.Fatal(err)
	}
	rule := object.ServerSideEncryptionConfiguration.Rules[0]
	if rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm != "AES256" {
		t.Errorf("%v, %+v", err, object)
	}
	before := len(double.Objects("logs"))
	stored("true")
	if len(double.Objects("logs")) != before {
		t.Error("an output that is empty is stored")
	}
	double.Deny("s3:GetEncryptionConfiguration")
	stored("echo out")
	if len(double.Objects("logs")) != before+1 {
		t.Error("without s3:GetEncryptionConfiguration nothing is stored")
	}
	double.Deny("s3:PutObjectAcl")
	stored("echo out")
	if len(double.Objects("logs")) != before+1 {
		t.Error("without s3:PutObjectAcl it is stored")
	}
}
