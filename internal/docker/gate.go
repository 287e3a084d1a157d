package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"dropcap"
)

// maxRequest is the largest JSON body that a program may send, in bytes.
const maxRequest = 8 << 20

// Gate serves the engine to a program on a listener. The gatekeeper decides on every request that
// changes something. Gate runs until ctx ends.
func (c *Client) Gate(ctx context.Context, l net.Listener, keeper dropcap.Gatekeeper) error {
	base, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	g := &gate{keeper: keeper, basePath: strings.TrimSuffix(base.Path, "/")}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.Host = base.Host
			for k, v := range c.headers {
				r.Out.Header.Set(k, v)
			}
		},
		Transport: c.http.Transport, FlushInterval: -1, ModifyResponse: g.answered,
		ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			writeError(w, http.StatusBadGateway, err)
		},
	}
	server := &http.Server{Handler: g, BaseContext: func(net.Listener) context.Context {
		return ctx
	}, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() { // no more requests once this has ended
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		_ = server.Shutdown(grace)
		server.Close()
	})
	err = server.Serve(l)
	<-ended
	return err
}

type gate struct {
	keeper   dropcap.Gatekeeper
	basePath string // prefix of the engine's own paths
	proxy    *httputil.ReverseProxy
}

// versionPrefix matches the version at the start of a client's path.
var versionPrefix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/v[0-9]+\.[0-9]+/`)
})

// apiPath returns a request's path without the version.
func apiPath(u *url.URL) string {
	if at := versionPrefix().FindString(u.Path); at != "" {
		return u.Path[len(at)-1:]
	}
	return u.Path
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isRead(r.Method) {
		g.proxy.ServeHTTP(w, r)
		return
	}
	if r.URL.RawPath != "" { // what is judged must be what is sent
		writeError(w, http.StatusBadRequest, errOdd)
		return
	}
	var body []byte
	described := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	if described {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest+1)); err != nil ||
			len(body) > maxRequest {
			writeError(w, http.StatusBadRequest, errTooMuch)
			return
		}
	}
	body, err := g.keeper.Ask(r.Context(), r.Method, apiPath(r.URL), body)
	if err != nil {
		writeError(w, http.StatusForbidden, err)
		return
	}
	if described {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
	}
	g.proxy.ServeHTTP(w, r)
}

// answered reports the engine's answer to the gatekeeper.
func (g *gate) answered(r *http.Response) error {
	if isRead(r.Request.Method) || r.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	var body []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest)); err != nil {
			return err
		}
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	u := *r.Request.URL
	u.Path = strings.TrimPrefix(u.Path, g.basePath)
	return g.keeper.Answered(r.Request.Context(), r.Request.Method, apiPath(&u), r.StatusCode, body)
}

var (
	errTooMuch = dropcap.Errorf(dropcap.CodeError, "", "cannot send so much to the engine")
	errOdd     = dropcap.Errorf(dropcap.CodeError, "", "cannot ask the engine by an encoded path")
)

// writeError writes an error in the engine's form (api/types/common, ErrorResponse).
func writeError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// a client that has gone misses nothing
	_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
}
