package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"dropcap"
)

// maxExecs is far beyond any container's live execs, and keeps one answer from causing millions of
// requests.
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

// execs returns the execs that are running according to the engine, without those that end
// meanwhile. Podman before 4.6 lists detached execs for minutes after their end (podman#18424), so
// a PID counts only together with its cgroup.
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
