package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"dropcap/internal/dockertest/supervise"
)

// Engines says which engines nodes have.
type Engines string

// The choices. Auto means private ones, or the best available.
const (
	Auto    Engines = "auto"
	Private Engines = "private"
	// the host's, for the first node only: two nodes would change the same containers
	Shared Engines = "shared"
	None   Engines = "none"
)

// engine is a node's own.
type engine struct {
	keeper *supervise.Keeper
	socket string
	path   []string // the folders of its programs
	client *client
}

// programs are the paths of an engine's programs.
type programs struct {
	dockerd, containerd string
	path                []string
}

// makeEngines gives the nodes engines, as far as this host allows.
func (l *lab) makeEngines(ctx context.Context) error {
	want := l.Engines
	if want == Auto || want == Private {
		err := l.makePrivate(ctx)
		if err == nil || want == Private || ctx.Err() != nil {
			return err
		}
		l.state.Why = strings.TrimPrefix(err.Error(), "cannot start private engines: ")
		if failed := stopEngines(l.engines); failed != nil {
			return failed
		}
		l.engines = nil
	}
	if want == None {
		l.state.Why = "none was asked for"
		return nil
	}
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	version, err := hostEngine(ctx, host)
	switch {
	case err == nil:
		l.state.Nodes[0].Host, l.state.Nodes[0].Engine = host, version
	case want == Shared:
		return fmt.Errorf("cannot use the engine of this host: %w", err)
	}
	return nil
}

func hostEngine(ctx context.Context, host string) (string, error) {
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return "", fmt.Errorf("DOCKER_HOST is %s, and no socket of this host", host)
	}
	return newClient(socket).version(ctx)
}

// makePrivate starts an engine for each node, with containers.
func (l *lab) makePrivate(ctx context.Context) error {
	p, err := find(l.Dockerd)
	if err != nil {
		return fmt.Errorf("cannot start private engines: %w", err)
	}
	image, err := image()
	if err != nil {
		l.Say("nodes have no containers: " + err.Error())
	}
	l.engines = make([]*engine, l.Nodes)
	failed := make([]error, l.Nodes)
	slots := make(chan struct{}, 4)
	var work sync.WaitGroup
	for k := range l.Nodes {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			failed[k] = l.makeOne(ctx, k, p, image)
		})
	}
	work.Wait()
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("cannot start private engines: %w", err)
	}
	return nil
}

func (l *lab) makeOne(ctx context.Context, k int, p programs, image []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e, err := l.start(p)
	if err != nil {
		return err
	}
	l.engines[k] = e
	n := &l.state.Nodes[k]
	if n.Engine, err = e.client.version(ctx); err != nil {
		return err
	}
	n.Host, n.Private = "unix://"+e.socket, true
	if image != nil {
		if err := e.client.fill(ctx, *n, image); err != nil {
			return err
		}
	}
	l.Say(fmt.Sprintf("%s has an engine of its own, %s", n.Name, n.Engine))
	return nil
}

// start starts one engine under a supervisor, which takes it down however we end.
func (l *lab) start(p programs) (*engine, error) {
	root, err := os.MkdirTemp(l.Folder, supervise.Prefix)
	if err != nil {
		return nil, err
	}
	config := map[string]any{}
	for name, key := range map[string]string{"docker-proxy": "userland-proxy-path",
		"docker-init": "init-path"} {
		if program, err := lookIn(p.path, name); err == nil {
			config[key] = program
		}
	}
	if config["userland-proxy-path"] == nil {
		config["userland-proxy"] = false
	}
	d := supervise.Docker{Root: root, Dockerd: p.dockerd, Containerd: p.containerd, Config: config,
		Env: []string{"PATH=" + strings.Join(p.path, ":"), "HOME=" + root, "TMPDIR=" + root}}
	spec, err := d.Spec()
	if err != nil {
		return nil, err
	}
	supervisor := exec.Command(l.Program, l.Keep...)
	supervisor.Env = []string{supervise.Environment + "=1"}
	keeper, _, err := supervise.Keep(spec, supervisor)
	if err != nil {
		return nil, err
	}
	return &engine{keeper: keeper, socket: d.Socket(), path: p.path, client: newClient(d.Socket())},
		nil
}

// KeepEngine is the program of the process that keeps one engine; it returns the exit status. It
// does nothing unless a lab asked for it.
func KeepEngine() (status int, asked bool) {
	if os.Getenv(supervise.Environment) == "" {
		return 0, false
	}
	return supervise.Main(), true
}

func stopEngines(list []*engine) error {
	failed := make([]error, len(list))
	var work sync.WaitGroup
	for k, e := range list {
		if e != nil {
			work.Go(func() { e.client.close(); failed[k] = e.keeper.End() })
		}
	}
	work.Wait()
	return errors.Join(failed...)
}

// find looks for a dockerd and its containerd: the named one, in PATH, or where
// test/hosts/provision installs one.
func find(dockerd string) (p programs, err error) {
	if os.Geteuid() != 0 {
		return p, errors.New("they need root")
	}
	if p.dockerd = dockerd; dockerd == "" {
		if p.dockerd, err = exec.LookPath("dockerd"); err != nil {
			p.dockerd = filepath.Join(cache(), "docker20/usr/sbin/dockerd")
		}
	}
	if p.dockerd, err = filepath.Abs(p.dockerd); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.dockerd); err != nil {
		if dockerd == "" {
			return p, errors.New("there is no dockerd in PATH")
		}
		return p, err
	}
	folder := filepath.Dir(p.dockerd)
	p.path = []string{folder, filepath.Join(folder, "../bin"), "/usr/local/sbin", "/usr/local/bin",
		"/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	if p.containerd, err = lookIn(p.path, "containerd"); err != nil {
		return p, errors.New("there is no containerd beside dockerd or in PATH")
	}
	return p, nil
}

// cache returns the folder of test/hosts/provision.
func cache() string {
	if folder := os.Getenv("DROPCAP_TEST_CACHE"); folder != "" {
		return folder
	}
	return "/var/cache/dropcap-test"
}

func lookIn(path []string, name string) (string, error) {
	for _, folder := range path {
		file := filepath.Join(folder, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() &&
			info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no %s", name)
}
