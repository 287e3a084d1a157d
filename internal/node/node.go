// Package node is the fleet's part on a host: it takes requests, does each once however often it
// arrives, and stores a receipt, which is authoritative whatever happened to the command that
// brought the request. It never does a request in the process that received it: that may be killed
// at any moment.
package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// Config configures a Node.
type Config struct {
	Store   string // the host's folder of receipts
	Version string // of dropcap
	// Host does the requests.
	Host func(host.Observer) *host.Host
	// Process is the command that does a request: it gets the request as arguments, and calls Work
	// with them.
	Process []string
	// Log gets the progress of requests.
	Log io.Writer
}

// Node is this host.
type Node struct{ Config }

// New returns the node. It opens nothing before the first request.
func New(c Config) *Node { return &Node{c} }

// Answer returns the receipt of a request: the final one, or the current one when the time to wait
// is over.
func (n *Node) Answer(ctx context.Context, q wire.Request) (dropcap.Receipt, error) {
	q, err := ofThisNode(q)
	switch {
	case err != nil:
		return dropcap.Receipt{}, err
	case q.Verb.Asks:
		return n.receipt(ctx, q)
	case q.Verb.Do == nil:
		return n.hello(ctx, q), nil
	}
	return n.once(ctx, q)
}

// ofThisNode derives this node's own names from the request's.
func ofThisNode(q wire.Request) (wire.Request, error) {
	if !q.Each {
		return q, nil
	}
	node := fromAgent("AWS_SSM_INSTANCE_ID", managedID)
	if node == "" {
		return q, dropcap.Errorf(dropcap.CodeHost,
			"amazon-ssm-agent sets it; bring the agent up to date",
			"cannot tell which node this is: AWS_SSM_INSTANCE_ID is not set")
	}
	return q.On(node), nil
}

// hello identifies this host, and records nothing.
func (n *Node) hello(ctx context.Context, q wire.Request) dropcap.Receipt {
	r := n.newReceipt(q)
	r.Host.Docker = n.engineVersion(ctx)
	r.State, r.Ended = dropcap.ReceiptDone, now()
	engine := "engine " + r.Host.Docker
	if r.Host.Docker == "" {
		engine = "no engine answers"
	}
	r.Summary = fmt.Sprintf("dropcap %s, kernel %s, %s", r.Host.Dropcap, r.Host.Kernel, engine)
	return r
}

// newReceipt returns the receipt of a request that begins.
func (n *Node) newReceipt(q wire.Request) dropcap.Receipt {
	return dropcap.Receipt{
		Schema: dropcap.SchemaReceipt, Request: q.ID,
		Command: fromAgent("SSM_COMMAND_ID", commandID), Verb: q.Verb.Name, Args: q.Recorded(),
		Host: n.thisHost(), State: dropcap.ReceiptRunning, Started: now(),
		Messages: []string{}, Warnings: []string{},
	}
}

// thisHost identifies this host, without asking the engine.
func (n *Node) thisHost() dropcap.ReceiptHost {
	here := host.Here()
	return dropcap.ReceiptHost{
		ID: here.ID, Node: fromAgent("AWS_SSM_INSTANCE_ID", managedID), Dropcap: n.Version,
		Name: printable.Cut(here.Name, mostSummary), Kernel: printable.Cut(here.Kernel,
			mostSummary),
	}
}

// engineVersion returns the engine's version, empty if it does not answer.
func (n *Node) engineVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := n.Host(host.Silent{}).Open(ctx)
	if err != nil {
		return ""
	}
	defer s.Close()
	info, err := s.Host(ctx)
	if err != nil {
		return ""
	}
	return printable.Cut(info.Engine.Version, mostSummary)
}

func (n *Node) open() (*store.Store, error) { return store.Open(n.Store) }

var (
	commandID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	managedID = regexp.MustCompile(`^(i-[0-9a-f]{8}|i-[0-9a-f]{17}|mi-[0-9a-f]{17})$`)
)

// fromAgent returns a variable that SSM's agent sets, if it is of its form.
func fromAgent(name string, form *regexp.Regexp) string {
	if v := os.Getenv(name); form.MatchString(v) {
		return v
	}
	return ""
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// Applied returns the names of the requests to apply that this host has got, the newest first.
func (n *Node) Applied(ctx context.Context) ([]string, error) {
	s, err := n.open()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	list, err := s.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range list {
		if r.Verb == "apply" {
			names = append(names, r.Request)
		}
	}
	return names, nil
}

// ManagedID returns this host's id as a managed node, as SSM's agent told its command; empty if
// none did.
func ManagedID() string { return fromAgent("AWS_SSM_INSTANCE_ID", managedID) }

// CommandID returns the id of the SSM command that runs this process; empty if none does.
func CommandID() string { return fromAgent("SSM_COMMAND_ID", commandID) }
