package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"dropcap"
)

// maxExecs is far beyond any container's live execs, and keeps one answer from making us send
// millions of requests.
const maxExecs = 4096

type execBody struct {
	ID            string
	Running       bool
	Pid           int
	ProcessConfig struct {
		Privileged bool
		User       string
	}
}

// execs describes the execs that run by the engine's word; one that ends meanwhile is not listed.
// Podman before 4.6 goes on for minutes to list detached ones that have ended (podman#18424), so a
// PID counts only together with its cgroup.
func (c *Client) execs(ctx context.Context, ids []string) ([]dropcap.Exec, error) {
	live := []dropcap.Exec{}
	for _, id := range ids {
		path := "/exec/" + id + "/json"
		if !fullID.MatchString(id) {
			return nil, unreadable(request{method: http.MethodGet, path: "/containers/…/json"},
				badID(id))
		}
		var b execBody
		err := c.get(ctx, path, nil, maxOne, &b)
		if errors.Is(err, dropcap.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if b.Pid < 0 || b.Pid > maxPID {
			return nil, unreadable(request{method: http.MethodGet, path: path},
				fmt.Errorf("%d is not a process id", b.Pid))
		}
		if b.Running {
			live = append(live, dropcap.Exec{ID: id, PID: b.Pid,
				Privileged: b.ProcessConfig.Privileged, User: b.ProcessConfig.User})
		}
	}
	return live, nil
}
