package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/fleet"
	"dropcap/internal/frame"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

const managed = "i-0123456789abcdef0"

// carrier sends requests to the double of AWS as they are, without the SDK.
type carrier struct {
	t   *testing.T
	url string
}

func (c carrier) call(action string, in any) (map[string]any, int) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/",
		bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSSM."+action)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if err := cloud.DefaultKey.Sign(req, body, "ssm", "us-east-1"); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		c.t.Fatal(err)
	}
	return out, resp.StatusCode
}

// send sends a document and waits for the node's output.
func (c carrier) send(document string, parameters map[string]string) map[string]any {
	c.t.Helper()
	given := map[string][]string{}
	for k, v := range parameters {
		given[k] = []string{v}
	}
	out, status := c.call("SendCommand", map[string]any{"DocumentName": document,
		"InstanceIds": []string{managed}, "Parameters": given})
	if status != http.StatusOK {
		return out
	}
	command, _ := out["Command"].(map[string]any)
	testenv.Eventually(c.t, time.Minute, "answer of the node", func() bool {
		out, status = c.call("GetCommandInvocation",
			map[string]any{"CommandId": command["CommandId"], "InstanceId": managed})
		s := fmt.Sprint(out["Status"])
		return status == http.StatusOK && s != "Pending" && s != "InProgress"
	})
	return out
}

// The service accepts our documents and enforces their patterns, and through an agent they do what
// node does.
func TestTheDocumentsRunNodeThroughAnAgent(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	double := cloud.New(nil)
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	double.Add(cloud.Node{ID: managed})
	bin := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	agent := &cloud.Agent{Endpoint: srv.URL, Node: managed, Region: "us-east-1",
		Folder: t.TempDir(),
		Env: []string{"PATH=" + bin + ":/usr/bin:/bin", "DOCKER_HOST=" + e.Host, "DROPCAP_STORE=" +
			filepath.Join(t.TempDir(), "s")}}
	go func() { done <- agent.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	c := carrier{t, srv.URL}
	for _, d := range fleet.Documents() {
		if out, status := c.call("CreateDocument",
			map[string]any{"Name": d.Name, "Content": d.Content, "DocumentType": "Command",
				"DocumentFormat": "JSON"}); status != http.StatusOK {
			t.Fatalf("%s: %v", d.Name, out)
		}
	}
	hello := map[string]string{"verb": "hello", "request": requestID(1)}
	out := c.send(fleet.LookDocument, hello)
	if out["ResponseCode"] != 127.0 || !strings.Contains(fmt.Sprint(out["StandardErrorContent"]),
		"dropcap: not installed") {
		t.Errorf("without dropcap: %v", out)
	}
	if err := os.Symlink(testenv.Binary(t), filepath.Join(bin, "dropcap")); err != nil {
		t.Fatal(err)
	}
	for _, given := range []map[string]string{hello, {"verb": "audit", "request": requestID(2),
		"arguments": "--level=cis --container=web"}} {
		out := c.send(fleet.LookDocument, given)
		p, err := frame.Find(fmt.Sprint(out["StandardOutputContent"]))
		if err != nil || out["Status"] != "Success" {
			t.Fatalf("%v: %v", err, out)
		}
		if r := unpacked(t, p); r.State != dropcap.ReceiptDone || r.Host.Node != managed ||
			r.Command == "" || r.Verb != given["verb"] {
			t.Errorf("%+v", r)
		}
	}
	for _, bad := range []map[string]string{{"verb": "apply"}, {"verb": "audit;id"},
		{"request": "$(id)"}, {"arguments": "--level=cis;id"}, {"arguments": "--level=`id`"},
		{"arguments": "--level=*"}, {"arguments": "x"}, {"arguments": "--a\n--b"},
		{"executionTimeout": "1"}, {"commands": "id"}} {
		given := map[string]string{"verb": "audit", "request": requestID(3)}
		for k, v := range bad {
			given[k] = v
		}
		if out := c.send(fleet.LookDocument, given); !strings.Contains(fmt.Sprint(out["__type"]),
			"InvalidParameters") {
			t.Errorf("%v: %v", bad, out)
		}
	}
	lines, err := fleet.Script(dropcap.NodeCommand{Verb: "receipt", Request: requestID(4),
		Args: []string{"--of=" + requestID(2)}})
	if err != nil {
		t.Fatal(err)
	}
	out = c.send(fleet.ShellDocument, map[string]string{"commands": strings.Join(lines, "\n")})
	if p, err := frame.Find(fmt.Sprint(out["StandardOutputContent"])); err != nil ||
		unpacked(t, p).Verb != "audit" {
		t.Errorf("the control's own way: %v %v", err, out)
	}
}

// slowed is an engine that lists its containers only once it may; waiting counts who waits for
// that.
func slowed(t *testing.T, e *fake.Engine, let <-chan struct{},
	waiting *atomic.Int32) (host string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	pass.Transport = &http.Transport{DialContext: func(ctx context.Context, _,
		_ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket)
	}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/containers/json") {
			waiting.Add(1)
			defer waiting.Add(-1)
			select {
			case <-let:
			case <-r.Context().Done():
				return
			}
		}
		pass.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }() // until it is closed
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket
}

// The agent waits for every holder of a script's output: the process that continues a request after
// the command has answered must not hold it.
func TestWhatGoesOnAfterTheAnswerHoldsNoOutputOfTheAgents(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	let := make(chan struct{})
	release := sync.OnceFunc(func() { close(let) })
	var waiting atomic.Int32
	host := slowed(t, e, let, &waiting)
	double := cloud.New(nil)
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	double.Add(cloud.Node{ID: managed})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	agent := &cloud.Agent{Endpoint: srv.URL, Node: managed, Region: "us-east-1",
		Folder: t.TempDir(),
		Env: []string{"PATH=/usr/bin:/bin", "DOCKER_HOST=" + host, "DROPCAP_STORE=" +
			filepath.Join(t.TempDir(), "s")}}
	go func() { done <- agent.Run(ctx) }()
	t.Cleanup(func() { release(); stop(); <-done })
	c := carrier{t, srv.URL}
	state := func(line string) dropcap.ReceiptState {
		t.Helper()
		out := c.send(fleet.ShellDocument, map[string]string{"commands": line})
		p, err := frame.Find(fmt.Sprint(out["StandardOutputContent"]))
		if err != nil {
			t.Fatalf("%v: %v", err, out)
		}
		return unpacked(t, p).State
	}
	if s := state(testenv.Binary(t) + " node audit --request=" + requestID(1) +
		" --deadline=1"); s != dropcap.ReceiptRunning || waiting.Load() != 1 {
		t.Errorf("while the engine does not answer it is %s, and %d wait for it", s, waiting.Load())
	}
	release()
	if s := state(testenv.Binary(t) + " node receipt --of=" + requestID(1) +
		" --deadline=100"); s != dropcap.ReceiptDone {
		t.Errorf("then it is %s", s)
	}
}
