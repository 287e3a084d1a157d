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
	// StopAll allows stopping all containers with an engine without live-restore.
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

// inPlaceNotes returns what a change in place does to the engine besides stopping it.
func (o *originals) inPlaceNotes(ctx context.Context) []string {
	var info struct{ LiveRestoreEnabled bool }
	raw, err := o.h.Raw(ctx, "/info", nil)
	if err != nil || json.Unmarshal(raw, &info) != nil {
		return nil
	}
	file, on, err := o.liveConfig()
	switch {
	case info.LiveRestoreEnabled && (on || err != nil):
		return nil
	case err != nil:
		return []string{"without live-restore all containers stop with the engine, and it cannot " +
			"be switched on for that time: " + err.Error()}
	}
	return []string{"live-restore is off, or would be after a start of the engine: for the time " +
		"of the change it is switched on in " + printable.Line(file) +
		", which the engine reads again (SIGHUP) and which is put back to the byte; or let all " +
		"containers be stopped: --stop-all"}
}

// inPlaceJob returns the job of changing a container in place. The error says why dropcap does not
// do it.
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
			"the engine is part of a swarm, which allows no live-restore and moves what runs "+
				"here while it is stopped")
	case slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
		return o == "name=rootless"
	}):
		return refuse("change it with --strategy recreate", "the engine is a user's own")
	case !filepath.IsAbs(info.DockerRootDir):
		return refuse("", "the engine does not tell where its files are")
	}
	p := &apply.InPlace{File: filepath.Join(info.DockerRootDir, "containers", s.Container.ID,
		"hostconfig.json")}
	p.Survive = info.LiveRestoreEnabled || !f.StopAll
	config, on, err := o.liveConfig()
	p.Config, p.Switch = config, p.Survive && !(info.LiveRestoreEnabled && (on || err != nil))
	if err != nil && p.Switch {
		return refuse("switch it on yourself and have the engine read it (systemctl reload "+
			"docker), or let all be stopped: --stop-all",
			"without live-restore all containers stop with the engine, and it cannot be switched "+
				"on for that time: "+err.Error())
	}
	p.Stop, p.Start = f.programs()
	p.Running = o.running()
	for _, d := range o.dark {
		if d.runs { // nobody could tell whether it has gone through the engine's stop
			return refuse("change it with --strategy recreate", "the container "+
				printable.Line(d.Name)+" cannot be read")
		}
	}
	return p, nil
}

// running returns the ids of all running containers.
func (o *originals) running() (ids []string) {
	for id, raw := range o.raw {
		var b struct{ State struct{ Running bool } }
		if json.Unmarshal(raw, &b) == nil && b.State.Running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
