package docker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// A changing request is sent once, unchanged, under the version asked for. The result is returned
// even if the engine refuses.
func TestPerformSendsWhatItIsGiven(t *testing.T) {
	var got []string
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Api-Version", "1.45")
		if r.URL.Path == "/_ping" {
			return
		}
		got = append(got, r.Method+" "+r.URL.String()+" "+string(body))
		switch {
		case strings.HasSuffix(r.URL.Path, "/stop"):
			w.WriteHeader(http.StatusNotModified)
		case strings.HasSuffix(r.URL.Path, "/start"):
			http.Error(w, `{"message":"port is already allocated"}`, http.StatusInternalServerError)
		case strings.HasSuffix(r.URL.Path, "/hang"):
			<-release
		default:
			io.WriteString(w, `{"Id":"x"}`)
		}
	}))
	defer server.Close()
	defer close(release)
	c, err := Open(t.Context(), Options{Host: "tcp://" + strings.TrimPrefix(server.URL, "http://"),
		Getenv: func(string) string {
			return ""
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(call dropcap.Call) (dropcap.Result, error) { return c.Perform(t.Context(), call) }

	r, err := do(dropcap.Call{Method: "POST", Path: "/containers/create",
		Query: map[string]string{"name": "a b"}, Body: json.RawMessage(`{"Odd" : 1}`), API: "1.41"})
	if err != nil || r.Status != 200 || string(r.Body) != `{"Id":"x"}` {
		t.Errorf("create: %d %s %v", r.Status, r.Body, err)
	}
	if r, err := do(dropcap.Call{Method: "POST", Path: "/containers/x/stop",
		Fine: []int{304}}); err != nil || r.Status != 304 {
		t.Errorf("stop: %d %v", r.Status, err)
	}
	if _, err := do(dropcap.Call{Method: "POST", Path: "/containers/x/stop"}); err == nil {
		t.Error("a status that is not fine is no error")
	}
	if r, err := do(dropcap.Call{Method: "POST", Path: "/containers/x/start"}); r.Status != 500 ||
		err == nil || !strings.Contains(err.Error(), "port is already allocated") {
		t.Errorf("start: %d %v", r.Status, err)
	}
	if r, err := do(dropcap.Call{Method: "POST", Path: "/hang",
		Timeout: 50 * time.Millisecond}); r.Status != 0 ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging one: %d %v", r.Status, err)
	}
	want :=
		`POST /v1.41/containers/create?name=a+b {"Odd" : 1}|POST /v1.45/containers/x/stop |POST /v1.45/containers/x/stop |` +
			`POST /v1.45/containers/x/start |POST /v1.45/hang `
	if strings.Join(got, "|") != want {
		t.Errorf("sent\n%s, want\n%s", strings.Join(got, "|"), want)
	}
}
