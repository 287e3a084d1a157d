package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/frame"
	"dropcap/internal/lab/cloud"
)

// changing is a node that does what `dropcap node` does, each request once, and counts what it
// really did.
type changing struct {
	mu       sync.Mutex
	status   int // of an apply
	receipts map[string]dropcap.Receipt
	applied  int
}

var words = regexp.MustCompile(`dropcap node '?([a-z]+)'? --request='?([0-9a-f]{32})'?`)

func (n *changing) answer(s cloud.Script) (string, string, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := words.FindStringSubmatch(strings.Join(s.Lines, "\n"))
	if m == nil {
		return "", "dropcap: error: cannot understand this", 2
	}
	verb, request, host := m[1], dropcap.RequestOf(m[2], s.Node), dropcap.ReceiptHost{Node: s.Node}
	r, known := n.receipts[request]
	switch {
	case !known && verb == "receipt":
		r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request,
			State: dropcap.ReceiptAbsent, Host: host}
	case !known:
		r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request, Verb: verb,
			State: dropcap.ReceiptDone, Host: host,
			Document: json.RawMessage(`{"schema":"dropcap.audit/v1","containers":[]}`)}
		if verb == "apply" {
			n.applied++
			r.Status, r.Document = n.status,
				json.RawMessage(`{"schema":"dropcap.change/v1","changes":[]}`)
		}
		n.receipts[request] = r
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	part, err := frame.Encode(text)
	if err != nil {
		panic(err)
	}
	return part.String(), "", 0
}

// TestAThousandNodesWithFaultsOfEveryKind: kinds of a node strike one node in twenty, those of an
// API so many of its requests as stand below.
func TestAThousandNodesWithFaultsOfEveryKind(t *testing.T) {
	const count = 1000
	now := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	double := cloud.New(now)
	for _, d := range Documents() {
		double.Document(cloud.DefaultAccount, "us-east-1", d.Name, d.Content)
	}
	random := rand.New(rand.NewPCG(1, 2))
	nodes := map[string]*changing{}
	var ids []string
	for i := range count {
		id := fmt.Sprintf("i-%017x", i)
		nodes[id] = &changing{receipts: map[string]dropcap.Receipt{}}
		if i%40 == 7 {
			nodes[id].status = dropcap.ExitRolledBack
		}
		ids = append(ids, id)
		double.Add(cloud.Node{ID: id, Simulated: nodes[id].answer})
	}
	srv := httptest.NewServer(double)
	defer srv.Close()
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": srv.URL,
		"AWS_ACCESS_KEY_ID": cloud.AccessKey, "AWS_SECRET_ACCESS_KEY": cloud.SecretKey,
		"AWS_SESSION_TOKEN": "",
		"AWS_REGION":        "us-east-1", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	client, err := aws.Open(t.Context(), aws.Options{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	found, failures, err := client.Find(t.Context(), dropcap.Targets{All: true})
	if err != nil || len(found) != count || len(failures) != 0 {
		t.Fatalf("%d nodes, %v, %v", len(found), failures, err)
	}
	for _, kind := range []string{cloud.NotYet, cloud.LostReply, cloud.Duplicate, cloud.Damaged,
		cloud.Truncated, cloud.NeverStarted, cloud.KilledMidway} {
		for _, i := range random.Perm(count)[:count/20] {
			double.Inject(cloud.Fault{Kind: kind, Node: ids[i], Times: 1 + random.IntN(2),
				After: random.IntN(3)})
		}
	}
	for _, kind := range []string{cloud.Throttle, cloud.ServerError, cloud.Drop} {
		for api, calls := range map[string]int{"ssm:SendCommand": 60,
			"ssm:ListCommandInvocations": 100, "ssm:GetCommandInvocation": 3 * count} {
			for range calls / 20 {
				double.Inject(cloud.Fault{Kind: kind, API: api, Times: 1,
					After: random.IntN(calls)})
			}
		}
	}
	e := &Engine{Carrier: client, Clock: now, Ledger: newLedger()}
	run, hosts, err := e.Start(t.Context(), dropcap.FleetRun{Verb: "apply",
		Rules: dropcap.FleetRules{MaxErrors: count}}, found, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, hosts, err = e.Go(t.Context(), run, hosts, []dropcap.Place{found[0].Place})
	if err != nil {
		t.Fatal(err)
	}
	causes := map[string]int{}
	for _, f := range ResultOf(run, hosts).Failures {
		causes[f.Cause]++
		if f.Cause == "" || f.Message == "" && f.Cause != "rolled-back" {
			t.Errorf("%+v does not tell why", f)
		}
	}
	for _, h := range hosts {
		n := nodes[dropcap.NodeOf(h.Host)]
		unknown := h.Failure != nil && (h.Failure.Cause == "unanswered" ||
			h.Failure.Cause == "unreachable")
		switch {
		case n.applied > 1:
			t.Errorf("%s was changed %d times", h.Host, n.applied)
		case unknown && strings.Contains(h.Failure.Message, "not known"):
		case h.Failure != nil && n.applied > 0:
			t.Errorf("%s was changed, and %+v", h.Host, h.Failure)
		case h.Failure == nil && (h.Receipt == nil || h.Receipt.Status != n.status ||
			n.applied != 1):
			t.Errorf("%s: %+v, but it was changed %d times and ended with %d", h.Host, h.Receipt,
				n.applied, n.status)
		}
	}
	if causes["rolled-back"] < count/40-3 ||
		run.State != dropcap.RunDone && run.State != dropcap.RunStopped {
		t.Errorf("%v, %s", causes, run.State)
	}
	t.Logf("%s: %s; %v; %v", run.State, run.Because, causes, double.Calls())
}
