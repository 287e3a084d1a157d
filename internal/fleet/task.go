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
	toEnd              // to end the request, whose process died there, and then for its receipt
	flying             // nothing: an answer is waited for
	over
)

// task is one host of an exchange.
type task struct {
	host  *dropcap.FleetHost
	place dropcap.Place
	node  string
	next  step
	due   time.Time  // when next may be done
	since time.Time  // when it was first sent, or first asked in this process
	asks  int        // answers that were no whole receipt, in a row
	part  frame.Part // what has come of a document so far
	began bool       // something of the request may have reached the host
	// complaint is an error that the host printed in place of a receipt; it counts once the host
	// says that it has not begun the request.
	complaint *dropcap.HostFailure
	args      wire.Args // for this host alone
	word      string    // how the service says that it stands; empty: nothing is known yet
	sign      time.Time // when the node last showed a sign of life, or was first sent to
	beside    int       // how often its receipt was asked for beside a command that is out
	asking    bool      // such a question is out, or is to go out
	verb      wire.Verb
	each      bool // the request is the host's alone
	held      bool // it counts among the hosts that are asked at once
}

func (x *exchange) task(h *dropcap.FleetHost) *task {
	place, node := cutHost(h.Host)
	t := &task{host: h, place: x.places[place], node: node, since: x.Clock.Now(), verb: x.verb,
		each: x.run.Request != ""}
	// what cannot be read is told to no host, and misses there
	t.args, _ = wire.ParseArgs(x.verb.Name, h.Extra)
	switch {
	case h.Over():
		t.next = over
	case h.Sent > 0:
		// by a controller that is not there any more: what became of it, the host knows
		t.next, t.began = toAsk, true
	}
	return t
}

// end is a failure of which nothing more is to be learned.
func (t *task) end(cause, message, hint string) {
	t.next = over
	t.host.Failure = &dropcap.HostFailure{Host: t.host.Host, Cause: cause, Message: message,
		Hint: hint}
}

// lost ends a task whose host does not answer. Whether something was done there is said for what it
// is: not known.
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

// gone tells whether a node that is only to be looked at has shown no sign of life for long enough.
func (t *task) gone(e *Engine, now time.Time) bool {
	return slices.Contains(t.verb.Documents, LookDocument) && !t.sign.IsZero() &&
		now.Sub(t.sign) >= e.Pace.Answer
}

// giveUp ends a look at a node that shows no sign of life.
func (t *task) giveUp(now time.Time) {
	t.end("unreachable", "it showed no sign of life for "+now.Sub(t.sign).Round(time.Second).
		String()+"; it was only to be looked at, so nothing was changed there",
		"see that the instance runs and amazon-ssm-agent answers; `dropcap fleet resume` asks it "+
			"again, and --answer-timeout waits longer")
}
