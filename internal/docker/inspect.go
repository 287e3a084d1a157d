package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"dropcap"
)

// containerBody is the part of GET /containers/{id}/json that is used; the rest is not decoded.
type containerBody struct {
	ID      string `json:"Id"`
	Name    string
	Created string
	Image   string
	State   struct {
		Status string
		Pid    int
	}
	Config struct {
		Image  string
		User   string
		Labels map[string]string

		Entrypoint, Cmd []string
	}
	HostConfig struct {
		Privileged  bool
		CapAdd      []string
		CapDrop     []string
		NetworkMode string
		Runtime     string
	}
	ExecIDs []string
}

// anyName matches what the engine accepts as a name or id, so that an odd name cannot lead to
// another path.
var anyName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
})

// Inspect describes one container, by id, a unique prefix of it, or name. It leaves Kernel zero,
// and Predicted too except on Podman; the labels are in EngineLabels only. The error is
// dropcap.ErrNotFound if there is no such container, or if it vanishes meanwhile.
func (c *Client) Inspect(ctx context.Context, idOrName string) (dropcap.Container, error) {
	if !anyName().MatchString(idOrName) {
		return dropcap.Container{}, dropcap.Errorf(dropcap.CodeError, "", "cannot inspect %q: %w",
			printable(idOrName, 80), dropcap.ErrNotFound)
	}
	asked := strings.TrimPrefix(idOrName, "/")
	path := "/containers/" + asked + "/json"
	var b containerBody
	if err := c.get(ctx, path, nil, maxOne, &b); err != nil {
		return dropcap.Container{}, inspectError(idOrName, err)
	}
	if err := b.check(asked); err != nil {
		return dropcap.Container{}, unreadable(request{method: http.MethodGet, path: path}, err)
	}
	return c.describe(ctx, b)
}

// inspectError names the container rather than the path.
func inspectError(name string, err error) error {
	if errors.Is(err, dropcap.ErrNotFound) {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot inspect %s: %w", name,
			dropcap.ErrNotFound)
	}
	return err
}

// maxPID is the kernel's own limit (include/linux/threads.h, PID_MAX_LIMIT).
const maxPID = 1 << 22

// check rejects an answer about another container, and impossible values that would serve to find
// its processes.
func (b containerBody) check(asked string) error {
	switch {
	case !fullID().MatchString(b.ID):
		return badID(b.ID)
	case fullID().MatchString(asked) && asked != b.ID:
		return fmt.Errorf("it is about another container")
	case b.State.Pid < 0 || b.State.Pid > maxPID:
		return fmt.Errorf("%d is not a process id", b.State.Pid)
	case len(b.ExecIDs) > maxExecs:
		return fmt.Errorf("it lists %d execs", len(b.ExecIDs))
	}
	return nil
}

func (c *Client) describe(ctx context.Context, b containerBody) (dropcap.Container, error) {
	out := dropcap.Container{
		ID:      b.ID,
		Name:    strings.TrimPrefix(b.Name, "/"),
		Image:   b.Config.Image,
		ImageID: b.Image,
		State:   b.State.Status,
		User:    b.Config.User,
		Declared: dropcap.Declared{Privileged: b.HostConfig.Privileged, Add: b.HostConfig.CapAdd,
			Drop: b.HostConfig.CapDrop},
		Entrypoint: b.Config.Entrypoint,
		Command:    b.Config.Cmd,
		Network:    b.HostConfig.NetworkMode,
		Created:    b.Created,
		Execs:      []dropcap.Exec{},
	}
	if out.Running() {
		out.PID = b.State.Pid
	}
	out.EngineLabels = c.labelsOf(ctx, b)
	if ctx.Err() != nil { // the image may not have been asked for then
		return dropcap.Container{}, interrupted("the inspection of "+b.ID, ctx)
	}
	var err error
	if out.Runtime, err = c.runtime(ctx, b.HostConfig.Runtime); err != nil {
		return dropcap.Container{}, err
	}
	if out.Running() {
		if out.Execs, err = c.execs(ctx, b.ExecIDs); err != nil {
			return dropcap.Container{}, err
		}
	}
	if c.podman() {
		if err := c.libpodInspect(ctx, &out); err != nil {
			return dropcap.Container{}, err
		}
	}
	return out, nil
}
