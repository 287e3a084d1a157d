package host

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/deny"
	"dropcap/internal/docker"
	"dropcap/internal/doctor"
	"dropcap/internal/kernel"
	"dropcap/internal/snapshot"
)

// Doctor reports what dropcap can and cannot do on this host, and the remedy for what it cannot.
func (h *Host) Doctor(ctx context.Context) (dropcap.Report, error) {
	k, err := kernel.New("/")
	if err != nil {
		return dropcap.Report{}, err
	}
	p := &patient{host: h, kernel: k}
	defer p.close()
	report := doctor.Examine(ctx, doctor.Deps{
		Root: os.Geteuid() == 0, Engine: p.engine, Socket: p.socket, Local: p.local,
		Running:     p.running,
		LiveRestore: p.liveRestore, Tracing: tracing, Disk: room, Store: h.config.Store,
	})
	return report, ctx.Err()
}

// patient is what Doctor examines: the engine, once it is reached, and the kernel.
type patient struct {
	host   *Host
	kernel *kernel.Reader
	client *docker.Client
	here   snapshot.Machine
}

func (p *patient) close() {
	if p.client != nil {
		p.client.Close()
	}
}

func (p *patient) engine(ctx context.Context) (dropcap.Host, error) {
	h, err := p.host.Open(ctx)
	if err != nil {
		return dropcap.Host{}, err
	}
	p.client, p.here = h.Client, h.Machine()
	return h.Host(ctx)
}

func (p *patient) local(h *dropcap.Host) {
	if p.client == nil {
		m := machine(p.kernel, "")
		h.Kernel, h.Cgroup, h.LSM, h.ID = m.Release, m.Cgroup, m.LSM, m.ID
		return
	}
	*h = snapshot.Settle(*h, p.here)
}

func (p *patient) socket() (string, error) {
	if p.client == nil {
		return "the engine", errors.New("it was not reached")
	}
	path, ok := p.client.Local()
	if !ok {
		return p.client.Address(), nil
	}
	err := unix.Access(path, unix.W_OK)
	if errors.Is(err, unix.EACCES) {
		err = fs.ErrPermission
	}
	return "unix://" + path, err
}

func (p *patient) running(ctx context.Context) ([]dropcap.Container, error) {
	s, err := snapshot.Take(ctx, p.client, p.kernel, func() snapshot.Machine {
		return p.here
	}, snapshot.Query{Filters: []string{"status=running"}})
	return s.Containers, err
}

func (p *patient) liveRestore(ctx context.Context) (bool, error) {
	_, body, err := p.client.Do(ctx, "GET", "/info", nil, nil)
	if err != nil {
		return false, err
	}
	var info struct{ LiveRestoreEnabled bool }
	err = json.Unmarshal(body, &info)
	return info.LiveRestoreEnabled, err
}

func tracing(ctx context.Context) doctor.Tracing {
	k := bpf.Facts()
	t := doctor.Tracing{BTF: k.BTF, Lockdown: k.Lockdown}
	for _, h := range bpf.Probe(ctx) {
		t.Hooks = append(t.Hooks, doctor.Hook{Name: h.Name, OK: h.OK, Why: h.Why,
			Usable: strings.HasSuffix(h.Name, "/cap_capable"),
			Denies: slices.Contains(deny.Hooks(), h.Name)})
	}
	return t
}

func room(folder string) (doctor.Disk, error) {
	parent, free, readOnly, err := kernel.Room(folder)
	return doctor.Disk{Folder: parent, Free: free, ReadOnly: readOnly}, err
}
