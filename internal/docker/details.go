package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
)

// Details is what learning needs to know of a container beyond the noun. Entrypoint, Cmd, Path and
// Args may contain secrets: they serve fingerprints and the search for the program, and enter no
// document.
type Details struct {
	ID, ImageID string
	Entrypoint  []string
	Cmd         []string
	Path        string   // the program that the engine starts, and its arguments
	Args        []string // from Entrypoint and Cmd together
	WorkingDir  string
	User        string
	Network     string   // the network mode
	Volumes     []string // the mount points, sorted: a file below one is not the image's
	Seccomp     string   // "default" (the engine's), "unconfined" or "custom"
	NoNewPrivs  bool
	Healthcheck bool // one is configured, by the image or the container
	// a fingerprint of its command, as in Event.Ran; empty if there is none, or on Podman
	Health       string
	HealthStatus string // "starting", "healthy", "unhealthy"; empty if nothing checks it
	StopSignal   string // the number of the signal that stops it: "15"
	AutoRemove   bool   // the engine removes it when it ends
	RestartCount int
	StartedAt    time.Time // zero if it never started
	FinishedAt   time.Time // zero if it never ended
}

type detailsBody struct {
	ID           string `json:"Id"`
	Image        string
	Path         string
	Args         []string
	RestartCount int
	State        struct {
		StartedAt, FinishedAt time.Time
		Health                *struct{ Status string }
	}
	Mounts []struct{ Destination string }
	Config struct {
		User, WorkingDir string
		Entrypoint, Cmd  []string
		Shell            []string
		StopSignal       string
		Healthcheck      *struct{ Test []string }
	}
	HostConfig struct {
		NetworkMode string
		Privileged  bool
		AutoRemove  bool
		SecurityOpt []string
		Tmpfs       map[string]string
	}
}

// Details asks the engine for them. The error is dropcap.ErrNotFound if there is no such container.
func (c *Client) Details(ctx context.Context, id string) (Details, error) {
	if !fullID().MatchString(id) {
		return Details{}, dropcap.Errorf(dropcap.CodeError, "", "cannot inspect %q: %w",
			printable(id, 80), dropcap.ErrNotFound)
	}
	var b detailsBody
	path := "/containers/" + id + "/json"
	if err := c.get(ctx, path, nil, maxOne, &b); err != nil {
		return Details{}, inspectError(id, err)
	}
	if b.ID != id {
		return Details{}, unreadable(request{method: http.MethodGet, path: path},
			fmt.Errorf("it is about another container"))
	}
	return b.details(), nil
}

func (b detailsBody) details() Details {
	d := Details{
		ID: b.ID, ImageID: b.Image, Entrypoint: b.Config.Entrypoint, Cmd: b.Config.Cmd,
		Path: b.Path, Args: b.Args,
		WorkingDir: b.Config.WorkingDir, User: b.Config.User, Network: b.HostConfig.NetworkMode,
		Volumes:      b.volumes(),
		RestartCount: b.RestartCount, StartedAt: timeOrZero(b.State.StartedAt),
		FinishedAt: timeOrZero(b.State.FinishedAt),
	}
	d.Seccomp, d.NoNewPrivs = security(b.HostConfig.SecurityOpt)
	if b.HostConfig.Privileged { // the engine then ignores any profile
		d.Seccomp = "unconfined"
	}
	if h := b.Config.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		d.Healthcheck, d.Health = true, healthFingerprint(h.Test, b.Config.Shell)
	}
	if h := b.State.Health; h != nil && h.Status != "none" {
		d.HealthStatus = printable(h.Status, 40)
	}
	d.StopSignal = signalNumber(b.Config.StopSignal)
	d.AutoRemove = b.HostConfig.AutoRemove
	return d
}

// signalNumber returns the number of a signal, in any way that docker takes one; TERM's for one
// that is unknown, as docker has it where none is set.
func signalNumber(name string) string {
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		return strconv.Itoa(n)
	}
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	n := unix.SignalNum(name)
	if plus, ok := strings.CutPrefix(name, "SIGRTMIN+"); ok { // systemd's halt is SIGRTMIN+3
		if more, err := strconv.Atoi(plus); err == nil {
			const firstRealTime = 34 // of glibc, which docker counts from
			return strconv.Itoa(firstRealTime + more)
		}
	}
	if n == 0 {
		n = unix.SIGTERM
	}
	return strconv.Itoa(int(n))
}

// healthFingerprint returns the fingerprint of a healthcheck in the form in which the engine
// reports its execs: the program and its arguments, separated by spaces (moby daemon/health.go,
// cmdProbe.run).
func healthFingerprint(test, shell []string) string {
	line := test[1:]
	if test[0] == "CMD-SHELL" {
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		line = append(slices.Clone(shell), line...)
	}
	return commandFingerprint(strings.Join(line, " "))
}

// commandFingerprint distinguishes commands without keeping them, since they may contain secrets.
// It is empty for no command.
func commandFingerprint(line string) string {
	if line = strings.TrimSpace(line); line == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(line))
	return hex.EncodeToString(sum[:])
}

func (b detailsBody) volumes() []string {
	set := map[string]bool{}
	for _, m := range b.Mounts {
		set[path.Clean("/"+m.Destination)] = true
	}
	for where := range b.HostConfig.Tmpfs {
		set[path.Clean("/"+where)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// security parses the options as docker run takes them. Docker once used a colon for the equals
// sign (docker/cli, opts of run).
func security(options []string) (seccomp string, noNewPrivs bool) {
	seccomp = "default"
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if !strings.Contains(o, "=") {
			key, value, _ = strings.Cut(o, ":")
		}
		switch {
		case key == "no-new-privileges":
			noNewPrivs = value != "false"
		case key != "seccomp" || value == "builtin":
		case value == "unconfined":
			seccomp = "unconfined"
		default:
			seccomp = "custom"
		}
	}
	return seccomp, noNewPrivs
}

// timeOrZero turns the engine's year 1 into a zero time.
func timeOrZero(t time.Time) time.Time {
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}
