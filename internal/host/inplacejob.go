package host

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/printable"
)

// InPlaceOptions say how the engine is stopped and started for changes in place.
type InPlaceOptions struct {
	// StopAll allows that all containers are stopped with an engine without live-restore.
	StopAll bool
	// Stop and Start are the programs that do it, with their arguments; empty means systemd's.
	Stop, Start []string
}

// programs returns the two programs.
func (o InPlaceOptions) programs() (stop, start []string) {
	if len(o.Stop) > 0 && len(o.Start) > 0 {
		return o.Stop, o.Start
	}
	// The socket would start the service again at the next connection.
	return []string{"systemctl", "stop", "docker.socket", "docker.service"},
		[]string{"systemctl", "start", "docker.socket", "docker.service"}
}

// inPlaceJob is what changing a container in place takes. The error says why dropcap does not do
// it.
func inPlaceJob(ctx context.Context, o *originals, s dropcap.Step,
	f InPlaceOptions) (*apply.InPlace, error) {
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
		return nil, dropcap.Errorf(dropcap.CodeError, hint, "cannot change %s in place: %s",
			s.Container.Name, why)
	}
	switch {
	case os.Geteuid() != 0:
		return refuse("run it with sudo", "the engine's files are root's")
	case s.Before.Privileged != s.After.Privileged:
		return refuse("change it with --strategy recreate",
			"a privileged container has more than its capabilities from that")
	case info.Swarm.LocalNodeState != "" && info.Swarm.LocalNodeState != "inactive":
		return refuse("change it with --strategy recreate",
			"the engine is part of a swarm, which a stop of it concerns")
	case slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
		return o == "name=rootless"
	}):
		return refuse("change it with --strategy recreate", "the engine is a user's own")
	case !info.LiveRestoreEnabled && !f.StopAll:
		return refuse(
			`switch it on: {"live-restore": true} in /etc/docker/daemon.json, then systemctl reload docker; or let all be stopped: --stop-all`,
			"without live-restore all containers stop with the engine")
	case !filepath.IsAbs(info.DockerRootDir):
		return refuse("", "the engine does not tell where its files are")
	}
	p := &apply.InPlace{File: filepath.Join(info.DockerRootDir, "containers", s.Container.ID,
		"hostconfig.json"), Survive: info.LiveRestoreEnabled}
	p.Stop, p.Start = f.programs()
	for id, raw := range o.raw {
		var b struct{ State struct{ Running bool } }
		if json.Unmarshal(raw, &b) == nil && b.State.Running {
			p.Running = append(p.Running, id)
		}
	}
	for _, d := range o.dark {
		if d.runs { // nobody could tell whether it has gone through the engine's stop
			return refuse("change it with --strategy recreate", "the container "+
				printable.Line(d.Name)+" cannot be read")
		}
	}
	slices.Sort(p.Running)
	return p, nil
}
