package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/bpf"
	"dropcap/internal/docker"
	"dropcap/internal/doctor"
	"dropcap/internal/kernel"
	"dropcap/internal/render"
	"dropcap/internal/snapshot"
)

func (a *app) doctor() *cobra.Command {
	var format, store string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what dropcap can and cannot do on this host",
		Long: `Check what dropcap stands on: the engine and the permission to talk to it, whether /proc shows the containers' processes,
cgroups, BTF, which eBPF hooks load, security modules, live-restore, room for the store. What is missing comes with its remedy.
The status is 6 if audit cannot work here.
` + exitHelp,
		Example: "  dropcap doctor\n  dropcap --host ssh://host doctor\n  dropcap doctor --format json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usageError("text or json", "cannot report in the format %q", format)
			}
			return a.runDoctor(cmd.Context(), format, store)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "output: text or json")
	cmd.Flags().StringVar(&store, "store", defaultStore(), "the folder of the store")
	return cmd
}

func (a *app) runDoctor(ctx context.Context, format, store string) error {
	k, err := kernel.New("/")
	if err != nil {
		return err
	}
	d := &patient{app: a, kernel: k}
	defer d.close()
	report := doctor.Examine(ctx, doctor.Deps{
		Root: os.Geteuid() == 0, Engine: d.engine, Socket: d.socket, Local: d.local, Running: d.running,
		LiveRestore: d.liveRestore, Tracing: tracing, Disk: room, Store: store,
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if report.Blocks("audit") {
		a.status = dropcap.ExitHost
	}
	if format == "json" {
		return writeJSON(a.out, report)
	}
	return render.Report(a.out, report, a.options(outputFlags{}))
}

// patient is what is examined: the engine, once it is reached, and the kernel.
type patient struct {
	app    *app
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
	h, err := p.app.engine.open(ctx)
	if err != nil {
		return dropcap.Host{}, err
	}
	p.client, p.here = h.Client, h.machine()
	return h.Host(ctx)
}

func (p *patient) local(h *dropcap.Host) {
	if p.client == nil {
		m := here(p.kernel, "")
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
	s, err := snapshot.Take(ctx, p.client, p.kernel, func() snapshot.Machine { return p.here }, snapshot.Query{Filters: []string{"status=running"}})
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
		t.Hooks = append(t.Hooks, doctor.Hook{Name: h.Name, OK: h.OK, Why: h.Why, Usable: strings.HasSuffix(h.Name, "/cap_capable")})
	}
	return t
}

func room(folder string) (doctor.Disk, error) {
	parent, free, readOnly, err := kernel.Room(folder)
	return doctor.Disk{Folder: parent, Free: free, ReadOnly: readOnly}, err
}
