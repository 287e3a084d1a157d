package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dropcap"
	"dropcap/internal/testenv"
)

// strict lets creates through, with another body, and nothing else. It refuses what was created
// with "bad" in it.
type strict struct {
	mu       sync.Mutex
	requests []string
}

func (s *strict) Ask(_ context.Context, method, path string, body []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, method+" "+path+" "+string(body))
	if path != "/containers/create" {
		return nil, errors.New("cannot do that")
	}
	return bytes.ReplaceAll(body, []byte("copy"), []byte("original")), nil
}

func (s *strict) Answered(_ context.Context, method, path string, status int, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, http.StatusText(status)+" "+string(body))
	if bytes.Contains(body, []byte("bad")) {
		return errors.New("cannot let that be")
	}
	return nil
}

func TestAProgramReachesTheEngineThroughTheGateOnly(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Api-Version", "1.45")
		w.Header().Set("Content-Type", "application/json")
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, "_ping") && !strings.HasSuffix(r.URL.Path, "/version") {
			got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		}
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			w.Write(body)
			return
		}
		io.WriteString(w, `{"Id":"x"}`)
	}))
	defer server.Close()
	c, err := Open(t.Context(), Options{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://"),
		Getenv: func(string) string {
			return ""
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	socket := filepath.Join(testenv.ShortFolder(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	keeper := &strict{}
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Gate(ctx, l, keeper) }()
	program := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _,
		_ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer program.CloseIdleConnections()
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/v1.45/containers/x/json", "", 200, `{"Id":"x"}`},
		{"POST", "/v1.45/containers/create?name=a", `{"a":"copy"}`, 201, `{"a":"original"}`},
		{"POST", "/v1.45/containers/create", `{"a":"bad"}`, 502, "cannot let that be"},
		{"POST", "/v1.45/containers/x/start", "", 403, "cannot do that"},
		{"DELETE", "/containers/x", "", 403, "cannot do that"},
		{"POST", "/v1.45/containers/%63reate", `{}`, 400, "encoded"},
		{"POST", "//containers/create", `{}`, 403, "cannot do that"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://engine"+c.path,
			strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := program.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, resp.StatusCode, text, c.status)
		}
	}
	leave()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("it ended with %v", err)
	}
	want :=
		`GET /v1.45/containers/x/json , POST /v1.45/containers/create {"a":"original"}, POST /v1.45/containers/create {"a":"bad"}`
	if all := strings.Join(got, ", "); all != want {
		t.Errorf("the engine was asked %s", all)
	}
	var _ dropcap.Gatekeeper = keeper
}
