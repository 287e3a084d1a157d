package cli

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"dropcap/internal/docker"
	"dropcap/internal/kernel"
	"dropcap/internal/snapshot"
)

// engineFlags say which engine to talk to: docker's own flags, with its own meaning and environment variables.
type engineFlags struct {
	host, context, config string
	timeout               time.Duration
	tls                   docker.TLS
}

func (e *engineFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&e.host, "host", "H", "", "engine to talk to: unix://, tcp:// or ssh:// (default: DOCKER_HOST, or the context's)")
	f.StringVarP(&e.context, "context", "c", "", "docker context to use (default: DOCKER_CONTEXT, or the current one)")
	f.StringVar(&e.config, "config", "", "docker's folder of client configuration (default: DOCKER_CONFIG, or ~/.docker)")
	f.DurationVar(&e.timeout, "timeout", 30*time.Second, "give up a request to the engine after this time")
	f.BoolVar(&e.tls.Enable, "tls", false, "use TLS")
	f.BoolVar(&e.tls.Verify, "tlsverify", false, "use TLS and verify the engine (default: DOCKER_TLS_VERIFY)")
	f.StringVar(&e.tls.CAFile, "tlscacert", "", "trust certificates that are signed by this CA")
	f.StringVar(&e.tls.CertFile, "tlscert", "", "TLS certificate")
	f.StringVar(&e.tls.KeyFile, "tlskey", "", "TLS key")
}

// host is an engine and the kernel beneath it, open for looking.
type host struct {
	*docker.Client
	kernel *kernel.Reader
}

// open connects to the engine.
func (e *engineFlags) open(ctx context.Context) (*host, error) {
	if e.timeout <= 0 {
		return nil, usageError("for example --timeout 30s", "cannot use a timeout of %s", e.timeout)
	}
	k, err := kernel.New("/")
	if err != nil {
		return nil, err
	}
	c, err := docker.Open(ctx, docker.Options{
		Host: e.host, Context: e.context, ConfigDir: e.config, TLS: e.tls, Timeout: e.timeout, UserAgent: "dropcap/" + version(),
	})
	if err != nil {
		return nil, err
	}
	return &host{Client: c, kernel: k}, nil
}

// machine describes this machine, for the case that the engine runs on it.
func (h *host) machine() snapshot.Machine {
	socket, ok := h.Local()
	if !ok {
		return snapshot.Machine{}
	}
	return here(h.kernel, socket)
}

// here describes this machine and the engine behind one of its sockets.
func here(k *kernel.Reader, socket string) snapshot.Machine {
	h := k.Host()
	m := snapshot.Machine{Engine: true, ID: h.ID, Release: h.Release, Cgroup: h.Cgroup, LSM: h.LSM, Last: h.LastCap}
	if set, _, ok := k.EngineCaps(socket); ok {
		m.EngineCaps = &set
	}
	return m
}
