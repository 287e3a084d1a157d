package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/frame"
	"dropcap/internal/store"
)

// requestID names a request.
func requestID(n int) string { return fmt.Sprintf("%032x", n) }

// receiptIn reads node's output, which Run Command must not cut.
func receiptIn(t *testing.T, r result) (dropcap.Receipt, frame.Part) {
	t.Helper()
	if r.status != 0 || len(r.out) > 24000 {
		t.Fatalf("exit status %d, %d characters: %s%s", r.status, len(r.out), r.out, r.err)
	}
	p, err := frame.Find(r.out)
	if err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	var receipt dropcap.Receipt
	if p.Complete() {
		receipt = unpacked(t, p)
	}
	return receipt, p
}

func unpacked(t *testing.T, p frame.Part) (r dropcap.Receipt) {
	t.Helper()
	text, err := p.Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Schema != dropcap.SchemaReceipt {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}

// node runs a request and returns its receipt.
func (p program) node(t *testing.T, args ...string) dropcap.Receipt {
	t.Helper()
	r, _ := receiptIn(t, p.run(t, append([]string{"node"}, args...)...))
	return r
}

func onNode(t *testing.T, e *fake.Engine) (p program, folder string) {
	folder = filepath.Join(t.TempDir(), "store")
	return on(e).with("DROPCAP_STORE="+folder,
		"SSM_COMMAND_ID=01234567-89ab-cdef-0123-456789abcdef",
		"AWS_SSM_INSTANCE_ID=i-0123456789abcdef0"), folder
}

func TestANodeSaysWhoItIsAndRecordsNothing(t *testing.T) {
	p, folder := onNode(t, fake.Start(t, fake.Options{}))
	r := p.node(t, "hello", "--request="+requestID(1))
	if r.State != dropcap.ReceiptDone || r.Host.Docker != "29.0.0" ||
		r.Host.Node != "i-0123456789abcdef0" || r.Host.Dropcap == "" ||
		r.Command != "01234567-89ab-cdef-0123-456789abcdef" {
		t.Errorf("%+v", r)
	}
	none := program{env: []string{"DOCKER_HOST=unix:///nonexistent", "AWS_SSM_INSTANCE_ID=$(id)",
		"SSM_COMMAND_ID=x"}}
	if r := none.node(t, "hello"); r.Host.Docker != "" || r.Host.Node != "" || r.Command != "" ||
		r.State != dropcap.ReceiptDone {
		t.Errorf("without an engine: %+v", r)
	}
	if r := p.node(t, "receipt", "--of="+requestID(2)); r.State != dropcap.ReceiptAbsent ||
		r.Request != requestID(2) {
		t.Errorf("%+v", r)
	}
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if list, err := s.Receipts(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("recorded %+v, %v", list, err)
	}
}

// A thousand containers come back in parts that join, each within what Run Command keeps; and whole
// on request.
func TestALargeAuditComesBackInParts(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	for range 1000 {
		e.Add(fake.Container{Labels: map[string]string{"x": "y"}})
	}
	p, _ := onNode(t, e)
	_, got := receiptIn(t, p.run(t, "node", "audit", "--request="+requestID(1), "--deadline=600"))
	parts := 1
	for ; !got.Complete(); parts++ {
		_, next := receiptIn(t, p.run(t, "node", "receipt", "--request="+requestID(9),
			"--of="+requestID(1), fmt.Sprintf("--offset=%d", got.End())))
		var err error
		if got, err = got.Join(next); err != nil {
			t.Fatal(err)
		}
	}
	r := unpacked(t, got)
	var a dropcap.Audit
	if err := json.Unmarshal(r.Document, &a); err != nil || len(a.Containers) != 1000 ||
		parts < 2 || r.Status != 3 || !strings.HasPrefix(r.Summary, "1000 containers: 1000 fail") {
		t.Errorf("%v, %d containers in %d parts: %d %s", err, len(a.Containers), parts, r.Status,
			r.Summary)
	}
	t.Logf("%d parts of %d characters", parts, got.Total)
	whole := p.run(t, "node", "receipt", "--of="+requestID(1), "--whole")
	if one, err := frame.Find(whole.out); err != nil || one != got {
		t.Errorf("whole: %v", err)
	}
	p.run(t, "node", "receipt", "--of="+requestID(1), "--offset=999999999").wantError(t, 2,
		"from character 999999999 on")
}

// Many processes with the same request at once, and a later one, get the same receipt of its only
// execution.
func TestARequestIsDoneOnceHoweverOftenItComes(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	p, _ := onNode(t, e)
	e.Requests()
	var all [6]dropcap.Receipt
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			r := p.run(t, "node", "audit", "--request="+requestID(1), "--deadline=100")
			if part, err := frame.Find(r.out); err == nil && part.Complete() {
				all[i] = unpacked(t, part)
			}
		})
	}
	wait.Wait()
	all[0] = p.node(t, "audit", "--request="+requestID(1))
	for i, r := range all {
		if r.State != dropcap.ReceiptDone || string(r.Document) != string(all[0].Document) ||
			r.Started != all[0].Started {
			t.Errorf("%d: %s, %s", i, r.State, r.Summary)
		}
	}
	lists := 0
	for _, line := range e.Requests() {
		if strings.HasSuffix(line, "/containers/json") {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("the engine was asked for its containers %d times", lists)
	}
	if r := p.run(t, "node", "plan", "--request="+requestID(1)); r.status != 1 ||
		!strings.Contains(r.err, "it was to audit") {
		t.Errorf("the request for something else: %d %s", r.status, r.err)
	}
}

func TestANodeTakesNothingThatAShellWould(t *testing.T) {
	p, folder := onNode(t, fake.Start(t, fake.Options{}))
	id := "--request=" + requestID(1)
	for _, args := range [][]string{{"rm"}, {"audit"}, {"audit", "--request=x"},
		{"audit", id, "--level=cis;id"}, {"audit", id, "--level=$(id)"},
		{"audit", id, "--level=`id`"},
		{"audit", id, "--container=*"}, {"audit", id, "--container=~"},
		{"audit", id, "--container=--policy"}, {"audit", id, "--container=a b"},
		{"audit", id, "--container=a\nb"},
		{"audit", id, "--container='a'"}, {"audit", id, "--container=a>b"},
		{"audit", id, "--policy=/tmp/x"}, {"audit", id, "--store=/tmp/x"}, {"audit", id, "web"},
		{"audit", id, id},
		{"audit", id, "--all"}, {"audit", id, "--host=tcp://x"}, {"apply", id},
		{"apply", id, "--plans=x"}, {"apply", id, "--plans=0123456789ab:" + strings.Repeat("a", 64),
			"--soak=-1s"},
		{"backout", id}, {"backout", id, "--of=../x"}, {"learn", id, "--for=1"},
		{"receive", id, "--part=0/1"}, {"receipt", id}, {"work"}, {"audit", id, "--deadline=-1"}} {
		if r := p.run(t, append([]string{"node"}, args...)...); r.status != 2 || r.out != "" ||
			!strings.HasPrefix(r.err, "dropcap: error: cannot ") {
			t.Errorf("%q: exit status %d\n%s%s", args, r.status, r.out, r.err)
		}
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("something was recorded")
	}
	if r := p.run(t, "node", "--help"); r.status != 0 ||
		!strings.Contains(r.out, "Exit status: 0 a receipt was printed") {
		t.Errorf("%d %s", r.status, r.out)
	}
}

// Without an engine, a plan, or evidence there is a receipt that says so.
func TestWhatFailsHasAReceiptToo(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	p, _ := onNode(t, e)
	none := p.with("DOCKER_HOST=unix:///nonexistent")
	for i, c := range []struct {
		p      program
		args   []string
		status int
		code   dropcap.Code
	}{
		{none, []string{"audit"}, 6, "host"},
		{p, []string{"apply", "--plans=0123456789ab:" + strings.Repeat("a", 64)}, 1, "no-plan"},
	} {
		r := c.p.node(t, append(c.args, "--request="+requestID(i))...)
		if r.State != dropcap.ReceiptDone || r.Status != c.status || r.Error == nil ||
			r.Error.Code != c.code || string(r.Document) != "null" || r.Ended == "" {
			t.Errorf("%q: %+v %+v", c.args, r, r.Error)
		}
	}
	// What it lacks is nothing to do there.
	for i, args := range [][]string{{"audit", "--container=none"},
		{"evidence", "--workload=docker:none"}} {
		r := p.node(t, append(args, "--request="+requestID(50+i))...)
		if r.Status != 0 || r.Error != nil || !strings.Contains(string(r.Document), `none"]`) ||
			!strings.Contains(string(r.Document), `"absent":[`) {
			t.Errorf("%q: %+v %s", args, r, r.Document)
		}
	}
	for i, verb := range []string{"evidence", "history"} {
		if r := p.node(t, verb, "--request="+requestID(100+i)); r.Status != 0 || r.Error != nil ||
			r.Document == nil {
			t.Errorf("%s: %+v", verb, r)
		}
	}
	if r := p.node(t, "backout", "--request="+requestID(200),
		"--of="+requestID(1)); r.Status != 0 || r.Summary != "nothing to back out" {
		t.Errorf("backout: %+v", r)
	}
}

// Evidence is assembled from parts in any order, verified, and imported; its parts are gone then.
func TestEvidenceIsReceivedInParts(t *testing.T) {
	p, folder := onNode(t, fake.Start(t, fake.Options{}))
	source := dropcap.Source{Container: strings.Repeat("ab", 32), Since: "2026-05-01T10:00:00Z",
		Until: "2026-05-01T11:00:00Z", Seconds: 3600}
	source.Host.ID = strings.Repeat("c", 32)
	document, err := json.Marshal(dropcap.Evidence{Schema: dropcap.SchemaEvidence,
		Workloads: []dropcap.WorkloadEvidence{{
			Workload: "docker:web", Revision: "sha256:" + strings.Repeat("1", 64),
			Sources: []dropcap.Source{source},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(n, part, of int, sum string, data []byte) dropcap.Receipt {
		return p.node(t, "receive", "--request="+requestID(n), fmt.Sprintf("--part=%d/%d", part,
			of), "--sum="+sum, "--data="+base64.RawURLEncoding.EncodeToString(data))
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(document))
	if r := send(1, 2, 2, sum, document[100:]); r.Status != 0 || r.Summary != "part 2 of 2" ||
		!strings.HasPrefix(r.Args[2], "--data=sha256:") {
		t.Errorf("%+v", r)
	}
	if r := send(2, 1, 2, sum, document[:100]); r.Status != 0 ||
		!strings.Contains(r.Summary, "took in the evidence of 1 workload") {
		t.Errorf("%+v %+v", r, r.Error)
	}
	if r := p.node(t, "evidence", "--request="+requestID(3),
		"--workload=docker:web"); r.Status != 0 || r.Summary != "evidence of 1 workload" {
		t.Errorf("%+v %+v", r, r.Error)
	}
	if r := send(4, 1, 1, strings.Repeat("0", 64), document); r.Status != 1 || r.Error == nil ||
		!strings.Contains(r.Error.Message, "its digest is") {
		t.Errorf("%+v %+v", r, r.Error)
	}
	garbage := []byte("not JSON")
	if r := send(5, 1, 1, fmt.Sprintf("%x", sha256.Sum256(garbage)), garbage); r.Status != 1 ||
		r.Error == nil {
		t.Errorf("%+v %+v", r, r.Error)
	}
	if left, _ := os.ReadDir(filepath.Join(folder, "requests")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
