package change_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// proxy stands between dropcap and the engine, forwards everything, and misbehaves on command.
type proxy struct {
	server *http.Server
	socket string
	mu     sync.Mutex
	fault  func(r *http.Request) fault
	calls  []string
}

// fault is one way to misbehave.
type fault string

const (
	pass  fault = ""
	fails fault = "fails" // answers 500 and forwards nothing
	hangs fault = "hangs" // forwards nothing and never answers
	loses fault = "loses" // forwards the request, and drops the connection instead of an answer
	late  fault = "late"  // forwards the request, and never returns the answer
)

var faultKinds = []fault{fails, hangs, loses, late}

func newProxy(t *testing.T, engine string) *proxy {
	t.Helper()
	p := &proxy{socket: filepath.Join(t.TempDir(), "p.sock")}
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _,
			_ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", engine)
		}},
		FlushInterval: -1,
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.serve(w, r, through)
	})}
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	go p.server.Serve(l)
	t.Cleanup(func() { p.server.Close() })
	return p
}

// tcp makes it listen on a port of this machine, too.
func (p *proxy) tcp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go p.server.Serve(l)
	return l.Addr().String()
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request, through http.Handler) {
	p.mu.Lock()
	p.calls = append(p.calls, r.Method+" "+r.URL.Path)
	f := pass
	if p.fault != nil {
		f = p.fault(r)
	}
	p.mu.Unlock()
	switch f {
	case fails:
		http.Error(w, `{"message":"a fault"}`, http.StatusInternalServerError)
	case hangs:
		<-r.Context().Done()
	case loses, late:
		// It is completed, whatever becomes of the client.
		through.ServeHTTP(nowhere{http.Header{}}, r.WithContext(context.WithoutCancel(r.Context())))
		if f == late {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	default:
		through.ServeHTTP(w, r)
	}
}

// nowhere is an answer that nobody receives.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// once misbehaves at the first request with this method whose path has this suffix.
func (p *proxy) once(f fault, method, suffix string) {
	used := false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = func(r *http.Request) fault {
		if used || r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
			return pass
		}
		used = true
		return f
	}
}
