package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"dropcap"
	"dropcap/internal/printable"
)

// Project is how compose was called for a container, by the container's labels.
type Project struct {
	Name, Service string
	Dir           string   // --project-directory
	Files         []string // -f, in order
	EnvFiles      []string // --env-file; none: compose's own .env in the folder
}

// What compose takes as names (compose-go loader/normalize.go and the schema of services); a label
// may say anything.
var (
	projectName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	})
	serviceName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)
	})
)

const labelPrefix = "com.docker.compose."

// ReadProject reads the labels of a container. The error is a Cannot.
func ReadProject(labels map[string]string) (Project, error) {
	p := Project{
		Name: labels[labelPrefix+"project"], Service: labels[labelPrefix+"service"],
		Dir: labels[labelPrefix+"project.working_dir"],
	}
	files := labels[labelPrefix+"project.config_files"]
	switch {
	case strings.EqualFold(labels[labelPrefix+"oneoff"], "true"):
		return p, cannot("one-off", "it was made by docker compose run, which no file repeats")
	case !projectName().MatchString(p.Name) || !serviceName().MatchString(p.Service):
		return p, cannot("labels", "its labels do not name a project and a service")
	case files == "" || p.Dir == "":
		return p, cannot("no-files", "its labels do not say which files it was made from")
	}
	for f := range strings.SplitSeq(files, ",") {
		switch {
		case f == "-" || path.Base(f) == "-":
			return p, cannot("stdin", "compose read its file from a pipe")
		case strings.Contains(f, "://"):
			return p, cannot("remote", "its file is kept elsewhere")
		case !path.IsAbs(f) || path.Clean(f) != f:
			return p, cannot("labels",
				"its labels do not say the whole path of its files, as compose 1 did")
		}
		p.Files = append(p.Files, f)
	}
	if !path.IsAbs(p.Dir) || path.Clean(p.Dir) != p.Dir {
		return p, cannot("labels", "its labels do not say the whole path of its folder")
	}
	for f := range strings.SplitSeq(labels[labelPrefix+"project.environment_file"], ",") {
		if f == "" {
			continue
		}
		if !path.IsAbs(f) {
			f = path.Join(p.Dir, f)
		}
		p.EnvFiles = append(p.EnvFiles, f)
	}
	return p, nil
}

// IsAway reports whether an error of ReadProject says that the files are not on this host.
func IsAway(err error) bool {
	var c *Cannot
	return errors.As(err, &c) && slices.Contains([]string{"no-files", "stdin", "remote"}, c.Slug)
}

// Imposter returns why a service is not changed while a foreign container claims to be part of it.
func Imposter(name string) error {
	return cannot("labels", "the container %s says by its image's labels alone that it is one of "+
		"the service, and compose would take it for one", printable.Cut(name, mostShown))
}

// Trusts are the files that compose would read for it and that must therefore be trusted. One that
// is not there is no matter if optional.
func (p Project) Trusts() (needed, optional []string) {
	needed = append(slices.Clone(p.Files), p.EnvFiles...)
	if len(p.EnvFiles) == 0 {
		optional = []string{path.Join(p.Dir, ".env")}
	}
	return needed, optional
}

// args returns the arguments before compose's own command.
func (p Project) args() []string {
	out := []string{"--project-name", p.Name, "--project-directory", p.Dir}
	for _, f := range p.Files {
		out = append(out, "--file", f)
	}
	for _, f := range p.EnvFiles {
		out = append(out, "--env-file", f)
	}
	return out
}

// Config returns the arguments to print compose's model of the files, with all profiles.
func (p Project) Config() []string {
	return append(p.args(), "--profile", "*", "config", "--format", "json")
}

// Scale is a service and how many containers it is to have.
type Scale struct {
	Service  string
	Replicas int
}

// Up builds the containers of services anew if their declaration has changed, as many as there are
// now.
func (p Project) Up(list ...Scale) []string {
	out := append(p.args(), "up", "--detach", "--no-deps", "--no-build", "--pull", "never")
	for _, s := range list {
		out = append(out, "--scale", s.Service+"="+strconv.Itoa(s.Replicas))
	}
	for _, s := range list {
		out = append(out, s.Service)
	}
	return out
}

// Rehearse is Up as compose would do it, without doing anything.
func (p Project) Rehearse(list ...Scale) []string {
	return append([]string{"--dry-run"}, p.Up(list...)...)
}

// Line returns the same for a shell.
func Line(args []string) string {
	out := []string{"docker", "compose"}
	for _, a := range args {
		out = append(out, printable.Shell(a))
	}
	return strings.Join(out, " ")
}

// aStep is a line of compose's about something that it does: "Container shop-web-1 Recreate". Other
// lines may repeat what stands in the files.
var aStep = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(Container|Network|Volume|Image|Service) \S+ +[A-Z][a-z]+$`)
})

// step is such a line, for the end of a sentence.
func step(line string) string {
	if !aStep().MatchString(line) {
		return ""
	}
	return ": " + printable.Cut(line, mostShown)
}

// Pending reads what a rehearsal said: nil if compose finds exactly these containers as they should
// be and would do nothing. (Its own `config --hash` of 2.26 leaves env_file out and so differs from
// the label; the rehearsal computes what up would.)
func Pending(output string, containers []string) error {
	var running []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "DRY-RUN MODE -"))
		words := strings.Fields(line)
		switch {
		case line == "" || strings.HasPrefix(line, "time=") && strings.Contains(line,
			"level=warning"):
		case len(words) == 3 && words[0] == "Container" && words[2] == "Running":
			running = append(running, words[1])
		case len(words) == 3 && words[0] == "Container" &&
			(words[2] == "Waiting" || words[2] == "Healthy"):
			// depends_on with a condition: compose waits for it, and does nothing
		default:
			return cannot("pending", "compose would do more than that now%s", step(line))
		}
	}
	want := slices.Clone(containers)
	slices.Sort(want)
	slices.Sort(running)
	if !slices.Equal(want, running) {
		return cannot("pending", "compose does not find the same containers running")
	}
	return nil
}

// Models compares what compose makes of the files before and after: they differ in nothing but the
// capabilities of the services, and those are what is wanted. The error is a Cannot.
func Models(before, after []byte, wanted []Wanted) error {
	was, err := model(before, wanted)
	if err != nil {
		return err
	}
	is, err := model(after, wanted)
	if err != nil {
		return err
	}
	for i, w := range wanted {
		no := func(slug, why string) error { return Blame(cannot(slug, "%s", why), w.Service) }
		switch {
		case was.caps[i].hooks() || is.caps[i].hooks():
			return no("hooks",
				"compose would also run commands for the service (post_start, pre_stop, provider)")
		case !was.caps[i].is(w.Was):
			return no("model", "the file declares other capabilities than the container has")
		case !is.caps[i].is(w.Is):
			return no("model", "compose does not read the changed file as it was meant")
		}
	}
	if !reflect.DeepEqual(was.rest, is.rest) {
		return cannot("model", "the change would also change something else of the project")
	}
	return nil
}

// Dependencies are the services that some of a project need to be there, and what those need, and
// so on, by what compose makes of the files.
func Dependencies(config []byte, of []Wanted) (list []string) {
	var all struct {
		Services map[string]struct {
			DependsOn map[string]json.RawMessage `json:"depends_on"`
		}
	}
	_ = json.Unmarshal(config, &all) // Models has read it
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		for other := range all.Services[name].DependsOn {
			if !seen[other] {
				seen[other] = true
				list = append(list, other)
				visit(other)
			}
		}
	}
	for _, w := range of {
		seen[w.Service] = true
	}
	for _, w := range of {
		visit(w.Service)
	}
	slices.Sort(list)
	return list
}

type declared struct {
	CapAdd     []string `json:"cap_add"`
	CapDrop    []string `json:"cap_drop"`
	Privileged bool     `json:"privileged"`

	// What compose runs besides the container: commands in it, or programs on this host.
	PostStart json.RawMessage `json:"post_start"`
	PreStop   json.RawMessage `json:"pre_stop"`
	Provider  json.RawMessage `json:"provider"`
}

// hooks reports whether compose would run commands for the service.
func (d declared) hooks() bool {
	for _, raw := range []json.RawMessage{d.PostStart, d.PreStop, d.Provider} {
		if len(raw) > 0 && string(raw) != "null" && string(raw) != "[]" {
			return true
		}
	}
	return false
}

func (d declared) is(g dropcap.Grant) bool {
	return SameNames(d.CapAdd, g.CapAdd) && SameNames(d.CapDrop, g.CapDrop) &&
		d.Privileged == g.Privileged
}

type resolvedModel struct {
	caps []declared // of the services that are wanted, in that order
	rest map[string]any
}

func model(text []byte, wanted []Wanted) (m resolvedModel, err error) {
	bad := fmt.Errorf("cannot understand what compose makes of the files")
	var all struct{ Services map[string]json.RawMessage }
	if json.Unmarshal(text, &all) != nil || json.Unmarshal(text, &m.rest) != nil {
		return m, bad
	}
	services, _ := m.rest["services"].(map[string]any)
	for _, w := range wanted {
		var d declared
		s, ok := services[w.Service].(map[string]any)
		if !ok || json.Unmarshal(all.Services[w.Service], &d) != nil {
			return m, bad
		}
		m.caps = append(m.caps, d)
		for _, key := range []string{keyAdd, keyDrop, keyPrivileged} {
			delete(s, key)
		}
	}
	return m, nil
}

// Running returns the containers that a rehearsal found up to date.
func Running(output string) (names []string) {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "DRY-RUN MODE -"))
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Container" &&
			words[2] == "Running" {
			names = append(names, words[1])
		}
	}
	return names
}

// brokeOff is what compose 2 ends a rehearsal with where it would write a config or secret into a
// container that it has only pretended to make (docker/compose pkg/dryrun/dryrunclient.go).
var brokeOff = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^Could not find the file \S+ in container \S+$`)
})

// BrokeOff reports whether a rehearsal ended early, though the project is fine.
func BrokeOff(output string) bool {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		rest, rehearsed := strings.CutPrefix(line, "DRY-RUN MODE -")
		if rehearsed && brokeOff().MatchString(strings.TrimSpace(rest)) {
			return true
		}
	}
	return false
}

// Replaces reads what a rehearsal of the change said: nil if compose would make each of these
// containers again, and do nothing else. Those beside them may be looked at and waited for.
func Replaces(output string, containers, beside []string) error {
	left := slices.Clone(containers)
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "DRY-RUN MODE -"))
		words := strings.Fields(line)
		if line == "" || strings.HasPrefix(line, "time=") && strings.Contains(line,
			"level=warning") {
			continue
		}
		if brokeOff().MatchString(line) {
			continue
		}
		if len(words) == 3 && words[0] == "Container" && slices.Contains(beside, words[1]) &&
			slices.Contains([]string{"Running", "Waiting", "Healthy"}, words[2]) {
			continue
		}
		if len(words) != 3 || words[0] != "Container" ||
			!slices.Contains(containers, interim().ReplaceAllString(words[1], "$2")) {
			return cannot("pending", "compose would do more than that%s", step(line))
		}
		if words[2] == "Recreate" {
			left = slices.DeleteFunc(left, func(n string) bool { return n == words[1] })
		}
	}
	if len(left) > 0 && !BrokeOff(output) {
		return cannot("pending", "compose would not make %s again",
			printable.Cut(strings.Join(left, ", "), mostShown))
	}
	return nil
}
