// Package fleet does a verb on many hosts: it sends requests through a carrier, believes nothing
// but the hosts' own receipts, goes from wave to wave through gates, and can be gone on with after
// it was killed. It must never send a request under another name because an answer was lost.
package fleet

import (
	"context"
	"time"

	"dropcap"
)

// Carrier brings commands to nodes and what they print back: AWS Systems Manager, or a double of
// it. Errors are *dropcap.Error; those that may pass by themselves have dropcap.ErrTemporary as a
// cause (after the carrier's own retries), those about credentials and permissions
// dropcap.ErrDenied.
type Carrier interface {
	// Find resolves targets to nodes, sorted by host. Places that cannot be asked are failures and
	// no error, unless all cannot.
	Find(ctx context.Context, t dropcap.Targets) ([]dropcap.Node, []dropcap.HostFailure, error)
	// Send sends a command once; id names it. It is not repeated where it may have taken effect:
	// whoever sends it again relies on the request's own id.
	Send(ctx context.Context, c dropcap.NodeCommand) (id string, err error)
	// Poll tells how a command stands on all its nodes.
	Poll(ctx context.Context, p dropcap.Place, id string) ([]dropcap.Invocation, error)
	// Output gets what one node printed; dropcap.ErrTemporary where the service does not know the
	// invocation yet.
	Output(ctx context.Context, c dropcap.NodeCommand, id, node string) (dropcap.NodeOutput, error)
}

// Clock tells the time and waits. A test may own it.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Ledger keeps runs, so that another process can go on with them. Each call is durable when it
// returns.
type Ledger interface {
	SaveRun(ctx context.Context, r dropcap.FleetRun) error
	SaveHosts(ctx context.Context, run string, hosts []dropcap.FleetHost) error
	Run(ctx context.Context, id string) (dropcap.FleetRun, []dropcap.FleetHost, error)
	Runs(ctx context.Context) ([]dropcap.FleetRun, error) // the newest first
}
