package recreate

import (
	"encoding/json"
	"fmt"
	"strings"

	"dropcap"
)

// Options are the operator's choices.
type Options struct {
	// empty: recreate; in place, what only a re-creation would lose is no refusal
	Strategy     dropcap.Strategy
	DiscardLayer bool // what was written to the container's own layer may be lost
	// Together: what lives in the container's namespaces, and what links to it, is re-created with
	// it
	Together bool
	// how much of it is copied without asking, in bytes; 0: DefaultCarryLimit
	CarryLimit int64
}

// Refusal is a reason not to change a container.
type Refusal struct {
	Slug    string // stable
	Message string // begins with "cannot"
	Hint    string
}

// refusal is a line of the checklist: why returns the message, empty if the refusal does not apply.
type refusal struct {
	slug    string
	inPlace bool // it also counts in place
	why     func(*Recipe) string
	hint    string
}

// checklist has every reason not to change a container, in the order in which to report them.
var checklist = []refusal{
	{"podman", true, (*Recipe).podman,
		"change it where it is defined (a quadlet, a compose file, the command that made it)"},
	{"platform", true, (*Recipe).notLinux, ""},
	{"going", true, (*Recipe).going, "wait until it is gone"},
	{"auto-remove", true, (*Recipe).autoRemove,
		"stop it, and run it anew by hand, as it was run but with the capabilities shown; " +
			"nothing could bring the old one back"},
	{"paused", true, (*Recipe).paused, "docker unpause it first"},
	{"restarting", true, (*Recipe).restarting,
		"repair it first: after a change nobody could tell which of the two is to blame"},
	{"stdin-once", true, (*Recipe).stdinOnce,
		"let whoever is attached finish; then run it anew without -i, or with -d"},
	{"sharers", true, (*Recipe).sharers,
		"--strategy recreate changes those together with this one: they would stay in the " +
			"namespace of a container that is gone"},
	{"linkers", false, (*Recipe).linkers,
		"--strategy recreate changes those together with this one; or put both into a network of " +
			"their own and use names instead of links"},
	{"own-connection", true, (*Recipe).connectionThrough,
		"run dropcap on the host itself, beside the engine's own socket"},
	{"image-gone", false, (*Recipe).imageMissing,
		"pull or build the image again, or change the container in place (--in-place)"},
	{"disconnected", false, (*Recipe).disconnected,
		"connect it to a network, or change it in place (--in-place)"},
	{"network-gone", true, (*Recipe).networkGone,
		"make the network again, or disconnect the container from it"},
	{"partner-gone", true, (*Recipe).partnerGone,
		"the container could not start any more as it is; make it anew"},
	{"partner-down", true, (*Recipe).partnerDown, "start that one first"},
	{"volume", false, (*Recipe).unnamed, "change it in place (--in-place)"},
	{"api", false, (*Recipe).apiConflict, "change it in place (--in-place)"},
	{"layer", false, (*Recipe).layer,
		"keep those in a volume, change the container in place (--in-place), or say --discard-layer"},
}

// Refusals returns every reason not to change the container, each with its message; none if it may
// be changed.
func (r *Recipe) Refusals(o Options) []Refusal {
	var out []Refusal
	for _, c := range checklist {
		if o.Strategy == dropcap.StrategyInPlace && !c.inPlace ||
			o.DiscardLayer && c.slug == "layer" ||
			o.Together && (c.slug == "sharers" || c.slug == "linkers") {
			continue
		}
		if c.slug == "layer" && r.carriable(o) {
			out = append(out, r.uncarried(o)...)
			continue
		}
		if why := c.why(r); why != "" {
			out = append(out, Refusal{Slug: c.slug, Message: "cannot change " + r.name + ": " + why,
				Hint: c.hint})
		}
	}
	return out
}

func (r *Recipe) podman() string {
	return when(r.o.Engine == "podman",
		"Podman tells less of a container than is needed to make it again")
}

func (r *Recipe) notLinux() string {
	return when(r.in.Platform != "" && r.in.Platform != "linux", "it is not a Linux container")
}

func (r *Recipe) going() string {
	return when(r.in.State.Dead || r.in.State.Status == "dead" || r.in.State.Status == "removing",
		"it is being removed")
}

func (r *Recipe) autoRemove() string {
	return when(r.host.AutoRemove,
		"it was made with --rm, so the engine removes it as soon as it is stopped")
}

func (r *Recipe) paused() string { return when(r.in.State.Paused, "it is paused") }

func (r *Recipe) restarting() string {
	return when(r.in.State.Restarting, "it ends and is restarted again and again")
}

// stdinOnce matters only while it runs: nobody is attached to the next start of a stopped
// container.
func (r *Recipe) stdinOnce() string {
	once := r.config.OpenStdin && r.config.StdinOnce && r.in.State.Running
	return when(once, "it reads from a terminal or pipe that is attached once, and ends with it")
}

// Execs returns how many docker execs run in the container, its health check's left out. They end
// with it, so a change waits for them.
func (r *Recipe) Execs() int {
	if r.o.Execs == nil {
		return len(r.in.ExecIDs)
	}
	return len(r.o.Execs)
}

func (r *Recipe) sharers() string {
	return when(len(r.o.Sharers) > 0, "its network, process or ipc namespace is also that of %s",
		names(r.o.Sharers))
}

func (r *Recipe) linkers() string {
	return when(len(r.o.Linkers) > 0,
		"there is a link (--link) to it, which would go on leading to the old one, from %s",
		names(r.o.Linkers))
}

func (r *Recipe) connectionThrough() string {
	return when(r.o.Carries != "", "it carries the connection that dropcap works through: %s",
		r.o.Carries)
}

func (r *Recipe) imageMissing() string {
	return when(r.imageGone(), "its image is no longer on this host")
}

func (r *Recipe) disconnected() string {
	apart := len(r.in.NetworkSettings.Networks) == 0 && !r.sharesNetwork() &&
		!r.config.NetworkDisabled
	return when(apart, "it has been disconnected from all its networks, and a new one would be "+
		"connected again")
}

func (r *Recipe) networkGone() string {
	if r.o.Networks == nil || r.sharesNetwork() {
		return ""
	}
	for _, name := range r.mainFirst() {
		var n struct{ Id string }
		raw, ok := r.o.Networks[name]
		if !ok || nothing(raw) {
			return fmt.Sprintf("its network %s is gone", name)
		}
		id := text(r.in.NetworkSettings.Networks[name]["NetworkID"])
		if json.Unmarshal(raw, &n) == nil && id != "" && n.Id != "" && n.Id != id &&
			r.in.State.Running {
			return fmt.Sprintf("its network %s has been replaced by another one of that name", name)
		}
	}
	return ""
}

func (r *Recipe) partnerGone() string {
	if r.o.Others == nil {
		return ""
	}
	for _, mode := range []string{r.host.NetworkMode, r.host.PidMode, r.host.IpcMode} {
		if other, ok := strings.CutPrefix(mode, "container:"); ok && !r.other(other) {
			return "the container whose namespace it uses is gone"
		}
	}
	return ""
}

// partnerDown matters only while it runs: the engine would not start it again (moby
// daemon/container_operations_unix.go, setupLinkedContainers and getNetworkedContainer).
func (r *Recipe) partnerDown() string {
	return when(r.in.State.Running && len(r.o.Down) > 0,
		"%s, which it links to or whose namespace it uses, does not run, so that it could not be "+
			"started again", names(r.o.Down))
}

func (r *Recipe) unnamed() string {
	for _, m := range r.in.Mounts {
		if m.Type == "volume" && m.volume() == "" {
			return "it has a volume whose name the engine does not tell"
		}
	}
	return ""
}

func (r *Recipe) apiConflict() string {
	if r.api() == r.o.API {
		return ""
	}
	return r.unsaidAt(r.api())
}

// layer also refuses if the layer was not read.
func (r *Recipe) layer() string {
	if len(r.o.Changes) == 0 {
		return "it is not known what was written in its own layer"
	}
	lost := r.Layer()
	if len(lost) == 0 {
		return ""
	}
	const shown = 3
	first, rest := lost[:min(shown, len(lost))], len(lost)-shown
	why := fmt.Sprintf("its own layer holds what a new one would lack: %s",
		strings.Join(quoted(first), ", "))
	why += when(rest > 0, " and %d more", rest)
	return why + when(r.o.NoLayer != "", ", and it cannot be carried along: %s",
		quoted([]string{r.o.NoLayer})[0])
}

// when returns the sentence if the condition holds.
func when(so bool, format string, args ...any) string {
	if !so {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func names(refs []dropcap.Ref) string {
	var out []string
	for _, r := range refs {
		out = append(out, r.Name)
	}
	return strings.Join(out, ", ")
}

// quoted makes paths of a hostile container printable.
func quoted(list []string) []string {
	var out []string
	for _, s := range list {
		if q := fmt.Sprintf("%q", s); q != `"`+s+`"` || len(s) > 200 {
			s = q[:min(len(q), 200)]
		}
		out = append(out, s)
	}
	return out
}
