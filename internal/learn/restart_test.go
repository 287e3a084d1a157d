package learn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap/internal/testenv"
)

// gates lets each restart continue when the test says so, and records which ones have begun.
type gates struct {
	mu    sync.Mutex
	begun []string
	open  map[string]chan error
}

func (g *gates) restart(_ context.Context, m Member) error {
	g.mu.Lock()
	g.begun = append(g.begun, m.Name)
	c := g.open[m.Name]
	g.mu.Unlock()
	return <-c
}

func (g *gates) waits(t *testing.T, names ...string) {
	t.Helper()
	var got []string
	if !testenv.Within(10*time.Second, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		got = slices.Sorted(slices.Values(g.begun))
		return slices.Equal(got, names)
	}) {
		t.Fatalf("begun are %v, want %v", got, names)
	}
}

// Unrelated containers restart in parallel. One that uses another's namespaces waits for it, and is
// left alone if that does not come back.
func TestRestartsAreSideBySideWhereTheyMayBe(t *testing.T) {
	members := []Member{
		{ID: "1", Name: "app", After: []string{"2"}}, {ID: "2", Name: "vpn"},
		{ID: "3", Name: "web"}, {ID: "4", Name: "db"},
		{ID: "5", Name: "sidecar", After: []string{"4"}},
		{ID: "6", Name: "left", After: []string{"7", "unknown"}},
		{ID: "7", Name: "right", After: []string{"6"}},
	}
	g := &gates{open: map[string]chan error{}}
	for _, m := range members {
		g.open[m.Name] = make(chan error, 1)
	}
	var mu sync.Mutex
	told := map[string]string{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Restart(t.Context(), members, g.restart, func(m Member, err error) {
			mu.Lock()
			defer mu.Unlock()
			told[m.Name] = "up"
			if err != nil {
				told[m.Name] = err.Error()
			}
		})
	}()
	g.waits(t, "db", "right", "vpn", "web") // one member of the cycle begins
	g.open["vpn"] <- nil
	g.waits(t, "app", "db", "right", "vpn", "web")
	g.open["db"] <- errors.New("the port is taken")
	for _, name := range []string{"app", "web", "right", "left"} {
		g.open[name] <- nil
	}
	<-done
	for name, want := range map[string]string{"app": "up", "vpn": "up", "web": "up",
		"db": "the port is taken", "sidecar": "it needs db, which did not come back", "left": "up",
		"right": "up"} {
		if !strings.Contains(told[name], want) {
			t.Errorf("%s: %q, want %q", name, told[name], want)
		}
	}
	if slices.Contains(g.begun, "sidecar") {
		t.Error("one was restarted without what it needs")
	}
}
