// Package engines_test checks what must be true on every engine: dropcap predicts what the kernel
// grants, and sees what the processes hold.
package engines_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
	"dropcap/internal/kernel"
	"dropcap/internal/snapshot"
)

const image = "app:1"

// bench is an engine with an image, and dropcap's readers for it.
type bench struct {
	*dockertest.Engine
	client *docker.Client
	kernel *kernel.Reader
}

func start(t *testing.T, kind dockertest.Kind, opts ...dockertest.Option) *bench {
	t.Helper()
	e := dockertest.Start(t, kind, opts...)
	if _, err := e.Import(image, `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	return &bench{Engine: e, client: openClient(t, e.Host), kernel: openKernel(t)}
}

func openClient(t *testing.T, host string) *docker.Client {
	t.Helper()
	c, err := docker.Open(context.Background(), docker.Options{Host: host, ConfigDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func openKernel(t *testing.T) *kernel.Reader {
	t.Helper()
	k, err := kernel.New("/")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// look takes dropcap's snapshot of some containers.
func (b *bench) look(t *testing.T, names ...string) []dropcap.Container {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := snapshot.Take(ctx, b.client, b.kernel, func() snapshot.Machine {
		return here(b.kernel, b.Socket)
	}, snapshot.Query{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return s.Containers
}

// body returns a raw create body.
func body(d declaration) string {
	// Without a network, since a bridge's port takes a tenth of a second.
	h := map[string]any{"CapAdd": d.Add, "CapDrop": d.Drop, "Privileged": d.Privileged,
		"NetworkMode": "none"}
	if d.UsernsHost {
		h["UsernsMode"] = "host"
	}
	return jsonBody(map[string]any{"Image": image, "Cmd": []string{"sleep", "3600"}, "User": d.User,
		"HostConfig": h})
}

func jsonBody(fields map[string]any) string {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// declaration is one case of the matrix.
type declaration struct {
	Add, Drop  []string
	User       string
	Privileged bool
	UsernsHost bool
}

func (d declaration) String() string {
	s := fmt.Sprintf("add=%v drop=%v user=%q", d.Add, d.Drop, d.User)
	if d.Privileged {
		s += " privileged"
	}
	return s
}

// cgroups returns a process's /proc/PID/cgroup.
func cgroups(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bounding reads a process's bounding set, independently of dropcap.
func bounding(t *testing.T, pid int) caps.Set {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\nCapBnd:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	set, err := caps.ParseMask(mask)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ours returns what this host lets anybody have.
func ours(t *testing.T) caps.Set { return bounding(t, os.Getpid()) }

// here describes this machine and the engine behind a socket.
func here(k *kernel.Reader, socket string) snapshot.Machine {
	h := k.Host()
	m := snapshot.Machine{Engine: true, ID: h.ID, Release: h.Release, Cgroup: h.Cgroup, LSM: h.LSM,
		Last: h.LastCap}
	if set, _, ok := k.EngineCaps(socket); ok {
		m.EngineCaps = &set
	}
	return m
}
