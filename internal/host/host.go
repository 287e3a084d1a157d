// Package host is the application layer: everything that dropcap can do on one Docker host, as
// methods that take plain requests and return documents. It opens the engine, the kernel and the
// store, makes plans, holds locks and performs effects. It never prints, parses flags or exits: it
// reports to its caller through an Observer.
package host

import (
	"context"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/kernel"
	"dropcap/internal/snapshot"
)

// Config configures a Host.
type Config struct {
	Engine docker.Options
	// Store is the folder of evidence and of the journal; empty means none.
	Store    string
	Observer Observer // nil: no reports, and every question is answered with no
	// Watch is the command that, with "--after PROCESS", ends a change if that process is killed;
	// empty: no watch.
	Watch []string
}

// Host is a Docker host. Its methods open what they need and close it again.
type Host struct {
	config   Config
	observer Observer
}

// New returns the host. It opens nothing before the first request.
func New(c Config) *Host {
	h := &Host{config: c, observer: c.Observer}
	if h.observer == nil {
		h.observer = Silent{}
	}
	return h
}

// Session is an open engine and the kernel beneath it. Close it.
type Session struct {
	*docker.Client
	Kernel *kernel.Reader
}

// Open connects to the engine. The error says how to reach it where that is not possible.
func (h *Host) Open(ctx context.Context) (*Session, error) {
	if h.config.Engine.Timeout <= 0 {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "for example --timeout 30s",
			"cannot use a timeout of %s", h.config.Engine.Timeout)
	}
	k, err := kernel.New("/")
	if err != nil {
		return nil, err
	}
	c, err := docker.Open(ctx, h.config.Engine)
	if err != nil {
		return nil, err
	}
	return &Session{Client: c, Kernel: k}, nil
}

// Machine describes this machine if the engine runs on it; the zero value if it does not.
func (s *Session) Machine() snapshot.Machine {
	socket, ok := s.Local()
	if !ok {
		return snapshot.Machine{}
	}
	return machine(s.Kernel, socket)
}

// Here describes this machine without asking an engine: its id, name and kernel, as far as they are
// known.
func Here() dropcap.Host {
	k, err := kernel.New("/")
	if err != nil {
		return dropcap.Host{}
	}
	h := k.Host()
	return dropcap.Host{ID: h.ID, Name: h.Name, Kernel: h.Release}
}

// machine describes this machine and the engine behind one of its sockets.
func machine(k *kernel.Reader, socket string) snapshot.Machine {
	h := k.Host()
	m := snapshot.Machine{
		Engine: true, ID: h.ID, Release: h.Release, Cgroup: h.Cgroup, LSM: h.LSM, Last: h.LastCap,
	}
	if set, _, ok := k.EngineCaps(socket); ok {
		m.EngineCaps = &set
	}
	return m
}

// now returns the time for judgements.
func now() time.Time { return time.Now() }
