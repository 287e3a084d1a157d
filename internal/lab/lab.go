// Package lab runs a small fleet on this machine, to try the fleet commands without an AWS account:
// the double of AWS on a local port, and nodes, each with an agent that runs real scripts and,
// where the host allows it, a private engine. Everything that it creates is in one folder and ends
// with it. It never talks to AWS, and never touches the host's own engine unless there is no other,
// and then for one node only.
package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"dropcap/internal/lab/cloud"
)

// Config describes a lab.
type Config struct {
	Folder  string // see Folder
	Program string // the dropcap that nodes run, and that runs Keep
	Nodes   int
	Windows bool // one more node, of a platform that dropcap does not support
	Offline bool // one more node, whose agent does not respond
	Bare    bool // nodes have no dropcap
	// the number, from 1, of the node with a container that fails without NET_RAW; 0 for none
	Fails   int
	Engines Engines
	Dockerd string // path of a dockerd for private engines; empty to look for one
	Region  string
	Port    int // 0 means any
	For     time.Duration
	Version string       // of dropcap
	Say     func(string) // receives progress, one sentence each
	Ready   func(State)  // called once, when all nodes answer
	Keep    []string     // arguments that make Program call KeepEngine
}

// lab is a running one.
type lab struct {
	Config
	state   State
	double  *cloud.Cloud
	engines []*engine // by node; nil if it has none of its own
	began   time.Time

	apart  bool     // scripts have a mount namespace of their own
	hidden []string // programs of this machine that the nodes must not see
}

// Run runs a lab until ctx ends, or its time is over. It leaves nothing behind.
func Run(ctx context.Context, c Config) (err error) {
	hold, err := lockFolder(c.Folder)
	if err != nil {
		return err
	}
	defer hold.Close()
	if err := sweep(c.Folder); err != nil {
		return err
	}
	l := &lab{Config: c, began: time.Now()}
	l.state = State{PID: os.Getpid(), Folder: c.Folder, Started: l.began.UTC(),
		Until: l.began.Add(c.For).UTC(), Version: c.Version, Region: c.Region,
		Key: "AKIA" + rand.Text()[:16], Secret: rand.Text(), Mark: rand.Text()}
	defer func() {
		if failed := l.end(); err == nil {
			err = failed
		}
	}()
	if err := l.state.write(); err != nil {
		return err
	}
	if err := l.makeNodes(ctx); err != nil {
		return err
	}
	return l.serve(ctx)
}

// serve opens the port, attaches the agents, and waits for the end.
func (l *lab) serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.Port))
	if err != nil {
		return fmt.Errorf("cannot open a port for the lab: %w", err)
	}
	l.state.Endpoint = "http://" + listener.Addr().String()
	l.makeCloud()
	certificate, err := l.certify()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: l.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- cloud.Serve(server, listener, certificate) }()
	ctx, cancel := context.WithTimeout(ctx, l.For)
	attached, err := l.attach(ctx, certificate)
	// In this order: agents end while there is still a service to sign off from.
	defer server.Close()
	defer attached.Wait()
	defer cancel()
	if err != nil {
		return err
	}
	l.state.Ready = true
	if err := l.state.write(); err != nil {
		return err
	}
	l.Ready(l.state)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("cannot go on serving: %w", err)
	}
}

// certify creates the lab's TLS certificate, with which agents ask for ssmmessages.
func (l *lab) certify() (*cloud.Certificate, error) {
	c, err := cloud.NewCertificate()
	if err != nil {
		return nil, fmt.Errorf("cannot make the lab's certificate: %w", err)
	}
	return c, os.WriteFile(filepath.Join(l.Folder, CertificateFile), c.PEM, 0o600)
}

// end takes down everything, and removes the folder.
func (l *lab) end() error {
	killed := endMarked(l.state.Mark)
	if err := stopEngines(l.engines); err != nil {
		return err
	}
	if killed != nil {
		return killed
	}
	return remove(l.Folder)
}

// file returns a path in a node's folder.
func (l *lab) file(node int, name string) string {
	return filepath.Join(l.Folder, fmt.Sprintf("node-%d", node+1), name)
}
