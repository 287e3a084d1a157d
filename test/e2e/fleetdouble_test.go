package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/lab/cloud"
)

// Two nodes of the double.
const (
	nodeA = "i-0000000000000000a"
	nodeB = "i-0000000000000000b"
)

// actor plays a node: it does each request once and keeps the receipt, as `dropcap node` does; the
// test decides the outcome.
type actor struct {
	id      string
	version string
	plan    string // id of the plan that it creates
	// by verb: status, error and document, where they are not the usual ones
	says  map[string]dropcap.Receipt
	lines func(script string) (stdout, stderr string, exit int)

	mu       sync.Mutex
	done     map[string]int // by verb
	receipts map[string]dropcap.Receipt
}

var nodeLine = regexp.MustCompile(`(?m)^dropcap node '?([a-z]+)'? --request='?([0-9a-f]{32})'?`)

var plansWord = regexp.MustCompile(` --plans=([0-9a-f:,]+)`)

func (a *actor) answer(s cloud.Script) (stdout, stderr string, exit int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	script := strings.Join(s.Lines, "\n")
	m := nodeLine.FindStringSubmatch(script)
	switch {
	case a.lines != nil:
		return a.lines(script)
	case m == nil:
		return "done\n", "", 0
	}
	request := dropcap.RequestOf(m[2], a.id)
	r, known := a.receipts[request]
	switch {
	case m[1] == "receipt" && !known:
		r = dropcap.Receipt{State: dropcap.ReceiptAbsent, Host: dropcap.ReceiptHost{Node: a.id}}
	case !known:
		a.done[m[1]]++
		r = a.do(m[1])
		if plans := plansWord.FindStringSubmatch(script); m[1] == "apply" && plans != nil {
			for _, plan := range strings.Split(plans[1], ",") {
				if strings.HasPrefix(plan, a.plan+":") {
					r.Plan = plan
				}
			}
		}
		a.receipts[request] = r
	}
	r.Schema, r.Request = dropcap.SchemaReceipt, request
	text, err := json.Marshal(r)
	if err != nil {
		return "", err.Error(), 1
	}
	part, err := frame.Encode(text)
	if err != nil {
		return "", err.Error(), 1
	}
	return part.String(), "", 0
}

func (a *actor) do(verb string) dropcap.Receipt {
	r, told := a.says[verb]
	r.Verb, r.State, r.Host = verb, dropcap.ReceiptDone, dropcap.ReceiptHost{ID: a.id, Node: a.id,
		Name: a.id, Dropcap: a.version, Docker: "20.10.24"}
	switch {
	case told:
	case verb == "audit":
		r.Document = json.RawMessage(`{"schema":"dropcap.audit/v1","containers":[]}`)
	case verb == "plan":
		r.Status = dropcap.ExitFindings
		r.Document = json.RawMessage(`{"schema":"dropcap.plan/v1","id":"` + a.plan +
			`","steps":[{"container":{"id":"` + strings.Repeat("c", 64) +
			`","name":"web"},"strategy":"recreate","drop":["CAP_NET_RAW"]}]}`)
	case verb == "apply":
		r.Document, r.Summary = changed(dropcap.Applied), "1 change: 1 applied"
	case verb == "backout":
		r.Document, r.Summary = changed(dropcap.BackedOut), "1 change: 1 backed-out"
	case verb == "evidence", verb == "learn":
		r.Document = json.RawMessage(`{"schema":"dropcap.evidence/v1","workloads":[]}`)
	}
	return r
}

func changed(state dropcap.ChangeState) json.RawMessage {
	return json.RawMessage(
		`{"schema":"dropcap.change/v1","changes":[{"id":"0123456789ab","name":"web","state":"` +
			string(state) + `"}]}`)
}

// double is the test's own AWS, whose nodes are actors: no lab, no agents, no engines.
type double struct {
	program
	t     *testing.T
	cloud *cloud.Cloud

	// refuse returns an AWS error for a request, by its operation and body; empty: it succeeds. It
	// is set before the first request.
	refuse func(operation, body string) string

	seen func(*http.Request) // called for every request, if set

	mu   sync.Mutex
	sent []map[string]any // bodies of SendCommand, in order
}

// startDouble has nodes of this very version, with dropcap's documents installed.
func startDouble(t *testing.T, nodes ...*actor) *double {
	t.Helper()
	d := &double{t: t, cloud: cloud.New(nil)}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.program = program{env: []string{
		"AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + cloud.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + cloud.SecretKey,
		"AWS_EC2_METADATA_DISABLED=true", "DROPCAP_STORE=" + filepath.Join(t.TempDir(), "store"),
		"NO_COLOR=1",
	}}
	d.cloud.Bucket(cloud.DefaultAccount, "us-east-1", "outputs")
	version := strings.Fields(program{}.run(t, "version").out)[1]
	for _, a := range nodes {
		if a.version == "" {
			a.version = version
		}
		a.done, a.receipts = map[string]int{}, map[string]dropcap.Receipt{}
		d.cloud.Add(cloud.Node{ID: a.id, Simulated: a.answer})
	}
	d.ends(0, "fleet", "install", "--documents-only")
	return d
}

// ServeHTTP records requests, and rejects those that refuse names.
func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // the double rejects a truncated one
	r.Body = io.NopCloser(bytes.NewReader(body))
	if d.seen != nil {
		d.seen(r)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]any
	if operation == "SendCommand" && json.Unmarshal(body, &in) == nil {
		d.mu.Lock()
		d.sent = append(d.sent, in)
		d.mu.Unlock()
	}
	if d.refuse != nil {
		if code := d.refuse(operation, string(body)); code != "" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"`+code+`","message":"the double refuses it"}`)
			return
		}
	}
	d.cloud.ServeHTTP(w, r)
}

// ends runs a command, checks its status, and returns everything that it printed.
func (d *double) ends(status int, args ...string) string {
	d.t.Helper()
	if args[0] == "fleet" && args[1] != "status" && args[1] != "runs" && args[1] != "prune" {
		args = append(args, "--rate", "200")
	}
	r := d.run(d.t, args...)
	if r.status != status {
		d.t.Errorf("dropcap %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), r.status,
			status, r.out, r.err)
	}
	return r.out + r.err
}

// planned returns the id of a run of plan on all nodes.
func (d *double) planned() string {
	d.t.Helper()
	return runID(d.t, d.ends(3, "fleet", "plan", "--targets", "all"))
}

// says checks for texts.
func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}
