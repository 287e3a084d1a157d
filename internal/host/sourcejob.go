package host

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/owner"
	"dropcap/internal/plan"
	"dropcap/internal/recreate"
	"dropcap/internal/source"
)

// composeAnswer is how long compose may take to print its model.
const composeAnswer = 2 * time.Minute

// sourcing builds the jobs of changing containers at their source.
type sourcing struct{ *Changing }

// sourceJob returns the job of changing the source of a swarm service. The error says why dropcap
// does not do it.
func (j sourcing) sourceJob(ctx context.Context, o *originals, s dropcap.Step,
	discardLayer bool) (*apply.Source, error) {
	if err := j.mayChange(ctx, o, s, discardLayer); err != nil {
		return nil, err
	}
	if owner.Of(s.Owner.Kind).Source == owner.SourceSwarm {
		return j.swarmJob(ctx, owner.SwarmID(owner.TrustedLabels(o.labels[s.Container.ID])))
	}
	return nil, dropcap.Errorf(dropcap.CodeError, "do by hand what the plan says",
		"cannot change %s at its source", s.Container.Name)
}

// mayChange refuses where the owner would also change a container that must not be.
func (j sourcing) mayChange(ctx context.Context, o *originals, s dropcap.Step,
	discardLayer bool) error {
	labels := owner.TrustedLabels(o.labels[s.Container.ID])
	for key := range owner.Services(labels) {
		if err := o.darkPeer(key); err != nil {
			return dropcap.Errorf(dropcap.CodeError, "see what docker inspect says of it",
				"cannot change %s at its source: %w", s.Container.Name, err)
		}
	}
	return o.peers(ctx, labels, s.Container.ID, discardLayer)
}

// peers refuses where another container of the same service must not be changed: the owner changes
// all of them at once, also those that the plan does not name.
func (o *originals) peers(ctx context.Context, labels map[string]string, own string,
	discardLayer bool) error {
	return o.eachPeer(ctx, labels, own, discardLayer, func(no plan.Refusal) error {
		return dropcap.Errorf(dropcap.CodeError, no.Hint, "%s", no.Message)
	})
}

// eachPeer does something with each reason against having the owner make the other containers of a
// service again, until that fails.
func (o *originals) eachPeer(ctx context.Context, labels map[string]string, own string,
	discardLayer bool, do func(plan.Refusal) error) error {
	compose := owner.SwarmID(labels) == "" // which makes again what lives in their namespaces
	for id, raw := range o.raw {
		theirs := owner.TrustedLabels(o.labels[id])
		if id == own || !owner.SameService(labels, theirs) {
			continue
		}
		var b struct {
			Name, Image string
			State       struct{ Running bool }
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			return err
		}
		if owner.SwarmID(theirs) != "" && !b.State.Running {
			continue // swarm keeps ended tasks, but never restarts one
		}
		one, ok := o.found[id]
		if !ok {
			var err error
			if one, err = o.read(ctx,
				dropcap.Container{ID: id, Name: strings.TrimPrefix(b.Name, "/"),
					ImageID: b.Image}); err != nil {
				return err
			}
		}
		r, err := recreate.Read(one)
		if err != nil {
			return err
		}
		for _, no := range ownRefusals(r, recreate.Options{Strategy: dropcap.StrategySource,
			DiscardLayer: discardLayer, Together: compose},
			func() []string { return o.injected(theirs) }) {
			if err := do(no); err != nil {
				return err
			}
		}
	}
	return nil
}

// peersLose reports whether another container of its compose service has written into its own layer
// what compose would lose. Those that are planned too are asked themselves.
func (o *originals) peersLose(ctx context.Context, c dropcap.Container, q PlanRequest) bool {
	if owner.Of(c.Owner.Kind).Source != owner.SourceCompose {
		return false
	}
	lost := errors.New("layer")
	return errors.Is(o.eachPeer(ctx, c.LabelValues, c.ID, q.DiscardLayer,
		func(no plan.Refusal) error {
			if no.Slug == "layer" {
				return lost
			}
			return nil
		}), lost)
}

func (j sourcing) swarmJob(ctx context.Context, id string) (*apply.Source, error) {
	if id == "" {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot tell which swarm service it belongs to")
	}
	if newer("1.41", j.Session.Version()) { // the lists of a service came with API 1.41
		return nil, dropcap.Errorf(dropcap.CodeHost, "update the engine to 20.10",
			"cannot change the capabilities of a service with this engine")
	}
	raw, err := j.Session.Raw(ctx, "/services/"+id, nil)
	if err != nil {
		return nil, err
	}
	v, err := source.ReadService(raw)
	if err != nil {
		return nil, err
	}
	return &apply.Source{Swarm: &apply.Swarm{ID: v.ID, Spec: v.Spec}}, nil
}

// model returns compose's model of the checked files, edited or original. It is given copies in
// the store's folder: they may hold secrets.
func (j sourcing) model(ctx context.Context, c *apply.Compose, edited bool) ([]byte, error) {
	folder, err := os.MkdirTemp(j.Store.Folder(), privateFolder)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	args, err := privateCopies(folder, c.Project.Explicit(c.Given).Config(), c.Copies(edited))
	if err != nil {
		return nil, err
	}
	return composeOutput(ctx, c, args, c.Project.Config())
}

// composeOutput runs compose and returns its standard output. Its other output may repeat values of
// the files, and is dropped. The hint names the command byHand.
func composeOutput(ctx context.Context, c *apply.Compose, args, byHand []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, composeAnswer)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program[0], append(append([]string{}, c.Program[1:]...),
		args...)...)
	cmd.Dir, cmd.Env = "/", c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, dropcap.Errorf(dropcap.CodeError, "run it yourself to see why: "+
			source.Line(byHand), "cannot have compose read its files: exit status %d",
			exit.ExitCode())
	}
	return out, err
}

// composeEnv is the environment of compose: ours, with the engine that we talk to, and nothing that
// lets it do more than it is told.
func (j sourcing) composeEnv() []string {
	var env []string
	socket, local := j.Session.Local()
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		engine := name == "DOCKER_HOST" || name == "DOCKER_CONTEXT" ||
			strings.HasPrefix(name, "DOCKER_TLS") || name == "DOCKER_CERT_PATH"
		if !strings.HasPrefix(name, "COMPOSE_") && !(local && engine) {
			env = append(env, v)
		}
	}
	if local {
		env = append(env, "DOCKER_HOST=unix://"+socket)
	}
	return append(env, "COMPOSE_PROGRESS=plain", "COMPOSE_REMOVE_ORPHANS=0",
		"COMPOSE_IGNORE_ORPHANS=1")
}

// composeProgram finds compose 2 or later, as docker's plugin or by itself.
func composeProgram(ctx context.Context, env []string) ([]string, error) {
	for _, words := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		path, err := exec.LookPath(words[0])
		if err != nil || !filepath.IsAbs(path) {
			continue
		}
		program := append([]string{path}, words[1:]...)
		limited, cancel := context.WithTimeout(ctx, composeAnswer)
		out, err := composeOutput(limited, &apply.Compose{Program: program, Env: env},
			[]string{"version", "--short"}, []string{"version"})
		cancel()
		if err != nil {
			continue
		}
		major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
		if n, err := strconv.Atoi(major); err == nil && n >= 2 {
			return program, nil
		}
	}
	return nil, dropcap.Errorf(dropcap.CodeHost, "install docker compose (the plugin) on this host",
		"cannot find compose 2 or later")
}
