package aws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

var _ fleet.Carrier = (*aws.Client)(nil)

const (
	east  = "us-east-1"
	west  = "eu-west-1"
	other = "444455556666"
	one   = "i-00000000000000001"
	two   = "i-00000000000000002"
)

var here = dropcap.Place{Account: cloud.DefaultAccount, Region: east}

// leaping is a clock whose waits end at once: it leaps forward.
type leaping struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *leaping { return &leaping{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *leaping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *leaping) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// environment sets what the SDK reads, without anything of the machine's own.
func environment(t *testing.T, endpoint string, more map[string]string) {
	t.Helper()
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": endpoint,
		"AWS_ACCESS_KEY_ID": cloud.AccessKey, "AWS_SECRET_ACCESS_KEY": cloud.SecretKey,
		"AWS_SESSION_TOKEN": "", "AWS_REGION": east, "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	for k, v := range more {
		t.Setenv(k, v)
	}
}

// open starts a cloud, and returns it with a client that has the same clock.
func open(t *testing.T, o aws.Options) (*cloud.Cloud, *aws.Client) {
	t.Helper()
	clock := newClock()
	double := cloud.New(clock)
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	environment(t, srv.URL, nil)
	o.Clock = clock
	c, err := aws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return double, c
}

func answers(text string, exit int) cloud.Simulator {
	return func(cloud.Script) (string, string, int) { return text, "", exit }
}

func id(k int) string { return fmt.Sprintf("i-%017x", k) }

// script returns a command that uses the control's own document.
func script(nodes ...string) dropcap.NodeCommand {
	return dropcap.NodeCommand{Place: here, Nodes: nodes, Document: "AWS-RunShellScript",
		Lines: []string{"true"}, Delivery: time.Minute, Execution: time.Minute}
}

// checkError checks the whole form of an error: a sentence, a remedy if there is one, a slug, a
// cause.
func checkError(t *testing.T, err error, slug string, cause error, words ...string) {
	t.Helper()
	var e *dropcap.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *dropcap.Error", err)
	}
	if !strings.HasPrefix(e.Message, "cannot ") || strings.ContainsAny(e.Message, "\n") {
		t.Errorf("%q is not one sentence that begins with cannot", e.Message)
	}
	if got := aws.Cause(err); got != slug {
		t.Errorf("the cause of %q is %s, want %s", e.Message, got, slug)
	}
	for _, c := range []error{dropcap.ErrDenied, dropcap.ErrTemporary} {
		if errors.Is(err, c) != (c == cause) {
			t.Errorf("%q: errors.Is(%v) is %v", e.Message, c, errors.Is(err, c))
		}
	}
	for _, w := range words {
		if !strings.Contains(e.Message+"\n"+e.Hint, w) {
			t.Errorf("%q with the hint %q does not say %q", e.Message, e.Hint, w)
		}
	}
	if text := e.Message + e.Hint; strings.Contains(text, cloud.SecretKey) ||
		strings.Contains(text, "Signature=") {
		t.Errorf("a secret is in %q", text)
	}
}
