package fleet

import (
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/internal/wire"
)

// step is what a host is asked next.
type step int

const (
	toSend step = iota // the request itself
	toAsk              // for the receipt of the request
	toEnd              // to end the request, whose process died, and then for its receipt
	flying             // nothing: an answer is awaited
	over
)

// task is one host of an exchange.
type task struct {
	host  *dropcap.FleetHost
	place dropcap.Place
	node  string
	next  step
	due   time.Time  // when next is due
	since time.Time  // when it was first sent, or first asked in this process
	asks  int        // consecutive answers without a complete receipt
	part  frame.Part // the received part of a document
	began bool       // something of the request may have reached the host
	// complaint is an error that the host printed instead of a receipt; it counts once the host
	// says that it has not begun the request.
	complaint *dropcap.HostFailure
	args      wire.Args // for this host alone
	word      string    // the service's status; empty: unknown yet
	sign      time.Time // when the node last showed a sign of life, or was first addressed
	beside    int       // how often its receipt was requested in parallel to a command
	asking    bool      // such a request is out or scheduled
	verb      wire.Verb
	each      bool // the request is the host's alone
	held      bool // it counts towards the hosts asked at once
}

func (x *exchange) task(h *dropcap.FleetHost) *task {
	place, node := cutHost(h.Host)
	t := &task{host: h, place: x.places[place], node: node, since: x.Clock.Now(), verb: x.verb,
		each: x.run.Request != ""}
	// arguments that cannot be parsed are sent to no host
	t.args, _ = wire.ParseArgs(x.verb.Name, h.Extra)
	switch {
	case h.Over():
		t.next = over
	case h.Sent > 0:
		// by an earlier controller: only the host knows the result
		t.next, t.began = toAsk, true
	}
	return t
}

// end records a final failure.
func (t *task) end(cause, message, hint string) {
	t.next = over
	t.host.Failure = &dropcap.HostFailure{Host: t.host.Host, Cause: cause, Message: message,
		Hint: hint}
}

// lost ends a task whose host does not answer. Whether it did something is unknown, and the failure
// says so.
func (t *task) lost(message, hint string) {
	if t.began {
		t.end("unreachable", message+"; what the host did is not known",
			"`dropcap fleet resume` asks it again")
		return
	}
	t.end("offline", message+"; nothing was done there", hint)
}

// again asks for the receipt after a while, or gives up.
func (t *task) again(e *Engine, why string) {
	t.part = frame.Part{}
	if t.gone(e, e.Clock.Now()) && (t.beside > 0 || t.asks > 0) {
		t.giveUp(e.Clock.Now())
		return
	}
	if t.asks++; t.asks > e.Pace.Asks {
		if t.began {
			if t.complaint != nil {
				why += " (" + t.complaint.Message + ")"
			}
			t.end("unanswered", why+", however often it was asked; what the host did is not known",
				"`dropcap fleet resume` asks it again")
			return
		}
		t.end("unanswered", why+", however often it was asked",
			"see the command's output with `aws ssm get-command-invocation`")
		return
	}
	t.next, t.due = toAsk, e.Clock.Now().Add(time.Duration(t.asks)*e.Pace.Poll)
}

// gone reports whether a node that is only asked has shown no sign of life for long enough.
func (t *task) gone(e *Engine, now time.Time) bool {
	return slices.Contains(t.verb.Documents, LookDocument) && !t.sign.IsZero() &&
		now.Sub(t.sign) >= e.Pace.Answer
}

// giveUp ends a task that only asks, on a node without a sign of life.
func (t *task) giveUp(now time.Time) {
	t.end("unreachable", "it showed no sign of life for "+now.Sub(t.sign).Round(time.Second).
		String()+"; it was only to be looked at, so nothing was changed there",
		"see that the instance runs and amazon-ssm-agent answers; `dropcap fleet resume` asks it "+
			"again, and --answer-timeout waits longer")
}
