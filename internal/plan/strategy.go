package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// promises are what each strategy promises, verbatim in docs/plan.md.
var promises = map[dropcap.Strategy]string{
	dropcap.StrategyRecreate: "the old container is retained, stopped, and a backout starts that " +
		"very container again",
	dropcap.StrategyInPlace: "it stays the same container with its data and logs; a backout " +
		"puts the engine's former file back",
	dropcap.StrategySource: "its owner re-creates it and removes the old one before the new " +
		"one has proven itself; a backout applies the former source again",
	dropcap.StrategyManual: "dropcap does not touch it; a person changes its source",
}

// promise is what the step's way promises.
func promise(out dropcap.Step, s Subject) string {
	counted := func(o dropcap.Owner) bool { return !owner.Of(o.Kind).Retains() }
	if out.Strategy == dropcap.StrategyRecreate && (counted(out.Owner) ||
		slices.ContainsFunc(s.Dependants, func(d Dependant) bool {
			return counted(d.Container.Owner)
		})) {
		return promiseCounted
	}
	return promises[out.Strategy]
}

// promiseCounted is of a re-creation where the owner counts every container with its labels.
const promiseCounted = "the old container is removed once the new one has proven itself, since " +
	"its owner would count both; a backout makes it again from the journal"

// away says what becomes of a change whose source is not on this host.
func away(out dropcap.Step, s Source) []string {
	if s.Away == "" || out.Strategy != dropcap.StrategyRecreate {
		return nil
	}
	until := "its owner leaves it alone until the file changes"
	if s.Follows {
		until = "its owner makes it again at its next start of all"
	}
	return []string{s.Away + ": so the container itself is changed, with its owner's labels, and " +
		until + "; give what is shown to whoever keeps " +
		"the file, and audit tells if the change comes undone (reverted)"}
}

// lostByOwners returns the workloads whose owner's own way would lose what a container wrote into
// its own layer, where re-creating the container itself carries that along. An owner makes all
// containers of a service again, so that one of them decides for all.
func (in Input) lostByOwners() map[string]bool {
	lost := map[string]bool{}
	layer := func(r Refusal) bool { return r.Slug == "layer" }
	for _, s := range in.Subjects {
		if s.Against == nil || s.Container.Retained != "" ||
			in.strategy(s.Container, Source{}) != dropcap.StrategySource ||
			len(s.Against(dropcap.StrategyRecreate)) > 0 {
			continue
		}
		if slices.ContainsFunc(s.Against(dropcap.StrategySource), layer) ||
			s.PeersLose != nil && s.PeersLose() {
			lost[s.Container.Workload] = true
		}
	}
	return lost
}

// strategy returns the owner's strategy, unless the operator asks for another possible one.
func (in Input) strategy(c dropcap.Container, s Source) dropcap.Strategy {
	asked := in.Options.Strategy
	switch {
	case in.Host.Engine.Name == "podman", c.Declared.Privileged && !in.Options.Deprivilege,
		asked == dropcap.StrategyManual:
		return dropcap.StrategyManual
	}
	if asked == "" && s.Away != "" {
		asked = dropcap.StrategyRecreate
	}
	return owner.Of(c.Owner.Kind).Strategy(asked)
}

// byHand says why the change is manual.
func byHand(c dropcap.Container, o Options) Refusal {
	manager := owner.Of(c.Owner.Kind).Manager
	switch {
	case c.Declared.Privileged && !o.Deprivilege:
		return Refusal{"privileged",
			"cannot decide alone about a privileged container: it also has all devices and no " +
				"confinement",
			"plan it with --deprivilege, and read what else goes"}
	case manager != "":
		return Refusal{"owner",
			fmt.Sprintf("cannot change it here for good: it belongs to %s, which would make it "+
				"again as its source says", manager),
			"change its source as shown"}
	case o.Strategy == dropcap.StrategyManual:
		return Refusal{"manual", "cannot apply what was planned as manual",
			"plan it without --strategy manual"}
	}
	return Refusal{"engine", "cannot re-create containers of Podman",
		"re-create it yourself with the capabilities shown"}
}

// strategyWarnings returns the side effects of the strategy.
func (in Input) strategyWarnings(out dropcap.Step, s Subject) []string {
	var list []string
	c := s.Container
	if c.Owner.Claimed != "" {
		list = append(list, fmt.Sprintf("its labels claim that %s owns it, but its image carries "+
			"them too: it is taken for a plain container", c.Owner.Claimed))
	}
	if undone := owner.Of(c.Owner.Kind).ComesUndone(out.Strategy); undone != "" {
		list = append(list, undone)
	}
	if s.Execs > 0 {
		list = append(list, busy(s.Execs, out.Strategy))
	}
	if out.Strategy == dropcap.StrategyRecreate || out.Strategy == dropcap.StrategySource {
		list = append(list, dependantsNotes(s, out.Strategy)...)
	}
	if out.Strategy == dropcap.StrategyRecreate {
		list = append(list, s.Notes...)
	}
	if out.Strategy == dropcap.StrategyInPlace {
		list = append(list, s.InPlaceNotes...)
	}
	return list
}

// busy warns of docker execs that would end with the container.
func busy(n int, strategy dropcap.Strategy) string {
	runs := "a docker exec runs in it and ends"
	if n > 1 {
		runs = fmt.Sprintf("%d docker execs run in it and end", n)
	}
	if strategy == dropcap.StrategyManual {
		return runs + " when it is stopped"
	}
	return runs + " when it is stopped: apply waits for that, for half a minute at most"
}

// timing is the part of the engine's description that determines how long a change takes.
type timing struct {
	Config struct {
		StopSignal  string
		StopTimeout *int
		Healthcheck *struct{ Test []string }
	}
}

// defaultStop is how long the engine waits after the stop signal (moby
// container.DefaultStopTimeout), in seconds.
const defaultStop = 10

func downtime(strategy dropcap.Strategy, s Subject) string {
	if strategy == dropcap.StrategyManual {
		return ""
	}
	if !s.Container.Running() {
		return "none: it is not running"
	}
	text, t := pause(s.Inspect)
	switch strategy {
	case dropcap.StrategyInPlace:
		text += ", and a restart of the engine between them"
	case dropcap.StrategySource:
		text += ", and the removal of the old container between them"
	}
	if h := t.Config.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		text += "; it has a health check, for which the gate waits"
	}
	return text
}

// pause says how long a container is down when it is stopped and started.
func pause(inspect json.RawMessage) (text string, t timing) {
	_ = json.Unmarshal(inspect, &t) // unreadable fields have the engine's defaults
	signal, grace := t.Config.StopSignal, defaultStop
	if signal == "" {
		signal = "SIGTERM"
	}
	if t.Config.StopTimeout != nil {
		grace = *t.Config.StopTimeout
	}
	within := fmt.Sprintf("at most %d s after %s", grace, plain(signal))
	if grace < 0 {
		within = "as long as it takes after " + plain(signal)
	}
	return fmt.Sprintf("its own stop (%s) and start", within), t
}

// Command is a command that creates a container.
type Command struct {
	File  string // the file with the values that the line must not show
	Fetch string // reads those values from the file, and fails without it; empty if not needed
	Line  string // docker run …; empty if it cannot be expressed
}

// byHandCommands returns the commands to do it by hand: the control's own command, with the old
// container renamed and not removed, since it has the name and is needed for the backout.
func byHandCommands(out dropcap.Commands, s Subject, after dropcap.Grant) dropcap.Commands {
	by := s.Command(after)
	if by.Line == "" {
		return out
	}
	name := printable.Shell(s.Container.Name)
	aside := printable.Shell(s.Container.Name + "-before")
	if by.Fetch != "" { // before stopping anything
		out.Reveal = fmt.Sprintf("dropcap plan %s --reveal %s", name, printable.Shell(by.File))
		out.Apply = by.Fetch + " && "
	}
	out.Apply += fmt.Sprintf("docker stop %[1]s && docker rename %[1]s %[2]s && docker update "+
		"--restart=no %[2]s && %[3]s", name, aside, by.Line)
	out.Backout = fmt.Sprintf("docker rm --force %[1]s && docker rename %[2]s %[1]s && docker "+
		"update --restart=%[3]s %[1]s", name, aside, restart(s.Inspect))
	if s.Container.Running() {
		out.Backout += " && docker start " + name
	}
	return out
}

// restart returns the container's restart policy in the form of docker update.
func restart(inspect json.RawMessage) string {
	var b struct {
		HostConfig struct {
			RestartPolicy struct {
				Name              string
				MaximumRetryCount int
			}
		}
	}
	_ = json.Unmarshal(inspect, &b)
	p := b.HostConfig.RestartPolicy
	switch {
	case p.Name == "on-failure" && p.MaximumRetryCount > 0:
		return fmt.Sprintf("on-failure:%d", p.MaximumRetryCount)
	case p.Name == "always", p.Name == "unless-stopped", p.Name == "on-failure":
		return p.Name
	}
	return "no"
}

// plain makes text that a container controls safe within one line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
