// Package fake is an engine for tests that need no kernel: it implements the part of Docker's API
// that dropcap uses, over a unix socket, from a set of containers given as values, and it
// misbehaves on demand. It stays honest by passing the same conformance suite as the real engines
// (internal/docker). It never starts a process.
package fake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options sets the engine's identity. The zero value is Docker 29.0.0, API 1.56.
type Options struct {
	Version         string // "20.10.24"
	API             string // newest, "1.41"
	MinAPI          string // oldest; "1.40" if empty
	Podman          bool   // answers as Podman does; Version is Podman's own
	Kernel          string
	CgroupVersion   string // "1" or "2"
	SecurityOptions []string
	Runtimes        map[string]Runtime // besides runc
	Defaults        []string           // Podman's default capabilities
}

// Runtime is an entry of daemon.json's runtimes.
type Runtime struct{ Path, Type string }

// Engine is a running fake.
type Engine struct {
	Socket string
	Host   string // "unix://" and Socket

	options Options
	http    *http.Server
	client  *http.Client

	mu         sync.Mutex
	containers []*Container // in the order of creation
	execs      map[string]*Exec
	images     map[string]*Image // by id and by name
	faults     []*Fault
	requests   []string
	vanishing  []string
	ids        int
	events     events
}

// Start runs a fake until the end of the test.
func Start(tb testing.TB, o Options) *Engine {
	tb.Helper()
	sweep()
	dir, err := os.MkdirTemp("", prefix) // tb.TempDir's paths can be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	e := &Engine{Socket: socket, Host: "unix://" + socket, options: o.complete(),
		execs: map[string]*Exec{}, images: map[string]*Image{}}
	e.http = &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	e.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _,
		_ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	go e.http.Serve(l)
	tb.Cleanup(func() {
		e.client.CloseIdleConnections()
		e.http.Close()
		os.RemoveAll(dir)
	})
	return e
}

const prefix = "fake-engine-"

// sweep removes what killed tests have left: sockets without a listener, at least a minute old, so
// that it spares one that is about to have a listener.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range left {
		socket := filepath.Join(dir, "s")
		info, err := os.Lstat(socket)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		conn, err := net.Dial("unix", socket)
		if errors.Is(err, syscall.ECONNREFUSED) {
			os.RemoveAll(dir)
		} else if err == nil {
			conn.Close()
		}
	}
}

func (o Options) complete() Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if o.Podman {
		set(&o.Version, "4.3.1")
		set(&o.API, "1.41")
	}
	set(&o.Version, "29.0.0")
	set(&o.API, "1.56")
	set(&o.MinAPI, "1.40")
	set(&o.Kernel, "6.1.0-18-cloud-amd64")
	set(&o.CgroupVersion, "2")
	if o.SecurityOptions == nil {
		o.SecurityOptions = []string{"name=seccomp,profile=builtin", "name=cgroupns"}
	}
	if o.Defaults == nil {
		o.Defaults = podmanDefaults
	}
	return o
}

// podmanDefaults are Podman 4's (containers/common, default_linux.go and containers.conf(5)).
var podmanDefaults = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// Raw sends a request as it is, as dockertest's real engines do.
func (e *Engine) Raw(ctx context.Context, method, path,
	body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path,
		strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Requests returns the requests so far, "GET /v1.56/info" each.
func (e *Engine) Requests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.requests...)
}
