// Package exporter offers a host's metrics to Prometheus: at an address of this machine, at a unix
// socket, or in a file for node_exporter. What it computes is bounded, however often it is asked.
package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/host"
	"dropcap/internal/metrics"
)

// Usage describes the flag.
const Usage = "export metrics to Prometheus: HOST:PORT of this machine, unix:SOCKET, or " +
	"file:FILE.prom for node_exporter"

const hint = "for example --metrics 127.0.0.1:9464, --metrics unix:/run/dropcap/metrics.sock or " +
	"--metrics file:/var/lib/prometheus/node-exporter/dropcap.prom"

// The bounds of what it does.
const (
	fresh       = time.Second      // how long an answer is given again
	writeEvery  = 15 * time.Second // to a file
	timeout     = 10 * time.Second
	connections = 16 // at once
)

// Exporter offers metrics until it is closed.
type Exporter struct {
	state func(context.Context) metrics.State
	warn  func(error)
	close func()

	mu   sync.Mutex
	text []byte
	made time.Time
}

// Open begins to offer what state returns. warn takes what goes wrong later.
func Open(where string, state func(context.Context) metrics.State,
	warn func(error)) (*Exporter, error) {
	e := &Exporter{state: state, warn: warn}
	if path, ok := strings.CutPrefix(where, "file:"); ok {
		return e, e.toFile(path)
	}
	l, loopback, err := listen(where)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler: e.handler(loopback), ReadHeaderTimeout: timeout, ReadTimeout: timeout,
		WriteTimeout: timeout, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(few{l, make(chan struct{}, connections)}); err != nil &&
			!errors.Is(err, http.ErrServerClosed) {
			warn(fmt.Errorf("metrics are offered no more: %w", err))
		}
	}()
	e.close = func() { server.Close(); <-done }
	return e, nil
}

// Close ends the offer.
func (e *Exporter) Close() { e.close() }

// listen opens an address of this machine: metrics name containers, and are not for others.
func listen(where string) (l net.Listener, loopback bool, err error) {
	if path, ok := strings.CutPrefix(where, "unix:"); ok {
		l, err := listenUnix(path)
		return l, false, err
	}
	name, port, err := net.SplitHostPort(where)
	if err != nil {
		return nil, false, dropcap.Errorf(dropcap.CodeUsage, hint,
			"cannot export metrics at %q", where)
	}
	if name == "localhost" {
		name = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(name); err != nil || !a.IsLoopback() {
		return nil, false, dropcap.Errorf(dropcap.CodeUsage, "let a server with TLS or "+
			"node_exporter (file:FILE.prom) pass them on; "+hint,
			"cannot export metrics at %q: it is not an address of this machine alone", where)
	}
	l, err = net.Listen("tcp", net.JoinHostPort(name, port))
	if err != nil {
		return nil, false, dropcap.Errorf(dropcap.CodeError, hint,
			"cannot export metrics at %s: %w", where, cause(err))
	}
	return l, true, nil
}

// listenUnix opens a socket that its group may use too. One that nobody listens at any more is
// replaced.
func listenUnix(path string) (net.Listener, error) {
	fail := func(err error) error {
		return dropcap.Errorf(dropcap.CodeError, hint, "cannot export metrics at %s: %w", path,
			cause(err))
	}
	if !filepath.IsAbs(path) {
		return nil, dropcap.Errorf(dropcap.CodeUsage, hint,
			"cannot export metrics at %q: a socket's path begins with /", path)
	}
	if i, err := os.Lstat(path); err == nil {
		if i.Mode()&os.ModeSocket == 0 {
			return nil, fail(errors.New("something else than a socket is there"))
		}
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			c.Close()
			return nil, fail(syscall.EADDRINUSE)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fail(err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fail(err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fail(err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fail(err)
	}
	return l, nil
}

// cause returns what the system said, without the words around it.
func cause(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return host.Cause(err)
}

// handler answers GET /metrics. At an address of this machine it wants to be called by such a name:
// otherwise a page in a browser could have its own name lead here (DNS rebinding).
func (e *Exporter) handler(loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		text, err := e.exposition(r.Context())
		if err != nil {
			http.Error(w, "cannot tell the metrics", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", metrics.ContentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(text) // a reader that has gone misses nothing
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopback && !local(r.Host) {
			http.Error(w, "this is not an address of that host", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func local(hostport string) bool {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && a.IsLoopback()
}

// exposition returns the metrics, computed at most once a second.
func (e *Exporter) exposition(ctx context.Context) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.made) < fresh {
		return e.text, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	var b bytes.Buffer
	if err := metrics.Write(&b, e.state(ctx)); err != nil {
		return nil, err
	}
	e.text, e.made = b.Bytes(), time.Now()
	return e.text, nil
}

// toFile writes the metrics again and again, and removes the file at the end: what stands there
// would be taken for true.
func (e *Exporter) toFile(path string) error {
	if !filepath.IsAbs(path) || filepath.Ext(path) != ".prom" {
		return dropcap.Errorf(dropcap.CodeUsage, hint, "cannot export metrics into %q: the path "+
			"begins with / and ends in .prom, as node_exporter wants it", path)
	}
	if err := e.write(path); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(writeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := e.write(path); err != nil {
					e.warn(err)
				}
			}
		}
	}()
	e.close = func() {
		cancel()
		<-done
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			e.warn(err)
		}
	}
	return nil
}

func (e *Exporter) write(path string) error {
	text, err := e.exposition(context.Background())
	if err != nil {
		return err
	}
	return file.Publish(path, func(w io.Writer) error { // node_exporter is another user
		_, err := w.Write(text)
		return err
	})
}

// few is a listener with a bounded number of connections.
type few struct {
	net.Listener
	slots chan struct{}
}

func (f few) Accept() (net.Conn, error) {
	f.slots <- struct{}{}
	c, err := f.Listener.Accept()
	if err != nil {
		<-f.slots
		return nil, err
	}
	return &counted{Conn: c, free: sync.OnceFunc(func() { <-f.slots })}, nil
}

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
