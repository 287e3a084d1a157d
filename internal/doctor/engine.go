package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"dropcap"
)

// oldestAPI is the oldest version that the engine's adapter supports: Docker 19.03. Versions before
// 1.41 (20.10) are not tested.
const oldestAPI, testedAPI = 40, 41

func (x *exam) engine() {
	const name = "engine"
	e := x.host.Engine
	switch minor, known := apiMinor(e.API); {
	case x.d.Engine == nil:
	case x.unreachable != nil:
		remedy := "start the engine, or name it with --host, --context or DOCKER_HOST"
		var told *dropcap.Error
		if errors.As(x.unreachable, &told) && told.Hint != "" {
			remedy = told.Hint
		}
		x.missing(name, x.unreachable.Error(), remedy, verbAudit, verbLearn, verbApply)
	case known && minor < oldestAPI:
		x.missing(name, described(e),
			"upgrade the engine: dropcap needs API 1.40, Docker 19.03 or newer", verbAudit,
			verbLearn, verbApply)
	case known && minor < testedAPI:
		x.warning(name, described(e)+"; older than any that dropcap is tested with",
			"upgrade to Docker 20.10 or newer",
			verbAudit, verbLearn, verbApply)
	default:
		x.ok(name, described(e), verbAudit, verbLearn, verbApply)
	}
}

func described(e dropcap.Engine) string {
	s := strings.TrimSpace(e.Name + " " + e.Version)
	if e.API != "" {
		s += ", API " + e.API
	}
	if e.Rootless {
		s += ", rootless"
	}
	return s
}

// apiMinor returns the 41 of "1.41".
func apiMinor(api string) (int, bool) {
	major, minor, _ := strings.Cut(api, ".")
	n, err := strconv.Atoi(minor)
	return n, err == nil && major == "1"
}

func (x *exam) socket() {
	if x.d.Socket == nil {
		return
	}
	const name = "permission"
	verbs := []string{verbAudit, verbLearn, verbApply}
	address, err := x.d.Socket()
	switch {
	case err == nil && x.unreachable == nil:
		x.ok(name, "may talk to "+address, verbs...)
	case errors.Is(err, fs.ErrPermission):
		x.missing(name, "may not talk to "+address,
			"run as root, or as a member of the socket's group (which is as good as root)",
			verbs...)
	case err != nil:
		x.warning(name, fmt.Sprintf("cannot tell for %s: %v", address, err), "", verbs...)
	case strings.HasPrefix(address, "unix://"):
		x.ok(name, "may write to "+address, verbs...)
	}
}

func (x *exam) root() {
	if x.d.Root {
		x.ok("root", "runs as root", verbLearn, verbApply)
		return
	}
	x.missing("root", "does not run as root: eBPF and the store need it, and some processes may "+
		"not show their user namespace",
		"run dropcap with sudo", verbLearn, verbApply)
}

// processes checks that the kernel's view of the running containers is readable.
func (x *exam) processes() {
	if x.d.Running == nil || x.unreachable != nil {
		return
	}
	const name = "processes"
	const remedy = "run dropcap on the engine's own host as root; in a container with --pid=host " +
		"--cgroupns=host"
	list, err := x.d.Running(x.ctx)
	if err != nil {
		x.warning(name, "cannot list the running containers: "+err.Error(), "", verbAudit,
			verbLearn, verbApply)
		return
	}
	running, visible, why := 0, 0, ""
	for _, c := range list {
		switch {
		case !c.Running():
			continue
		case c.Kernel.Visible:
			visible++
		case why == "":
			why = fmt.Sprintf("%s: %s", c.Name, c.Kernel.WhyNot)
		}
		running++
	}
	switch {
	case running == 0:
		x.ok(name, "no container runs, so there was nothing to try it on", verbAudit, verbLearn,
			verbApply)
	case visible == running:
		x.ok(name, fmt.Sprintf("/proc shows the processes of all %d running containers", running),
			verbAudit, verbLearn, verbApply)
	case visible == 0:
		x.missing(name, fmt.Sprintf(
			"/proc shows the processes of none of %d running containers; %s", running, why), remedy,
			verbAudit, verbLearn, verbApply)
	default:
		x.warning(name, fmt.Sprintf("/proc shows the processes of %d of %d running containers; %s",
			visible, running, why), remedy,
			verbAudit, verbLearn, verbApply)
	}
}

// liveRestore matters to a change that restarts the daemon instead of re-creating the container.
func (x *exam) liveRestore() {
	if x.d.LiveRestore == nil || x.unreachable != nil {
		return
	}
	const name = "live-restore"
	on, err := x.d.LiveRestore(x.ctx)
	switch {
	case err != nil:
		x.warning(name, "cannot ask the engine: "+err.Error(), "", verbApply)
	case x.host.Engine.Name == "podman":
		x.ok(name, "podman keeps no daemon whose restart could stop a container", verbApply)
	case on:
		x.ok(name, "on: containers outlive a restart of the daemon", verbApply)
	default:
		x.warning(name, "off: a restart of the daemon stops every container, so containers are "+
			"made anew instead of changed in place",
			`set "live-restore": true in the daemon's daemon.json and reload it (not together with Swarm)`, verbApply)
	}
}
