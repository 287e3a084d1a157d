package serve

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/host"
	"dropcap/internal/policy"
	"dropcap/internal/testenv"
	"dropcap/internal/testenv/browser"
)

// stage is a server over a fake engine.
type stage struct {
	*testing.T
	engine *fake.Engine
	server *Server
	url    string // http://127.0.0.1:PORT
	store  string
	level  dropcap.Level
	fleet  Fleet
	end    func()
}

// start serves an engine's containers until the end of the test.
func start(t *testing.T, e *fake.Engine, changes bool) *stage {
	t.Helper()
	s := &stage{T: t, engine: e, store: filepath.Join(t.TempDir(), "store"),
		level: dropcap.LevelCIS, fleet: kept{}}
	s.open(changes, "127.0.0.1:0")
	return s
}

func (s *stage) open(changes bool, address string) {
	s.Helper()
	l, err := Listen(Where{Address: address})
	if err != nil {
		s.Fatal(err)
	}
	s.serve(changes, l)
}

func (s *stage) serve(changes bool, l Listening) {
	s.Helper()
	s.server = New(Config{
		Host: func(o host.Observer) *host.Host {
			return host.New(host.Config{Store: s.store, Observer: o, Engine: docker.Options{
				Host: s.engine.Host, Timeout: 10 * time.Second,
				Getenv: func(string) string { return "" }}})
		},
		Policy: func() (dropcap.Policy, error) {
			p := policy.BuiltIn()
			p.Level = s.level
			return p, nil
		},
		Fleet: s.fleet, Changes: changes, Access: l.Access, Version: "test",
	})
	s.url = l.URL
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.Serve(ctx, l) }()
	ended := false
	s.end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
	}
	s.Cleanup(s.end)
}

// seen waits until the first look is over.
func (s *stage) seen() *stage {
	s.Helper()
	if !testenv.Within(30*time.Second, func() bool { return s.server.live.scene().seen }) {
		s.Fatalf("no look: %+v", s.server.live.scene().trouble)
	}
	return s
}

// visitor is a browser that was let in.
type visitor struct {
	*stage
	http *http.Client
	form string
}

func (s *stage) visitor() *visitor {
	s.Helper()
	jar, _ := cookiejar.New(nil) // it has no error without options
	v := &visitor{stage: s, http: &http.Client{Jar: jar, Timeout: time.Minute}}
	if status, _ := v.get(s.server.NewLink()); status != http.StatusOK {
		s.Fatalf("the link answers %d", status)
	}
	at, _ := url.Parse(s.url)
	for _, c := range jar.Cookies(at) {
		r := &http.Request{Header: http.Header{}}
		r.AddCookie(c)
		if who := s.server.sessions.of(r); who != nil {
			v.form = who.form
		}
	}
	return v
}

func (v *visitor) get(path string) (int, string) {
	v.Helper()
	return v.do(http.MethodGet, path, nil, nil)
}

// post sends a form of this session.
func (v *visitor) post(path string, values url.Values) (int, string) {
	v.Helper()
	if values == nil {
		values = url.Values{}
	}
	if values.Get("form") == "" {
		values.Set("form", v.form)
	}
	return v.do(http.MethodPost, path, values, nil)
}

func (v *visitor) do(method, path string, form url.Values, header http.Header) (int, string) {
	v.Helper()
	r, err := http.NewRequest(method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, list := range header {
		r.Header[k] = list
		if k == "Host" {
			r.Host = list[0]
		}
	}
	answer, err := v.http.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// town is an engine with containers of many kinds.
func town(t *testing.T) *fake.Engine {
	e := fake.Start(t, fake.Options{})
	for _, c := range []fake.Container{
		{Name: "web", Image: "nginx:1.27"},
		{Name: "db", Image: "postgres:16", HostConfig: fake.HostConfig{
			CapDrop: []string{"NET_RAW"}}},
		{Name: "vpn", Image: "wireguard:1", HostConfig: fake.HostConfig{
			CapAdd: []string{"NET_ADMIN"}, CapDrop: []string{"NET_RAW"}}},
		{Name: "hard", Image: "api:3", HostConfig: fake.HostConfig{CapDrop: []string{"ALL"}}},
		{Name: "agent", Image: "agent:9", HostConfig: fake.HostConfig{Privileged: true}},
		{Name: "cache", Image: "redis:7", HostConfig: fake.HostConfig{CapDrop: []string{"ALL"},
			CapAdd: []string{"SETUID", "SETGID"}}},
	} {
		e.Add(c)
	}
	return e
}

// browse opens the pages in a browser, by a link.
func (s *stage) browse() *browser.Tab {
	s.Helper()
	b := browser.Open(s.T, s.url, s.server.NewLink())
	b.Says(`location.pathname`, "/")
	return b
}
