package fleet

import (
	"strings"
	"testing"
	"unicode"

	"dropcap"
	"dropcap/internal/frame"
)

// Whatever a host prints, it ends as a receipt for its request, or as a failure in one plain line,
// after a few questions.
func FuzzAnswer(f *testing.F) {
	const request = "0123456789abcdef0123456789abcdef"
	done := `{"schema":"dropcap.receipt/v1","request":"` + request +
		`","verb":"audit","host":{"node":"i-0"},"state":"done","status":3,"summary":"\u001b[31mx","error":{"code":"x","message":"\u202e"},"document":{}}`
	f.Add(done, "", 0, "Success", true, true)
	f.Add(strings.Replace(done, "done", "absent", 1), "", 0, "Success", true, false)
	f.Add(strings.Replace(done, "done", "running", 1), "", 0, "Success", true, true)
	f.Add("-----BEGIN DROPCAP DOCUMENT-----\n1 0 1 x\n",
		"dropcap: error: cannot \x1b[31m\ndropcap: hint: do\n", 1, "Failed", false, true)
	f.Add("", "dropcap: not installed", 127, "Failed", false, false)
	f.Add("", "dropcap: error: cannot read the command line\n", 2, "Failed", false, true)
	f.Add("", "", -1, "Undeliverable", false, true)
	f.Fuzz(func(t *testing.T, stdout, stderr string, exit int, status string, framed,
		changes bool) {
		if framed {
			p, err := frame.Encode([]byte(stdout))
			if err != nil {
				t.Fatal(err)
			}
			stdout = p.String()
		}
		e := &Engine{Clock: newStage(0).clock, Pace: Pace{}.filled()}
		h := &dropcap.FleetHost{Host: "111122223333/us-east-1/i-0", Request: request}
		asking, err := e.exchange(dropcap.FleetRun{Verb: "audit"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		x := asking.task(h)
		x.verb.Changes = changes
		asked := 0
		for ; x.next != over && asked < 10*e.Pace.Asks; asked++ {
			if x.next == toSend {
				h.Sent++
				x.began = true
			}
			x.next = flying
			x.answered(e, dropcap.NodeOutput{Stdout: stdout, Stderr: stderr, Exit: exit,
				Status: status})
			if x.next == flying {
				t.Fatal("nothing comes of it")
			}
			if wait := x.due.Sub(e.Clock.Now()); wait > 0 {
				_ = e.Clock.Sleep(t.Context(), wait)
			}
			if h.Receipt != nil && !h.Receipt.State.Over() {
				_ = e.Clock.Sleep(t.Context(), e.Pace.Patience)
			}
		}
		switch {
		case x.next != over:
			t.Fatalf("it is asked %d times, and again", asked)
		case h.Failure == nil && (h.Receipt == nil || h.Receipt.Request != request ||
			!h.Receipt.State.Over()):
			t.Fatalf("it ends as %+v", h)
		}
		for _, s := range []string{Describe(*h), Cause(*h)} {
			if len(s) > 5000 || strings.ContainsFunc(s, func(r rune) bool {
				return r != ' ' && !unicode.IsPrint(r)
			}) {
				t.Fatalf("it is told as %q", s)
			}
		}
	})
}
