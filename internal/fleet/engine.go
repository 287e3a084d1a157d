package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Engine does runs. It is never modified, so several runs may go on at once.
type Engine struct {
	Carrier Carrier
	Clock   Clock
	Ledger  Ledger
	// how requests reach hosts
	Transport Transport
	Pace      Pace
	Reach     *dropcap.FleetReach // kept with each run
	// Ask asks the operator whether to continue; an error means no. Probe runs a program on the
	// controller with the hosts of a wave in its environment.
	Ask   func(ctx context.Context, question string) error
	Probe func(ctx context.Context, args []string, hosts []string) error
	// Tell is called for every host that is done, and for every wave; may be nil.
	Tell func(Progress)
}

// Transport is how requests reach hosts.
type Transport struct {
	Shell          bool   // AWS-RunShellScript instead of dropcap's own documents
	Bucket, Prefix string // for complete outputs; empty: what Run Command keeps, in parts
}

// Pace has the timeouts and intervals. The zero value has sensible defaults.
type Pace struct {
	Poll      time.Duration // the first wait for an answer; later ones grow to ten times that
	Delivery  time.Duration // for a node to fetch a command
	Execution time.Duration // before the agent kills what it runs
	Patience  time.Duration // before giving up a host that reports to be still at work
	// before giving up a node that is only asked and shows no sign of life
	Answer time.Duration
	// before requesting the receipt although the service still waits for the command
	Beside time.Duration
	Say    time.Duration // between two messages about awaited hosts
	// how often a host is asked for a receipt that does not arrive complete
	Asks int
}

func (p Pace) filled() Pace {
	set := func(d *time.Duration, usual time.Duration) {
		if *d <= 0 {
			*d = usual
		}
	}
	set(&p.Poll, 2*time.Second)
	set(&p.Delivery, 2*time.Minute)
	set(&p.Execution, 10*time.Minute)
	set(&p.Patience, 2*time.Hour)
	set(&p.Answer, 2*time.Minute)
	set(&p.Beside, min(time.Minute, p.Answer/2))
	set(&p.Say, time.Minute)
	if p.Asks <= 0 {
		p.Asks = 5
	}
	return p
}

// Progress is the progress of a run after a host, or a wave, is done.
type Progress struct {
	Run         dropcap.FleetRun
	Wave        int
	Host        *dropcap.FleetHost // the host that is done; nil for a wave
	Done, Total int                // hosts of this wave
	Note        string             // what the run waits for, or has decided; empty for a host
	Waits       bool               // the note says what the run waits for, and since when
}

// ready returns the engine with defaults for its pace.
func (e *Engine) ready() *Engine {
	own := *e
	own.Pace = own.Pace.filled()
	return &own
}

func (e *Engine) tell(p Progress) {
	if e.Tell != nil {
		e.Tell(p)
	}
}

func (e *Engine) now() string { return e.Clock.Now().UTC().Format(time.RFC3339) }

// identity returns a new id of so many hexadecimal digits.
func identity(digits int) string {
	b := make([]byte, digits/2)
	rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b)
}

// Start creates a run of a verb on nodes and stores it, without doing anything yet. Nodes that
// cannot be asked are failures from the beginning. Extra returns arguments for one host only; nil:
// none.
func (e *Engine) Start(ctx context.Context, run dropcap.FleetRun, nodes []dropcap.Node,
	extra func(host string) []string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	run.Request = identity(32)
	return e.start(ctx, run, nodes, extra)
}

// start is Start; a run without a word for its requests has one request for all hosts, like runs of
// an older version.
func (e *Engine) start(ctx context.Context, run dropcap.FleetRun, nodes []dropcap.Node,
	extra func(host string) []string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	run.ID, run.Started, run.State, run.Reach = identity(12), e.now(), dropcap.RunGoing, e.Reach
	request := identity(32)
	var hosts []dropcap.FleetHost
	var able []string
	for _, n := range nodes {
		h := dropcap.FleetHost{Host: n.Host(), Name: n.Name, Request: request, Failure: unable(n)}
		if run.Request != "" {
			h.Request = dropcap.RequestOf(run.Request, n.ID)
		}
		if extra != nil {
			h.Extra = extra(h.Host)
		}
		if h.Failure == nil {
			able = append(able, h.Host)
		}
		hosts = append(hosts, h)
	}
	run.Hosts, run.Places = len(hosts), places(nodes)
	waves, err := Split(able, run.Rules.Waves)
	if err != nil {
		return run, nil, err
	}
	run.Waves = waves
	number := map[string]int{}
	for i, w := range waves {
		for _, h := range w.Hosts {
			number[h] = i
		}
	}
	for i := range hosts {
		hosts[i].Wave = number[hosts[i].Host]
	}
	if err := e.Ledger.SaveRun(ctx, run); err != nil {
		return run, nil, err
	}
	return run, hosts, e.Ledger.SaveHosts(ctx, run.ID, hosts)
}

// unable says why a node cannot be asked.
func unable(n dropcap.Node) *dropcap.HostFailure {
	switch {
	case n.Platform != "" && n.Platform != "Linux":
		return &dropcap.HostFailure{Host: n.Host(), Cause: "platform", Message: "it runs " +
			n.Platform + ": skipped, since dropcap is for Linux hosts",
			Hint: "leave it out of --targets"}
	case olderThan(n.Agent, 2, 0, 357):
		// the first that runs documents of schema 2.2 (user guide, "Document schema versions")
		return &dropcap.HostFailure{Host: n.Host(), Cause: "agent",
			Message: "its agent is of version " + printable.Line(n.Agent) +
				", which does not know dropcap's documents",
			Hint: "bring amazon-ssm-agent to 2.0.357 or later: `aws ssm send-command " +
				"--document-name AWS-UpdateSSMAgent …`"}
	case !n.Online:
		return &dropcap.HostFailure{Host: n.Host(), Cause: "offline",
			Message: "its agent does not answer the service (last ping " + stamp(n.Pinged) +
				"); nothing was sent",
			Hint: "see that the instance runs, amazon-ssm-agent too, and that it reaches the " +
				"service"}
	}
	return nil
}

// olderThan compares an agent's version. An invalid version passes.
func olderThan(version string, major, minor, build int) bool {
	var a, b, c int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &a, &b, &c); n < 3 {
		return false
	}
	return a < major || a == major && (b < minor || b == minor && c < build)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

func places(nodes []dropcap.Node) []string {
	list := []string{}
	seen := map[string]bool{}
	for _, n := range nodes {
		if p := n.Place.String(); !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	return list
}
