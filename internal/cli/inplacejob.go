package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/apply"
)

// inPlaceFlags say how the engine is stopped and started for changes in place.
type inPlaceFlags struct {
	stopAll     bool
	stop, start string
}

func (f *inPlaceFlags) register(fl *pflag.FlagSet) {
	fl.BoolVar(&f.stopAll, "stop-all", false, "in place without live-restore: all containers may be stopped with the engine, and are started again")
	fl.StringVar(&f.stop, "engine-stop", "", "in place: the program that stops an engine that systemd does not run, and waits for it")
	fl.StringVar(&f.start, "engine-start", "", "in place: the program that starts it")
}

// programs gives the two programs.
func (f *inPlaceFlags) programs() (stop, start []string, err error) {
	if (f.stop == "") != (f.start == "") {
		return nil, nil, usageError("the one that was stopped has to be started again", "cannot use --engine-stop without --engine-start, or the other way round")
	}
	if f.stop == "" {
		// The socket would start the service again at the next connection.
		return []string{"systemctl", "stop", "docker.socket", "docker.service"}, []string{"systemctl", "start", "docker.socket", "docker.service"}, nil
	}
	stop, ok1 := apply.Split(f.stop)
	start, ok2 := apply.Split(f.start)
	if !ok1 || !ok2 || len(stop) == 0 || len(start) == 0 {
		return nil, nil, usageError("for example --engine-stop 'rc-service docker stop'", "cannot read the command of --engine-stop or --engine-start")
	}
	return stop, start, nil
}

// inPlaceJob is what changing a container in place takes. The error says why dropcap does not do it.
func inPlaceJob(ctx context.Context, o *originals, s dropcap.Step, f *inPlaceFlags) (*apply.InPlace, error) {
	var info struct {
		DockerRootDir      string
		LiveRestoreEnabled bool
		SecurityOptions    []string
		Swarm              struct{ LocalNodeState string }
	}
	raw, err := o.h.Raw(ctx, "/info", nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return nil, err
	}
	refuse := func(hint, why string) (*apply.InPlace, error) {
		return nil, dropcap.Errorf(dropcap.CodeError, hint, "cannot change %s in place: %s", s.Container.Name, why)
	}
	switch {
	case os.Geteuid() != 0:
		return refuse("run it with sudo", "the engine's files are root's")
	case s.Before.Privileged != s.After.Privileged:
		return refuse("change it with --strategy recreate", "a privileged container has more than its capabilities from that")
	case info.Swarm.LocalNodeState != "" && info.Swarm.LocalNodeState != "inactive":
		return refuse("change it with --strategy recreate", "the engine is part of a swarm, which a stop of it concerns")
	case slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return o == "name=rootless" }):
		return refuse("change it with --strategy recreate", "the engine is a user's own")
	case !info.LiveRestoreEnabled && !f.stopAll:
		return refuse(`switch it on: {"live-restore": true} in /etc/docker/daemon.json, then systemctl reload docker; or let all be stopped: --stop-all`,
			"without live-restore all containers stop with the engine")
	case !filepath.IsAbs(info.DockerRootDir):
		return refuse("", "the engine does not tell where its files are")
	}
	p := &apply.InPlace{File: filepath.Join(info.DockerRootDir, "containers", s.Container.ID, "hostconfig.json"), Survive: info.LiveRestoreEnabled}
	if p.Stop, p.Start, err = f.programs(); err != nil {
		return nil, err
	}
	for id, raw := range o.raw {
		var b struct{ State struct{ Running bool } }
		if json.Unmarshal(raw, &b) == nil && b.State.Running {
			p.Running = append(p.Running, id)
		}
	}
	for _, d := range o.dark {
		if d.runs { // nobody could tell whether it has gone through the engine's stop
			return refuse("change it with --strategy recreate", "the container "+oneLine(d.Name)+" cannot be read")
		}
	}
	slices.Sort(p.Running)
	return p, nil
}
