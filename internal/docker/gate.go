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

	"dropcap"
)

// maxAsked is the largest description of a container that a program may send, in bytes.
const maxAsked = 8 << 20

// Gate serves the engine to a program on a listener; the gatekeeper decides on all that
// changes something. It goes on until ctx ends.
func (c *Client) Gate(ctx context.Context, l net.Listener, keeper dropcap.Gatekeeper) error {
	base, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	g := &gate{keeper: keeper, under: strings.TrimSuffix(base.Path, "/")}
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
			answerWith(w, http.StatusBadGateway, err)
		},
	}
	server := &http.Server{Handler: g, BaseContext: func(net.Listener) context.Context {
		return ctx
	}, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() { // nobody is asked any more once this has ended
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
	keeper dropcap.Gatekeeper
	under  string // what stands before the engine's own paths
	proxy  *httputil.ReverseProxy
}

// versioned is how clients begin their paths.
var versioned = regexp.MustCompile(`^/v[0-9]+\.[0-9]+/`)

// asked is a request's path without the version.
func asked(u *url.URL) string {
	if at := versioned.FindString(u.Path); at != "" {
		return u.Path[len(at)-1:]
	}
	return u.Path
}

func looks(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if looks(r.Method) {
		g.proxy.ServeHTTP(w, r)
		return
	}
	if r.URL.RawPath != "" { // what is decided on must be what is sent
		answerWith(w, http.StatusBadRequest, errOdd)
		return
	}
	var body []byte
	described := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	if described {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxAsked+1)); err != nil ||
			len(body) > maxAsked {
			answerWith(w, http.StatusBadRequest, errTooMuch)
			return
		}
	}
	body, err := g.keeper.Ask(r.Context(), r.Method, asked(r.URL), body)
	if err != nil {
		answerWith(w, http.StatusForbidden, err)
		return
	}
	if described {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
	}
	g.proxy.ServeHTTP(w, r)
}

// answered tells the gatekeeper of the engine's answer.
func (g *gate) answered(r *http.Response) error {
	if looks(r.Request.Method) || r.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	var body []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxAsked)); err != nil {
			return err
		}
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	u := *r.Request.URL
	u.Path = strings.TrimPrefix(u.Path, g.under)
	return g.keeper.Answered(r.Request.Context(), r.Request.Method, asked(&u), r.StatusCode, body)
}

var (
	errTooMuch = dropcap.Errorf(dropcap.CodeError, "", "cannot send so much to the engine")
	errOdd     = dropcap.Errorf(dropcap.CodeError, "", "cannot ask the engine by an encoded path")
)

// answerWith is an error in the engine's form (api/types/common, ErrorResponse).
func answerWith(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// a program that is gone misses nothing
	_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
}
