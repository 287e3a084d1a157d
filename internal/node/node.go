// Package node is a host as its fleet knows it: it takes requests, does each of them once however
// often it comes, and keeps a receipt of it, which is the truth about the request whatever became
// of the command that carried it. It never does a request in the process that was asked: what asks
// may be killed at any moment.
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

// Config says which host it is.
type Config struct {
	Store   string // the folder of receipts, which is the host's
	Version string // of dropcap
	// Host is what requests are asked of.
	Host func(host.Observer) *host.Host
	// Process is the command that does a request: it gets the request's words as arguments, and
	// calls Work with them.
	Process []string
	// Log is where whoever does a request reports what goes on.
	Log io.Writer
}

// Node is this host.
type Node struct{ Config }

// New returns the node. Nothing is opened before it is asked for something.
func New(c Config) *Node { return &Node{c} }

// Answer returns the receipt of a request: of its end, or of how it stands when its time to wait is
// over.
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

// ofThisNode makes the request's names this node's own.
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

// hello says who is here, and records nothing.
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

// newReceipt is what is known as a request begins.
func (n *Node) newReceipt(q wire.Request) dropcap.Receipt {
	return dropcap.Receipt{
		Schema: dropcap.SchemaReceipt, Request: q.ID,
		Command: fromAgent("SSM_COMMAND_ID", commandID), Verb: q.Verb.Name, Args: q.Recorded(),
		Host: n.thisHost(), State: dropcap.ReceiptRunning, Started: now(),
		Messages: []string{}, Warnings: []string{},
	}
}

// thisHost says who answers, without asking the engine.
func (n *Node) thisHost() dropcap.ReceiptHost {
	here := host.Here()
	return dropcap.ReceiptHost{
		ID: here.ID, Node: fromAgent("AWS_SSM_INSTANCE_ID", managedID), Dropcap: n.Version,
		Name: printable.Cut(here.Name, mostSummary), Kernel: printable.Cut(here.Kernel,
			mostSummary),
	}
}

// engineVersion is empty where no engine answers.
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
