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

// Exec describes one docker exec, whether it still runs or not: Docker remembers one for some
// minutes after its end. The error is dropcap.ErrNotFound if the engine does not know it.
func (c *Client) Exec(ctx context.Context, id string) (dropcap.Exec, error) {
	e, _, err := c.exec(ctx, id)
	return e, err
}

func (c *Client) exec(ctx context.Context, id string) (e dropcap.Exec, running bool, err error) {
	path := "/exec/" + id + "/json"
	if !fullID().MatchString(id) {
		return e, false, unreadable(request{method: http.MethodGet, path: "/exec/…/json"},
			badID(id))
	}
	var b execBody
	if err := c.get(ctx, path, nil, maxOne, &b); err != nil {
		return e, false, err
	}
	if b.Pid < 0 || b.Pid > maxPID {
		return e, false, unreadable(request{method: http.MethodGet, path: path},
			fmt.Errorf("%d is not a process id", b.Pid))
	}
	return dropcap.Exec{ID: id, PID: b.Pid, Privileged: b.ProcessConfig.Privileged,
		User: b.ProcessConfig.User}, b.Running, nil
}

// execs returns the execs that are running according to the engine, without those that end
// meanwhile. Podman before 4.6 lists detached execs for minutes after their end (podman#18424), so
// a PID counts only together with its cgroup.
func (c *Client) execs(ctx context.Context, ids []string) ([]dropcap.Exec, error) {
	live := []dropcap.Exec{}
	for _, id := range ids {
		if !fullID().MatchString(id) {
			return nil, unreadable(request{method: http.MethodGet, path: "/containers/…/json"},
				badID(id))
		}
		e, running, err := c.exec(ctx, id)
		if errors.Is(err, dropcap.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if running {
			live = append(live, e)
		}
	}
	return live, nil
}
