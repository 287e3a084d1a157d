package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"dropcap"
)

// lastExit says how a container that restarts by itself has ended last. While it runs again its
// inspect does not tell: the engine sets the status back to 0 as it starts it (moby
// daemon/container/state.go, SetRunning). Its events do, until its clock's time of that start.
func (g *gating) lastExit(ctx context.Context, s *containerState) string {
	if s.State.Restarting || !s.State.Running {
		return fmt.Sprintf(" (last exit status %d)", s.State.ExitCode)
	}
	filters, err := json.Marshal(map[string][]string{"container": {s.ID}, "event": {"die"}})
	if err != nil {
		return ""
	}
	until := fmt.Sprintf("%d.%09d", s.State.StartedAt.Unix(), s.State.StartedAt.Nanosecond())
	result, err := g.do(ctx, g.c, dropcap.Effect{
		Name: "events-gate", Says: "ask how it has ended",
		Action: &dropcap.Call{Method: http.MethodGet, Path: "/events",
			Query: map[string]string{"since": "0", "until": until, "filters": string(filters)}},
	})
	if err != nil {
		return "" // that it restarts is known without
	}
	status := ""
	for d := json.NewDecoder(bytes.NewReader(result.Body)); ; {
		var e struct {
			Actor struct{ Attributes map[string]string }
		}
		if d.Decode(&e) != nil {
			break
		}
		if code := e.Actor.Attributes["exitCode"]; code != "" {
			status = code
		}
	}
	if _, err := strconv.Atoi(status); err != nil {
		return ""
	}
	return " (last exit status " + status + ")"
}
