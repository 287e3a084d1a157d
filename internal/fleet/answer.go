package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/frame"
	"dropcap/internal/printable"
)

// answered interprets a node's output: a receipt, a part of one, or a reason to ask again. The
// service's status of the command only says that there is nothing more to wait for.
func (t *task) answered(e *Engine, o dropcap.NodeOutput) {
	part, err := frame.Find(o.Stdout)
	if err != nil {
		t.wordless(e, o, err)
		return
	}
	if t.part.Text != "" {
		if part, err = t.part.Join(part); err != nil {
			t.again(e, "its document came damaged")
			return
		}
	}
	if part.Offset != 0 {
		t.again(e, "its document came without its beginning")
		return
	}
	if !part.Complete() && len(part.Text)-len(t.part.Text) < minPart {
		t.again(e, "its document came in pieces that are too small")
		return
	}
	if !part.Complete() {
		t.part, t.asks, t.next, t.due = part, 0, toAsk, time.Time{}
		return
	}
	if o.Kept > 0 && !part.BeginsIn(o.Stdout[:min(o.Kept, len(o.Stdout))]) {
		t.again(e, "what the bucket has of its output is not what Run Command kept of it")
		return
	}
	r, err := receiptIn(part)
	if err == nil {
		err = t.own(r)
	}
	if errors.Is(err, foreign.ErrTooMuch) {
		t.end("too-large", printable.Line(err.Error()),
			"audit fewer containers at once with --container; if it goes on, do not trust the host")
		return
	}
	if err != nil {
		t.again(e, printable.Line(err.Error()))
		return
	}
	t.receipt(e, r)
}

// receiptIn decodes a receipt.
func receiptIn(part frame.Part) (dropcap.Receipt, error) {
	var r dropcap.Receipt
	raw, err := part.Document()
	if err != nil {
		return r, err
	}
	if err := foreign.Decode(raw, &r); err != nil {
		return r, fmt.Errorf("its receipt is not understood: %w", err)
	}
	if r.Schema != dropcap.SchemaReceipt {
		return r, errors.New("its receipt has the schema " + printable.Cut(r.Schema, 40))
	}
	return limitText(r), nil
}

// own checks a receipt against the request: no node may answer for another, or for another request.
// Receipts of a run that an older version began may say less.
func (t *task) own(r dropcap.Receipt) error {
	plan := ""
	if len(t.args.Plans) > 0 {
		plan = t.args.Plans[0].String()
	}
	switch {
	case r.Request != t.host.Request:
		return errors.New("its receipt is for another request")
	case r.Host.Node != t.node && (t.each || r.Host.Node != ""):
		return fmt.Errorf("its receipt is of another node (%s)",
			cmp.Or(r.Host.Node, "none is named"))
	case r.State == dropcap.ReceiptAbsent:
	case r.Verb != t.verb.Name:
		return fmt.Errorf("its receipt is of another verb (%s)", cmp.Or(r.Verb, "none is named"))
	case r.Plan != "" && plan != "" && r.Plan != plan:
		return errors.New("its receipt is of another plan")
	case r.Plan == "" && plan != "" && t.each && r.State == dropcap.ReceiptDone && r.Error == nil:
		return errors.New("its receipt does not tell which plan was applied")
	}
	return nil
}

// minPart is how many characters a part must have, so that a host cannot delay a run with ever
// smaller ones. Hosts print frame.Fits.
const minPart = 4096

// limitText limits a host's text besides its document to what an honest host sends
// (internal/node/receipt.go).
func limitText(r dropcap.Receipt) dropcap.Receipt {
	const few, line, lines = 100, 500, 100
	for _, s := range []*string{&r.Command, &r.Verb, &r.Plan, &r.Started, &r.Ended, &r.Host.ID,
		&r.Host.Node, &r.Host.Dropcap, &r.Host.Docker} {
		*s = printable.Cut(*s, few)
	}
	for _, s := range []*string{&r.Summary, &r.Host.Name, &r.Host.Kernel} {
		*s = printable.Cut(*s, line)
	}
	if r.Error != nil {
		r.Error = &dropcap.Failing{Code: dropcap.Code(printable.Cut(string(r.Error.Code), few)),
			Message: printable.Cut(r.Error.Message, 4*line), Hint: printable.Cut(r.Error.Hint,
				line)}
	}
	for _, l := range []*[]string{&r.Messages, &r.Warnings} {
		*l = slices.Clone((*l)[max(0, len(*l)-lines):]) // drops what was before them
		for i, s := range *l {
			(*l)[i] = printable.Cut(s, line)
		}
	}
	r.Args = slices.Clone(r.Args[:min(len(r.Args), lines)])
	for i, s := range r.Args {
		r.Args[i] = printable.Cut(s, 8*line)
	}
	return r
}

func (t *task) receipt(e *Engine, r dropcap.Receipt) {
	t.part, t.asks = frame.Part{}, 0
	now := e.Clock.Now()
	switch {
	case r.State == dropcap.ReceiptAbsent:
		// The request may be sent again: what arrives first is done, and the rest finds its
		// receipt. An earlier one may still be on its way.
		if t.complaint != nil {
			t.next, t.host.Failure = over, t.complaint
			return
		}
		if t.host.Sent > e.Pace.Asks {
			t.end("undelivered",
				"the request had not arrived there when it was last asked, however often it was "+
					"sent", "see amazon-ssm-agent's log on that host")
			return
		}
		t.next, t.due = toSend, now.Add(e.Pace.Poll)
	case r.State.Over():
		foreign.Take(t.host, r)
		t.next = over
	case now.Sub(t.since) > e.Pace.Patience:
		foreign.Take(t.host, r)
		t.end("slow", "it is still at work after "+now.Sub(t.since).Round(time.Second).String(),
			"`dropcap fleet resume` asks it again")
	default:
		t.goesOn(e, r)
	}
}

// goesOn schedules the next question to a host that is not done. Only a verb that may change
// containers asks for a recovery, if a change was left without a process; one that cannot be ended
// now is asked again, like one at work.
func (t *task) goesOn(e *Engine, r dropcap.Receipt) {
	now := e.Clock.Now()
	again := t.host.Receipt != nil && t.host.Receipt.Recovery
	foreign.Take(t.host, r)
	wait := min(max(now.Sub(t.since)/4, 2*e.Pace.Poll), 20*e.Pace.Poll)
	t.next, t.due = toAsk, now.Add(wait)
	if t.verb.Changes && r.Recovery {
		t.next = toEnd
		if !again {
			t.due = now
		}
	}
}

// wordless handles an output without a receipt: dropcap is missing, could not run, or the output
// was lost.
func (t *task) wordless(e *Engine, o dropcap.NodeOutput, err error) {
	if strings.Contains(o.Stderr, NotInstalled) || o.Exit == 127 {
		if t.verb.Changes && (t.asks > 0 || t.host.Sent > 1 || t.host.Receipt != nil) {
			t.lost("dropcap is not installed there any more",
				"`dropcap fleet install --targets …` installs it; `dropcap fleet resume` asks "+
					"again then")
			return
		}
		t.end("not-installed", "dropcap is not installed there",
			"`dropcap fleet install --targets …` installs it")
		return
	}
	if m := errorLine().FindStringSubmatch(o.Stderr); m != nil && o.Exit != 0 &&
		!strings.Contains(o.Stdout, "BEGIN DROPCAP") {
		hint := ""
		if h := hintLine().FindStringSubmatch(o.Stderr); h != nil {
			hint = printable.Cut(h[1], maxQuoted)
		}
		if o.Exit == dropcap.ExitUsage && t.host.Sent <= 1 {
			t.end("version", printable.Cut(m[1], maxQuoted),
				"the dropcap there may be of another version: `dropcap fleet install` brings "+
					"this one")
			return
		}
		if t.began && t.verb.Changes { // the change may still run: its receipt will show
			t.complaint = &dropcap.HostFailure{Host: t.host.Host, Cause: "error",
				Message: printable.Cut(m[1], maxQuoted), Hint: hint}
			t.again(e, "it prints errors and no receipt")
			return
		}
		t.end("error", printable.Cut(m[1], maxQuoted), hint)
		return
	}
	switch o.Status {
	case "Undeliverable", "InvalidPlatform", "AccessDenied":
		t.lost("the command could not be delivered ("+o.Status+")",
			"see that the instance runs and amazon-ssm-agent answers")
		return
	}
	if errors.Is(err, frame.ErrDamaged) {
		t.again(e, cmp.Or(o.Refused, "no whole answer came from it"))
		return
	}
	t.end("too-large", printable.Line(err.Error()),
		"audit fewer containers at once with --container")
}

// NotInstalled is what dropcap's documents print if dropcap is not installed.
const NotInstalled = "dropcap: not installed"

// maxQuoted limits the quoted text of a host, in bytes.
const maxQuoted = 500

var (
	errorLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^dropcap: error: (.+)`)
	})
	hintLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^dropcap: hint: (.+)`)
	})
)
