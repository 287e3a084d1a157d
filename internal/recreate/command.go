package recreate

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"dropcap"
)

// Command is a command line that creates the container.
type Command struct {
	// Fetch reads the hidden values from the file, and fails without it, so run it before stopping
	// anything. Empty: no file is needed.
	Fetch string
	Line  string // docker run …, for sh; empty if it cannot be expressed
	File  []byte // the file's contents; nil if not needed
}

// Command returns the complete docker run (or create, if the container does not run or the engine
// needs its networks connected one by one) that creates the container with the capabilities of g.
// Possible secrets are only in the file, for --env-file: the shell reads what is not part of the
// environment from its comments.
func (r *Recipe) Command(g dropcap.Grant, file string) Command {
	c, err := r.Create(r.name, g)
	if err != nil {
		return Command{}
	}
	s, err := parseRunConfig(c.Body)
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

// security are the keys of --security-opt whose values are names that the host or the engine
// defines.
var security = []string{"apparmor", "label", "no-new-privileges", "systempaths", "writable-cgroups"}

// securityWords are the options about confinement. For docker, a seccomp profile is a file whose
// contents it sends, so it is passed on stdin.
func (r *Recipe) securityWords(v *vault, s *runConfig) (words []string, stdin string) {
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

// brought returns the image's part of the configuration.
func (r *Recipe) brought() *runConfig {
	var img struct{ Config json.RawMessage }
	if nothing(r.o.Image) || json.Unmarshal(r.o.Image, &img) != nil {
		return new(runConfig)
	}
	s, err := parseRunConfig(img.Config)
	if err != nil {
		return new(runConfig)
	}
	return s
}

// versionWord makes docker use the API version that the container needs.
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

// word returns an option as a shell word.
func (r *Recipe) word(v *vault, o option) string {
	switch {
	case o.bare:
		return "--" + o.name
	case o.hide || r.hidden(o):
		return "--" + o.name + "=" + v.hide(o.value)
	}
	return "--" + o.name + "=" + v.word(o.value)
}

// named are options whose values are names: no secrets, even if one is also in the environment.
var named = []string{"volume", "mount", "network", "hostname", "ip", "ip6", "mac-address", "pid",
	"ipc", "volumes-from", "runtime",
	"cgroup-parent", "platform"}

func (r *Recipe) hidden(o option) bool {
	if slices.Contains(named, o.name) {
		return false
	}
	return r.hides(o.value)
}

// envWords writes the container's own environment to the file, and returns the option for it.
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

// ownEnv returns the environment without the image's part, which the engine appends (moby
// daemon/commit.go, merge).
func (r *Recipe) ownEnv() []string {
	s, err := parseRunConfig(join(r.in.Config))
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

// subsequence reports whether the list is the other one without those that were set before.
func subsequence(list, of []string) bool {
	for _, s := range of {
		if len(list) > 0 && list[0] == s {
			list = list[1:]
		}
	}
	return len(list) == 0
}

// process returns the entrypoint's option and what follows the image. Docker run takes one word as
// entrypoint: the rest of a longer one goes before the arguments, with the same result. A word is
// shown only if the image has the same word at the same position.
func (s *runConfig) process(v *vault, from *runConfig) (entrypoint, args []string) {
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

// paths returns the option for no masked and no read-only paths.
func (h *runHostConfig) paths() []string {
	if h.MaskedPaths != nil && len(h.MaskedPaths) == 0 && h.ReadonlyPaths != nil &&
		len(h.ReadonlyPaths) == 0 {
		return []string{"systempaths=unconfined"}
	}
	return nil
}

// connectWords returns the commands for further networks, and the start, if the engine needs them
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

// Unsaid lists, in sentences, what docker run cannot express and Command therefore omits.
func (r *Recipe) Unsaid() []string {
	s, err := parseRunConfig(join(r.in.Config))
	h := new(runConfig)
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
	add(slices.ContainsFunc(host.Mounts, func(m mountSpec) bool {
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

func healthOf(s *runConfig) []string {
	if s.Healthcheck == nil {
		return nil
	}
	return s.Healthcheck.Test
}

// oddPaths reports whether a list is neither empty nor, by a path that is in all of them, an
// engine's default (moby daemon/pkg/oci/defaults.go).
func oddPaths(list []string, usual string) bool {
	return len(list) > 0 && (!slices.Contains(list, usual) || len(list) < 4)
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
