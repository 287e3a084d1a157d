package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/frame"
)

// machine is a host of the stage: it does each request once, whatever it is asked.
type machine struct {
	receipts map[string]dropcap.Receipt
	ready    map[string]time.Time // when a request is through
	done     map[string]int       // by verb: how often something was really done
	changed  bool
	apply    int // exit status of an apply
	takes    time.Duration
	size     int    // of its documents
	audit    string // its audit as JSON
	after    string // and after a change
	version  string
	plan     string // that it made
	back     int    // exit status of a backout
	says     string
	stderr   string // instead of anything else
	forges   func(*dropcap.Receipt)
	dies     bool // its process dies during an apply, and somebody must have it recovered
}

// trouble is what goes wrong on the way, by the number of the call; nil: nothing.
type trouble func(n int, what, node string) string

// stage is a carrier with hosts behind it.
type stage struct {
	mu       sync.Mutex
	clock    *clock
	machines map[string]*machine
	trouble  trouble
	calls    map[string]int
	number   int
	outputs  map[string]map[string]dropcap.NodeOutput
	states   map[string]map[string]string
	// until when the service waits, where it does so for long
	ends map[string]map[string]time.Time
	sent []dropcap.NodeCommand
	stop func(n int) bool
}

func newStage(n int) *stage {
	s := &stage{clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local)},
		machines: map[string]*machine{}, calls: map[string]int{},
		outputs: map[string]map[string]dropcap.NodeOutput{}, states: map[string]map[string]string{},
		ends: map[string]map[string]time.Time{}}
	for i := range n {
		s.machines[fmt.Sprintf("i-%017d", i)] = &machine{receipts: map[string]dropcap.Receipt{},
			ready: map[string]time.Time{}, done: map[string]int{}}
	}
	return s
}

func (s *stage) nodes() (list []dropcap.Node) {
	for i, id := range slices.Sorted(maps.Keys(s.machines)) {
		region := "eu-west-1"
		if i%3 == 2 {
			region = "us-east-1"
		}
		list = append(list, dropcap.Node{Place: dropcap.Place{Account: "111122223333",
			Region: region}, ID: id, Name: id[10:], Platform: "Linux", Online: true})
	}
	return list
}

func (s *stage) places() []dropcap.Place {
	return []dropcap.Place{{Account: "111122223333", Region: "eu-west-1"},
		{Account: "111122223333", Region: "us-east-1"}}
}

func (s *stage) Find(context.Context,
	dropcap.Targets) ([]dropcap.Node, []dropcap.HostFailure, error) {
	return s.nodes(), nil, nil
}

func (s *stage) goesWrong(what, node string) string {
	s.number++
	if s.trouble == nil {
		return ""
	}
	return s.trouble(s.number, what, node)
}

var errAway = dropcap.Errorf(dropcap.CodeError, "", "cannot reach the service: %w",
	dropcap.ErrTemporary)

func (s *stage) Send(ctx context.Context, c dropcap.NodeCommand) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["send"]++
	s.sent = append(s.sent, c)
	if s.stop != nil && s.stop(s.calls["send"]) {
		return "", context.Canceled
	}
	id := fmt.Sprintf("command-%d", s.calls["send"])
	s.outputs[id], s.states[id], s.ends[id] = map[string]dropcap.NodeOutput{}, map[string]string{},
		map[string]time.Time{}
	wrong := s.goesWrong("send", "")
	if wrong == "away" {
		return "", errAway
	}
	for _, n := range c.Nodes {
		s.deliver(id, n, c)
	}
	if wrong == "dropped" { // it took effect, and nobody knows its id
		return "", errAway
	}
	return id, nil
}

func (s *stage) deliver(id, node string, c dropcap.NodeCommand) {
	m := s.machines[node]
	if m == nil {
		s.states[id][node] = "Undeliverable"
		return
	}
	wrong := s.goesWrong("deliver", node)
	if wrong == "undelivered" {
		s.states[id][node] = "DeliveryTimedOut"
		return
	}
	switch wrong {
	case "broken":
		s.states[id][node] = "Failed"
		s.outputs[id][node] = dropcap.NodeOutput{Stderr: "dropcap: error: cannot write the store\n",
			Exit: 1, Status: "Failed"}
		return
	case "gone":
		s.states[id][node] = "Undeliverable"
		return
	case "silent": // its agent does not fetch the command
		s.states[id][node], s.ends[id][node] = "Pending", s.clock.Now().Add(c.Delivery)
		return
	case "stuck": // its agent is killed while the command runs, which goes on
		s.states[id][node], s.ends[id][node] = "InProgress",
			s.clock.Now().Add(c.Delivery+c.Execution)
		m.run(s.clock.Now(), node, c)
		return
	}
	out := m.run(s.clock.Now(), node, c)
	if wrong == "twice" {
		out = m.run(s.clock.Now(), node, c)
	}
	s.states[id][node] = "Success"
	switch wrong {
	case "lost":
		s.states[id][node] = "DeliveryTimedOut"
	case "damaged":
		b := []byte(out.Stdout)
		b[len(b)/2] ^= 1
		out.Stdout = string(b)
	case "cut":
		out.Stdout = out.Stdout[:len(out.Stdout)*2/3]
	case "error":
		out = dropcap.NodeOutput{Stderr: "dropcap: error: cannot use the store: it is busy\n",
			Exit: 1, Status: "Failed"}
	case "empty":
		if p, err := frame.Find(out.Stdout); err == nil {
			p.Text = ""
			out.Stdout = p.String()
		}
	case "absent":
		out = absent(node, c)
	case "garbage":
		out.Stdout = "\x1b[2J-----BEGIN DROPCAP DOCUMENT-----\n1 2 3\n-----END DROPCAP " +
			"DOCUMENT-----"
	}
	s.outputs[id][node] = out
}

// absent is what a host prints that has not heard of a request.
func absent(node string, c dropcap.NodeCommand) dropcap.NodeOutput {
	raw, _ := json.Marshal(dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: named(node, c),
		State: dropcap.ReceiptAbsent, Host: dropcap.ReceiptHost{Node: node}})
	p, _ := frame.Encode(raw)
	return dropcap.NodeOutput{Stdout: p.String(), Status: "Success"}
}

// named is the name of a node's own request.
func named(node string, c dropcap.NodeCommand) string {
	if !slices.Contains(c.Args, "--each") {
		return c.Request
	}
	return dropcap.RequestOf(c.Request, node)
}

// run is what `dropcap node` does.
func (m *machine) run(now time.Time, node string, c dropcap.NodeCommand) dropcap.NodeOutput {
	if m.stderr != "" {
		return dropcap.NodeOutput{Stderr: m.stderr, Exit: 1, Status: "Failed"}
	}
	request, offset := named(node, c), 0
	if c.Verb == "recover" && m.dies {
		m.done["recover"]++
		r := m.receipts[request]
		r.State, r.Status = dropcap.ReceiptInterrupted, dropcap.ExitRolledBack
		m.receipts[request], m.dies = r, false
	}
	if c.Verb != "receipt" && c.Verb != "recover" {
		if _, begun := m.receipts[request]; !begun {
			m.receipts[request] = m.do(node, request, c)
			m.ready[request] = now.Add(m.takes)
		}
	}
	for _, a := range c.Args {
		_, _ = fmt.Sscanf(a, "--offset=%d", &offset)
	}
	r, ok := m.receipts[request]
	switch {
	case !ok:
		r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request,
			State: dropcap.ReceiptAbsent, Host: dropcap.ReceiptHost{Node: node}}
	case r.Verb == "apply" && m.dies:
		r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request, Verb: r.Verb,
			State: dropcap.ReceiptRunning, Recovery: c.Verb != "apply", Host: r.Host}
	case m.ready[request].After(now):
		r = dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request, Verb: r.Verb,
			State: dropcap.ReceiptRunning, Host: r.Host}
	}
	if m.forges != nil {
		m.forges(&r)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	p, err := frame.Encode(raw)
	if err != nil {
		panic(err)
	}
	return dropcap.NodeOutput{Stdout: "dropcap\n" + p.Cut(offset, frame.Fits).String(),
		Status: "Success"}
}

func (m *machine) do(node, request string, c dropcap.NodeCommand) dropcap.Receipt {
	m.done[c.Verb]++
	r := dropcap.Receipt{Schema: dropcap.SchemaReceipt, Request: request, Verb: c.Verb,
		State: dropcap.ReceiptDone, Host: dropcap.ReceiptHost{Node: node, Dropcap: m.version}}
	switch c.Verb {
	case "audit":
		r.Document = json.RawMessage(`{"schema":"dropcap.audit/v1","containers":[]}`)
		if m.audit != "" {
			r.Document = json.RawMessage(m.audit)
		}
		if m.changed && m.after != "" {
			r.Document = json.RawMessage(m.after)
		}
	case "apply":
		r.Status, m.changed = m.apply, m.apply == 0
		for _, word := range c.Args {
			if plans, ok := strings.CutPrefix(word, "--plans="); ok && m.plan == "" {
				m.plan = strings.Split(plans, ",")[0]
			}
		}
		r.Plan = m.plan
	case "backout":
		r.Status = m.back
		if m.back == 0 {
			m.changed = false
		}
	}
	r.Summary = m.says
	if m.size > 0 {
		r.Document, _ = json.Marshal(noise(m.size))
	}
	return r
}

// noise is text that does not compress.
func noise(n int) string {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x", sha256.Sum256(fmt.Append(nil, random.Uint64())))
	}
	return b.String()
}

func (s *stage) Poll(_ context.Context, _ dropcap.Place, id string) ([]dropcap.Invocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["poll"]++
	if s.goesWrong("poll", "") == "away" {
		return nil, errAway
	}
	var list []dropcap.Invocation
	for _, n := range slices.Sorted(maps.Keys(s.states[id])) {
		if end, waits := s.ends[id][n]; waits && s.clock.Now().After(end) {
			s.states[id][n] = "DeliveryTimedOut"
		}
		list = append(list, dropcap.Invocation{Node: n, Status: s.states[id][n]})
	}
	return list, nil
}

func (s *stage) Output(_ context.Context, _ dropcap.NodeCommand, id,
	node string) (dropcap.NodeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["output"]++
	if s.goesWrong("output", node) == "away" {
		return dropcap.NodeOutput{}, errAway
	}
	return s.outputs[id][node], nil
}

// begin starts a run over all nodes of the stage.
func (s *stage) begin(t *testing.T, l Ledger,
	run dropcap.FleetRun) (*Engine, dropcap.FleetRun, []dropcap.FleetHost) {
	t.Helper()
	e := &Engine{Carrier: s, Clock: s.clock, Ledger: l}
	run, hosts, err := e.Start(t.Context(), run, s.nodes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e, run, hosts
}

func (s *stage) do(t *testing.T, run dropcap.FleetRun) (dropcap.FleetRun, []dropcap.FleetHost) {
	t.Helper()
	e, run, hosts := s.begin(t, newLedger(), run)
	run, hosts, err := e.Go(t.Context(), run, hosts, s.places())
	if err != nil {
		t.Fatal(err)
	}
	return run, hosts
}
