package fleet

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/wire"
)

const (
	planA = "aaaaaaaaaaaa:" + "0000000000000000000000000000000000000000000000000000000000000000"
	planB = "bbbbbbbbbbbb:" + "1111111111111111111111111111111111111111111111111111111111111111"
)

// What a node sends as its receipt counts only if it is of that node, its request, its verb and its
// plan.
func TestNoReceiptIsTakenForAnother(t *testing.T) {
	for name, forge := range map[string]func(*dropcap.Receipt){
		"another request": func(r *dropcap.Receipt) {
			r.Request = strings.Repeat("0", 32)
		},
		"another node": func(r *dropcap.Receipt) {
			r.Host.Node = "i-00000000000000009"
		},
		"no node":      func(r *dropcap.Receipt) { r.Host.Node = "" },
		"another verb": func(r *dropcap.Receipt) { r.Verb = "audit" },
		"another plan": func(r *dropcap.Receipt) { r.Plan = planB },
		"no plan":      func(r *dropcap.Receipt) { r.Plan = "" },
		"a plan, and not its bytes": func(r *dropcap.Receipt) {
			r.Plan = planA[:len(planA)-1] + "1"
		},
	} {
		s, l := newStage(2), newLedger()
		e := &Engine{Carrier: s, Clock: s.clock, Ledger: l}
		run, hosts, err := e.Start(t.Context(), dropcap.FleetRun{Verb: "apply",
			Rules: dropcap.FleetRules{MaxErrors: 2}}, s.nodes(),
			func(string) []string { return []string{"--plans=" + planA} })
		if err != nil {
			t.Fatal(err)
		}
		s.machines["i-00000000000000000"].forges = func(r *dropcap.Receipt) {
			if r.Verb == "apply" {
				forge(r)
			}
		}
		_, hosts, err = e.Go(t.Context(), run, hosts, s.places())
		if err != nil {
			t.Fatal(err)
		}
		if f := hosts[0].Failure; f == nil || f.Cause != "unanswered" ||
			!strings.Contains(f.Message, "its receipt ") ||
			!strings.Contains(f.Message, "not known") || !Bad(hosts[0]) {
			t.Errorf("%s: %+v, %+v", name, f, hosts[0].Receipt)
		}
		if Bad(hosts[1]) {
			t.Errorf("%s: the other host: %+v", name, hosts[1].Failure)
		}
	}
}

// Each host of a run has a request of its own, though many are told by one command; whoever resumes
// finds it again.
func TestEachHostHasARequestOfItsOwn(t *testing.T) {
	s, l := newStage(3), newLedger()
	e, run, hosts := s.begin(t, l, dropcap.FleetRun{Verb: "apply"})
	names := map[string]bool{}
	for _, h := range hosts {
		names[h.Request] = true
		if h.Request != dropcap.RequestOf(run.Request, dropcap.NodeOf(h.Host)) ||
			wire.Check(dropcap.NodeCommand{Verb: "hello", Request: h.Request}) != nil {
			t.Errorf("%s: %s", h.Host, h.Request)
		}
	}
	if len(names) != 3 || names[run.Request] || run.Request == "" {
		t.Errorf("%v of %s", names, run.Request)
	}
	run, hosts, err := l.Run(t.Context(), run.ID) // as another process has it
	if err != nil {
		t.Fatal(err)
	}
	if run, hosts, err = e.Go(t.Context(), run, hosts, s.places()); err != nil ||
		run.State != dropcap.RunDone {
		t.Fatalf("%v: %s: %s", err, run.State, run.Because)
	}
	for _, h := range hosts {
		m := s.machines[dropcap.NodeOf(h.Host)]
		if _, ok := m.receipts[h.Request]; !ok || Bad(h) {
			t.Errorf("%s: %+v, it knows %d requests", h.Host, h.Failure, len(m.receipts))
		}
	}
	// Two commands a wave: its places are two, and its hosts three.
	if n := len(slices.DeleteFunc(slices.Clone(s.sent), func(c dropcap.NodeCommand) bool {
		return c.Verb != "apply"
	})); n != 2 {
		t.Errorf("%d commands", n)
	}
}

// A run that an older version began has one request for all hosts. It is gone on with as it was
// begun, and so is its backout.
func TestARunOfAnOlderVersionIsGoneOnWith(t *testing.T) {
	s, l := newStage(2), newLedger()
	e := &Engine{Carrier: s, Clock: s.clock, Ledger: l}
	run, hosts, err := e.start(t.Context(), dropcap.FleetRun{Verb: "apply"}, s.nodes(),
		func(string) []string {
			return []string{"--plans=" + planA}
		})
	if err != nil || hosts[0].Request != hosts[1].Request {
		t.Fatal(err)
	}
	for _, m := range s.machines {
		m.forges = func(r *dropcap.Receipt) { r.Plan = "" } // older hosts did not tell
	}
	hosts[0].Sent = 1
	run, hosts, err = e.Go(t.Context(), run, hosts, s.places())
	if err != nil || run.State != dropcap.RunDone || Bad(hosts[0]) || Bad(hosts[1]) {
		t.Fatalf("%v: %s: %s", err, run.State, run.Because)
	}
	for _, c := range s.sent {
		if c.Verb == "apply" && slices.Contains(c.Args, "--each") {
			t.Errorf("%+v", c)
		}
	}
	back, list, err := e.TakeBack(t.Context(), run, hosts, s.places(),
		dropcap.FleetRules{MaxErrors: 2})
	if err != nil || back.Args[0] != "--of="+hosts[0].Request || back.Request != "" {
		t.Fatalf("%v: %+v", err, back)
	}
	if back, list, err = e.Go(t.Context(), back, list, s.places()); err != nil ||
		back.State != dropcap.RunDone || Bad(list[0]) {
		t.Errorf("%v: %s", err, back.Because)
	}
}

// What comes from a bucket must be the document whose length and digest Run Command itself kept.
func TestTheRestOfAnOutputIsBoundToItsBeginning(t *testing.T) {
	mine, err := frame.Encode(
		[]byte(
			`{"schema":"dropcap.receipt/v1","request":"0123456789abcdef0123456789abcdef","verb":"audit","host":{"node":"i-0"},"state":"done"}`))
	if err != nil {
		t.Fatal(err)
	}
	noise := strings.Repeat("x", 24000) + "\n"
	for name, c := range map[string]struct {
		out   dropcap.NodeOutput
		taken bool
	}{
		"its beginning was kept": {dropcap.NodeOutput{Stdout: mine.String(), Kept: 150}, true},
		"all of it was kept":     {dropcap.NodeOutput{Stdout: mine.String()}, true},
		"it begins after what is": {dropcap.NodeOutput{Stdout: noise + mine.String(),
			Kept: 24000}, false},
		"the digest was not kept": {dropcap.NodeOutput{Stdout: mine.String(), Kept: 60}, false},
		"it is said to be another's": {dropcap.NodeOutput{Stdout: mine.String()[:40],
			Refused: "somebody else wrote it"}, false},
	} {
		e := &Engine{Clock: newStage(0).clock, Pace: Pace{}.filled()}
		h := &dropcap.FleetHost{Host: "111122223333/us-east-1/i-0",
			Request: "0123456789abcdef0123456789abcdef", Sent: 1}
		asked, err := e.exchange(dropcap.FleetRun{Verb: "audit", Request: "x"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		x := asked.task(h)
		x.next = flying
		c.out.Status = "Success"
		x.answered(e, c.out)
		if (h.Receipt != nil) != c.taken {
			t.Errorf("%s: %+v, asked again: %v", name, h.Receipt, x.next == toAsk)
		}
	}
}
