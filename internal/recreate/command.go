package recreate

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"dropcap"
)

// Command is what a person types to make the container.
type Command struct {
	// Fetch takes what is hidden out of the file, and fails without it: it belongs before anything
	// is stopped. Empty: the file is not needed.
	Fetch string
	Line  string // docker run …, for sh; empty if it cannot be said
	File  []byte // the file's contents; nil if it is not needed
}

// Command returns the complete docker run (or create, where the container does not run, or the
// engine wants its networks connected one by one) that makes the container with the capabilities of
// g. What may be a secret stands in the file only, which is one for --env-file: the shell takes
// what does not belong to the environment from its comments.
func (r *Recipe) Command(g dropcap.Grant, file string) Command {
	c, err := r.Create(r.name, g)
	if err != nil {
		return Command{}
	}
	s, err := parseSaid(c.Body)
	if err != nil {
		return Command{}
	}
	from := r.brought()
	v := &vault{name: file}
	running := r.in.State.Running
	verb := "create"
	if running && len(c.Connect) == 0 {
		verb = "run"
	}
	words := append([]string{"docker", verb}, capabilityWords(v, g)...)
	if verb == "run" {
		words = append(words, "--detach")
	}
	words = append(words, "--name="+r.name)
	words = append(words, r.envWords(v)...)
	words = append(words, r.networkWords(v)...)
	for _, o := range s.options(r, from) {
		words = append(words, r.word(v, o))
	}
	security, stdin := r.securityWords(v, s)
	words = append(words, security...)
	if p := c.Query["platform"]; p != "" {
		words = append(words, r.word(v, option{name: "platform", value: p}))
	}
	entrypoint, args := s.process(v, from)
	words = append(words, entrypoint...)
	words = append(words, v.word(r.imageReference()))
	words = append(words, args...)
	line := stdin + r.versionWord(c) + strings.Join(words, " ") + r.connectWords(v, c, running)
	return Command{Fetch: v.fetch(), Line: line, File: v.contents()}
}

// security are the keys of --security-opt whose values are names of the host's or the engine's own.
var security = []string{"apparmor", "label", "no-new-privileges", "systempaths", "writable-cgroups"}

// securityWords are the options about confinement. A profile for seccomp is a file to docker, which
// sends what is in it: stdin is what passes it on.
func (r *Recipe) securityWords(v *vault, s *said) (words []string, stdin string) {
	for _, opt := range append(s.HostConfig.SecurityOpt, s.HostConfig.paths()...) {
		key, value, _ := strings.Cut(strings.Replace(opt, ":", "=", 1), "=")
		o := option{name: "security-opt", value: opt, hide: !slices.Contains(security, key)}
		switch {
		case key == "seccomp" && strings.HasPrefix(value, "{") && stdin == "":
			stdin, o = "printf %s "+v.hide(value)+" | ",
				option{name: o.name, value: "seccomp=/dev/stdin"}
		case key == "seccomp" && (value == "unconfined" || value == "builtin"):
			o.hide = false
		}
		words = append(words, r.word(v, o))
	}
	return words, stdin
}

// brought is the image's part of the configuration.
func (r *Recipe) brought() *said {
	var img struct{ Config json.RawMessage }
	if nothing(r.o.Image) || json.Unmarshal(r.o.Image, &img) != nil {
		return new(said)
	}
	s, err := parseSaid(img.Config)
	if err != nil {
		return new(said)
	}
	return s
}

// versionWord makes docker speak the version that the container needs.
func (r *Recipe) versionWord(c Creation) string {
	if c.API == "" {
		return ""
	}
	return "DOCKER_API_VERSION=" + c.API + " "
}

func capabilityWords(v *vault, g dropcap.Grant) []string {
	var out []string
	for _, list := range []struct {
		name  string
		names []string
	}{{"--cap-drop=", g.CapDrop}, {"--cap-add=", g.CapAdd}} {
		for _, c := range list.names {
			out = append(out, list.name+v.word(strings.TrimPrefix(strings.ToUpper(c), "CAP_")))
		}
	}
	return out
}

// word is an option as a word of the shell.
func (r *Recipe) word(v *vault, o option) string {
	switch {
	case o.bare:
		return "--" + o.name
	case o.hide || r.hidden(o):
		return "--" + o.name + "=" + v.hide(o.value)
	}
	return "--" + o.name + "=" + v.word(o.value)
}

// named are options whose values are names, and no secrets though one may also stand in the
// environment.
var named = []string{"volume", "mount", "network", "hostname", "ip", "ip6", "mac-address", "pid",
	"ipc", "volumes-from", "runtime",
	"cgroup-parent", "platform"}

func (r *Recipe) hidden(o option) bool {
	if slices.Contains(named, o.name) {
		return false
	}
	return r.hides(o.value)
}

// envWords puts the container's own environment into the file, and says where it is.
func (r *Recipe) envWords(v *vault) []string {
	var out, apart []string
	for _, entry := range r.ownEnv() {
		switch name, _, ok := strings.Cut(entry, "="); {
		case !ok:
		case name != "" && name[0] != '#' && !strings.ContainsAny(name, " \t\v\f") &&
			!strings.ContainsAny(entry, "\n\r") && len(entry) < longest && utf8.ValidString(entry):
			v.lines = append(v.lines, entry)
		default:
			apart = append(apart, entry)
		}
	}
	if len(v.lines) > 0 {
		out = append(out, "--env-file="+quote(v.name))
	}
	for _, entry := range apart {
		out = append(out, "--env="+v.hide(entry))
	}
	return out
}

// ownEnv is the environment without the part that comes from the image, which the engine has put at
// its end (moby daemon/commit.go, merge).
func (r *Recipe) ownEnv() []string {
	s, err := parseSaid(join(r.in.Config))
	if err != nil {
		return nil
	}
	env, from := s.Env, r.brought().Env
	for n := min(len(env), len(from)); n > 0; n-- {
		tail := env[len(env)-n:]
		if subsequence(tail, from) {
			return env[:len(env)-n]
		}
	}
	return env
}

// subsequence tells whether the list is the other one, without those that were set before.
func subsequence(list, of []string) bool {
	for _, s := range of {
		if len(list) > 0 && list[0] == s {
			list = list[1:]
		}
	}
	return len(list) == 0
}

// process returns the entrypoint's option and what follows the image. Docker run has one word for
// the entrypoint: the rest of a longer one goes before the arguments, which makes the same process.
// A word is shown only where the image has the same one at the same place.
func (s *said) process(v *vault, from *said) (entrypoint, args []string) {
	words := func(list, brought []string, at int) (out []string) {
		for i := at; i < len(list); i++ {
			if i < len(brought) && brought[i] == list[i] {
				out = append(out, v.word(list[i]))
				continue
			}
			out = append(out, v.hide(list[i]))
		}
		return out
	}
	switch {
	case slices.Equal(s.Entrypoint, from.Entrypoint) && slices.Equal(s.Cmd, from.Cmd):
		return nil, nil
	case slices.Equal(s.Entrypoint, from.Entrypoint) && len(s.Cmd) > 0:
		return nil, words(s.Cmd, from.Cmd, 0)
	case len(s.Entrypoint) == 0 || s.Entrypoint[0] == "":
		return []string{"--entrypoint=''"}, words(s.Cmd, from.Cmd, 0)
	}
	first := words(s.Entrypoint[:1], from.Entrypoint, 0)
	rest := words(s.Entrypoint, from.Entrypoint, 1)
	return []string{"--entrypoint=" + first[0]}, append(rest, words(s.Cmd, from.Cmd, 0)...)
}

// paths says in docker's words that nothing is masked or read-only.
func (h *saidHost) paths() []string {
	if h.MaskedPaths != nil && len(h.MaskedPaths) == 0 && h.ReadonlyPaths != nil &&
		len(h.ReadonlyPaths) == 0 {
		return []string{"systempaths=unconfined"}
	}
	return nil
}

// connectWords are the commands for further networks, and the start, where the engine wants them
// one by one.
func (r *Recipe) connectWords(v *vault, c Creation, running bool) string {
	var out strings.Builder
	for _, n := range c.Connect {
		e, err := parseEndpoint(n.Endpoint)
		if err != nil {
			continue
		}
		words := []string{" && docker network connect"}
		for _, o := range e.connectOptions() {
			words = append(words, r.word(v, o))
		}
		out.WriteString(strings.Join(append(words, v.word(n.Network), r.name), " "))
	}
	if running && len(c.Connect) > 0 {
		out.WriteString(" && docker start " + r.name)
	}
	return out.String()
}

// Unsaid lists what docker run has no words for, so that the line of Command does not say it:
// sentences.
func (r *Recipe) Unsaid() []string {
	s, err := parseSaid(join(r.in.Config))
	h := new(said)
	if err == nil {
		err = json.Unmarshal(join(map[string]any{"HostConfig": r.in.HostConfig}), h)
	}
	if err != nil {
		return []string{"docker run has no words for a part of the configuration"}
	}
	var out []string
	add := func(so bool, text string) {
		if so {
			out = append(out, text)
		}
	}
	host := h.HostConfig
	add(oddPaths(host.MaskedPaths, "/proc/kcore") || oddPaths(host.ReadonlyPaths, "/proc/sys") ||
		(len(host.MaskedPaths) == 0) != (len(host.ReadonlyPaths) == 0),
		"its own list of masked or read-only paths; docker run knows the engine's list or none")
	add(s.Healthcheck != nil && len(s.Healthcheck.Test) > 0 && s.Healthcheck.Test[0] == "CMD" &&
		!slices.Equal(s.Healthcheck.Test, healthOf(r.brought())),
		"a health check without a shell; docker run puts it through the image's shell")
	add(len(s.Entrypoint) > 1 && !slices.Equal(s.Entrypoint, r.brought().Entrypoint),
		"an entrypoint of several words; all but the first stand before the arguments, which "+
			"runs the same")
	add(r.host.Umask != nil, "the umask")
	add(r.config.NetworkDisabled, "that it has no networking at all")
	add(r.host.ContainerIDFile != "",
		"the file of --cidfile, which exists already; remove it and add --cidfile")
	add(slices.ContainsFunc(host.DeviceRequests, func(d deviceRequest) bool {
		return d.Driver != "cdi" && !d.gpus()
	}), "a request for devices that is not for GPUs")
	add(slices.ContainsFunc(host.Mounts, func(m saidMount) bool {
		return len(m.TmpfsOptions.Options) > 0
	}), "options of a tmpfs beside its size and mode")
	add(slices.ContainsFunc(s.Env, func(e string) bool {
		return !strings.Contains(e, "=")
	}), "a variable that is taken out of the environment")
	add(slices.ContainsFunc(s.Env, func(e string) bool {
		return strings.HasSuffix(e, "\n")
	}), "line ends at the end of a variable")
	add(r.mainNetwork() == "" && len(r.in.NetworkSettings.Networks) > 0,
		"the network that it was first made for and is no longer in")
	return out
}

func healthOf(s *said) []string {
	if s.Healthcheck == nil {
		return nil
	}
	return s.Healthcheck.Test
}

// oddPaths tells whether a list is neither empty nor, by a path that is on all of them, an engine's
// own (moby daemon/pkg/oci/defaults.go).
func oddPaths(list []string, usual string) bool {
	return len(list) > 0 && (!slices.Contains(list, usual) || len(list) < 4)
}

// sortedKeys gives a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
