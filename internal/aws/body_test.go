package aws

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/lab/cloud"
)

// answeredFirst is a connection whose writes of a body return only after the answer has begun to
// arrive, as may happen with a near service and a slow process. The answer arrives in small pieces.
type answeredFirst struct {
	net.Conn
	read chan struct{}
}

func (c *answeredFirst) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 500)])
	// Time is under test: the answer arrives slowly, while the request is still being written.
	time.Sleep(2 * time.Millisecond)
	select {
	case c.read <- struct{}{}:
	default:
	}
	return n, err
}

func (c *answeredFirst) Write(b []byte) (int, error) {
	if bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		return c.Conn.Write(b) // the head
	}
	select {
	case <-c.read:
	default:
	}
	n, err := c.Conn.Write(b)
	<-c.read
	// Time is under test: meanwhile the SDK closes the body, unnoticed.
	time.Sleep(20 * time.Millisecond)
	return n, err
}

// client returns a client, over this transport, of a cloud with one node that prints much.
func client(t *testing.T, transport http.RoundTripper) (*cloud.Cloud, *Client) {
	t.Helper()
	double := cloud.New(nil)
	double.Add(cloud.Node{ID: talker, Simulated: func(cloud.Script) (string, string, int) {
		return strings.Repeat("x", 24000), "", 0
	}})
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": srv.URL,
		"AWS_ACCESS_KEY_ID": cloud.AccessKey, "AWS_SECRET_ACCESS_KEY": cloud.SecretKey,
		"AWS_SESSION_TOKEN": "",
		"AWS_REGION":        "us-east-1", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	c, err := Open(t.Context(), Options{Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	c.cfg.HTTPClient = &http.Client{Transport: transport}
	return double, c
}

const talker = "i-00000000000000001"

// converse sends a command and asks for its output.
func converse(t *testing.T, c *Client) {
	t.Helper()
	n := dropcap.NodeCommand{Place: dropcap.Place{Account: cloud.DefaultAccount,
		Region: "us-east-1"}, Nodes: []string{talker}, Document: "AWS-RunShellScript",
		Lines: []string{"true"}, Delivery: time.Minute, Execution: time.Minute}
	id, err := c.Send(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(t.Context(), n, id, talker); err != nil || len(out.Stdout) != 24000 {
		t.Fatalf("%d characters, %v", len(out.Stdout), err)
	}
}

func TestAnAnswerThatOvertakesTheEndOfTheRequestIsTaken(t *testing.T) {
	slow := &http.Transport{DialContext: func(ctx context.Context, network,
		address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &answeredFirst{conn, make(chan struct{}, 1)}, err
	}}
	defer slow.CloseIdleConnections()
	double, c := client(t, slow)
	converse(t, c)
	if n := double.Calls()["ssm:GetCommandInvocation"]; n != 1 {
		t.Errorf("the output was asked for %d times: its connection was closed", n)
	}
}

type recording struct {
	http.Transport
	bodies []io.Reader
}

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		r.bodies = append(r.bodies, req.Body)
	}
	return r.Transport.RoundTrip(req)
}

// What net/http does with a body of known length, to see whether there is more.
func TestABodyThatIsClosedHasNoMoreAndThatIsNoError(t *testing.T) {
	r := &recording{}
	defer r.CloseIdleConnections()
	_, c := client(t, r)
	converse(t, c)
	if len(r.bodies) < 2 {
		t.Fatalf("%d requests had a body", len(r.bodies))
	}
	for k, body := range r.bodies {
		if n, err := io.Copy(io.Discard, body); n != 0 || err != nil {
			t.Errorf("request %d: %d bytes more, %v", k, n, err)
		}
	}
}
