package cloud_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap/internal/lab/cloud"
)

// attach runs an agent until the returned function is called.
func attach(t *testing.T, a *cloud.Agent) (detach func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFiftyAgentsAnswerAtOnce(t *testing.T) {
	double, cfg, url := open(t, nil)
	folder := t.TempDir()
	for k := range 50 {
		id := fmt.Sprintf("%s%017x", []string{"i-", "mi-"}[k%2], k)
		double.Add(cloud.Node{ID: id, Tags: map[string]string{"all": "yes"}})
		t.Cleanup(attach(t, &cloud.Agent{Endpoint: url, Node: id, Region: "us-east-1",
			Folder: folder, Env: []string{"NODE=" + id}, Alone: true}))
	}
	c := ssm.NewFromConfig(cfg)
	id := send(t, c, func(in *ssm.SendCommandInput) {
		in.InstanceIds, in.Targets, in.MaxConcurrency = nil,
			[]types.Target{{Key: aws.String("tag:all"), Values: []string{"yes"}}},
			aws.String("100%")
		in.Parameters["commands"] =
			[]string{`echo "$NODE is $AWS_SSM_INSTANCE_ID, and has the key <$AWS_SECRET_ACCESS_KEY>"`}
	})
	for k := range 50 {
		node := fmt.Sprintf("%s%017x", []string{"i-", "mi-"}[k%2], k)
		if out := eventually(t, c, id, node); *out.StandardOutputContent != node+" is "+node+
			", and has the key <>\n" {
			t.Errorf("%s: %q %q", node, *out.StandardOutputContent, *out.StandardErrorContent)
		}
	}
}

func TestAnAgentThatFallsSilentIsLost(t *testing.T) {
	clock := cloud.NewFakeClock()
	double, cfg, url := open(t, clock)
	double.Add(cloud.Node{ID: one})
	detach := attach(t, &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1",
		Folder: t.TempDir()})
	c := ssm.NewFromConfig(cfg)
	eventually(t, c, send(t, c, nil), one)
	detach()
	status := func() types.PingStatus {
		out, err := c.DescribeInstanceInformation(t.Context(),
			&ssm.DescribeInstanceInformationInput{})
		if err != nil {
			t.Fatal(err)
		}
		return out.InstanceInformationList[0].PingStatus
	}
	if got := status(); got != types.PingStatusOnline {
		t.Errorf("a moment later it is %s", got)
	}
	clock.Advance(6 * time.Minute)
	if got := status(); got != types.PingStatusConnectionLost {
		t.Errorf("after 6 minutes it is %s", got)
	}
}

func TestOnlyTheTrustedKeyIsLetIn(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Trust(cloud.Key{ID: "AKIAANOTHERKEY234567", Secret: "another"}, cloud.DefaultAccount)
	_, err := ssm.NewFromConfig(cfg).DescribeInstanceInformation(t.Context(),
		&ssm.DescribeInstanceInformationInput{})
	if code(err) != "UnrecognizedClientException" {
		t.Errorf("the key that everybody knows: %s", code(err))
	}
}
