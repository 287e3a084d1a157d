package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dropcap"
)

// containerState is the part of an inspect that decides something.
type containerState struct {
	ID           string `json:"Id"`
	Name         string // without the leading slash
	Image        string
	RestartCount int
	State        struct {
		Status                      string
		Running, Paused, Restarting bool
		ExitCode                    int
		Error                       string
		StartedAt                   time.Time
		Health                      *struct{ Status string }
	}
	HostConfig struct{ RestartPolicy restartPolicy }
	Config     struct {
		StopTimeout *int
		Healthcheck *healthcheck
	}

	raw json.RawMessage
}

type restartPolicy struct {
	Name              string
	MaximumRetryCount int
}

// never reports whether the engine never starts the container by itself. An empty name is what some
// clients send.
func (p restartPolicy) never() bool { return p.Name == "" || p.Name == "no" }

// same reports whether two policies are the same to the engine.
func (p restartPolicy) same(q restartPolicy) bool { return p == q || p.never() && q.never() }

// healthcheck has the engine's nanoseconds; 0 is its default (moby daemon/health.go).
type healthcheck struct {
	Test                                          []string
	Interval, Timeout, StartPeriod, StartInterval time.Duration
	Retries                                       int
}

// read parses an inspect.
func read(body json.RawMessage) (*containerState, error) {
	var s containerState
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("read the engine's description of a container: %w", err)
	}
	if s.ID == "" || s.Name == "" {
		return nil, fmt.Errorf("read the engine's description of a container: it has no id or name")
	}
	s.Name, s.raw = strings.TrimPrefix(s.Name, "/"), body
	return &s, nil
}

// alive reports whether the container has, or is about to have, processes.
func (s *containerState) alive() bool {
	return s != nil && (s.State.Running || s.State.Paused || s.State.Restarting)
}

// began reports whether it was ever started.
func (s *containerState) began() bool {
	return s.State.Status != "created" && s.State.StartedAt.Year() > 1
}

// grace is how long the engine lets the container end by itself before it kills it; negative: for
// ever.
func (s *containerState) grace() time.Duration {
	if s.Config.StopTimeout == nil {
		return 10 * time.Second // moby container/container.go, defaultStopTimeout
	}
	return time.Duration(*s.Config.StopTimeout) * time.Second
}

// look inspects a container by id, or by one of our own names; nil if it is not there.
func (r *Runner) look(ctx context.Context, c *change, effect,
	idOrName string) (*containerState, error) {
	result, err := r.do(ctx, c, dropcap.Effect{
		Name: effect, Says: "look at " + short(idOrName),
		Action: &dropcap.Call{Method: http.MethodGet, Path: "/containers/" + idOrName + "/json"},
	})
	if result.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := read(result.Body)
	if err == nil {
		s.State.Error = c.discreet(s.State.Error)
	}
	return s, err
}

// short makes an id one that people read.
func short(id string) string {
	if len(id) == 64 {
		return id[:12]
	}
	return id
}
