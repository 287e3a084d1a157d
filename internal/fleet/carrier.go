// Package fleet runs a verb on many hosts: it sends requests through a carrier, trusts only the
// hosts' receipts, advances from wave to wave through gates, and can be resumed after it was
// killed. It must never send a request under another name because an answer was lost.
package fleet

import (
	"context"
	"time"

	"dropcap"
)

// Carrier sends commands to nodes and returns their output: AWS Systems Manager, or a double of it.
// Errors are *dropcap.Error; the cause of temporary ones is dropcap.ErrTemporary (after the
// carrier's own retries), of those about credentials and permissions dropcap.ErrDenied.
type Carrier interface {
	// Find resolves targets to nodes, sorted by host. Places that cannot be asked are failures;
	// only if none can, it is an error.
	Find(ctx context.Context, t dropcap.Targets) ([]dropcap.Node, []dropcap.HostFailure, error)
	// Send sends a command once and returns its id. It does not retry what may have taken effect:
	// the request's own id makes it safe to send again.
	Send(ctx context.Context, c dropcap.NodeCommand) (id string, err error)
	// Poll returns the status of a command on all its nodes.
	Poll(ctx context.Context, p dropcap.Place, id string) ([]dropcap.Invocation, error)
	// Output returns what one node printed; dropcap.ErrTemporary if the service does not know the
	// invocation yet.
	Output(ctx context.Context, c dropcap.NodeCommand, id, node string) (dropcap.NodeOutput, error)
}

// Clock returns the time and waits. Tests can replace it.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Ledger stores runs, so that another process can resume them. Each call is durable when it
// returns.
type Ledger interface {
	SaveRun(ctx context.Context, r dropcap.FleetRun) error
	SaveHosts(ctx context.Context, run string, hosts []dropcap.FleetHost) error
	Run(ctx context.Context, id string) (dropcap.FleetRun, []dropcap.FleetHost, error)
	Runs(ctx context.Context) ([]dropcap.FleetRun, error) // the newest first
}
