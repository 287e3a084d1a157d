package recreate_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/recreate"
	"dropcap/internal/testenv"
)

// stage is an engine with the images and networks that the hard ones need.
type stage struct {
	*dockertest.Engine
	t   *testing.T
	api string
}

func (s stage) get(path string) json.RawMessage {
	s.t.Helper()
	status, answer, err := s.Raw(context.Background(), "GET", path, "")
	if err != nil || status != 200 {
		s.t.Fatalf("GET %s: %d %s %v", path, status, answer, err)
	}
	return answer
}

func (s stage) post(path string, body []byte) json.RawMessage {
	s.t.Helper()
	status, answer, err := s.Raw(context.Background(), "POST", path, string(body))
	if err != nil || status >= 400 {
		s.t.Fatalf("POST %s: %d %s %v\n%s", path, status, answer, err, body)
	}
	return answer
}

func (s stage) remove(name string) {
	s.t.Helper()
	if status, answer, err := s.Raw(context.Background(), "DELETE", "/containers/"+name+"?force=1",
		""); err != nil || status >= 400 {
		s.t.Fatalf("remove %s: %d %s %v", name, status, answer, err)
	}
}

func (s stage) docker(args ...string) string {
	s.t.Helper()
	out, err := s.CLI(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// original asks for all that there is to know, as the program does.
func (s stage) original(name string) recreate.Original {
	s.t.Helper()
	at := "/v" + s.api
	o := recreate.Original{API: s.api, Engine: "docker", Version: s.Version,
		Inspect: s.get(at + "/containers/" + name + "/json")}
	var in struct {
		Image           string
		HostConfig      struct{ VolumesFrom []string }
		NetworkSettings struct{ Networks map[string]any }
	}
	if err := json.Unmarshal(o.Inspect, &in); err != nil {
		s.t.Fatal(err)
	}
	if s.Kind == dockertest.Docker29 {
		o.Older = s.get("/v1.51/containers/" + name + "/json")
	}
	o.Image = s.get(at + "/images/" + in.Image + "/json")
	o.Networks, o.Sources = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for n := range in.NetworkSettings.Networks {
		o.Networks[n] = s.get(at + "/networks/" + n)
	}
	for _, from := range in.HostConfig.VolumesFrom {
		from, _, _ = strings.Cut(from, ":")
		if status, answer, err := s.Raw(context.Background(), "GET", at+"/containers/"+from+"/json",
			""); err == nil && status == 200 {
			o.Sources[from] = answer
		}
	}
	o.Changes = s.get(at + "/containers/" + name + "/changes")
	return o
}

// create does what a Creation says.
func (s stage) create(c recreate.Creation) (id string) {
	s.t.Helper()
	api := c.API
	if api == "" {
		api = s.api
	}
	query := url.Values{}
	for k, v := range c.Query {
		query.Set(k, v)
	}
	var made struct{ Id string }
	if err := json.Unmarshal(s.post("/v"+api+"/containers/create?"+query.Encode(), c.Body),
		&made); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.Raw(context.Background(), "DELETE", "/containers/"+made.Id+"?force=1", "")
	})
	for _, n := range c.Connect {
		s.post("/v"+s.api+"/networks/"+url.PathEscape(n.Network)+"/connect", n.Body(made.Id))
	}
	return made.Id
}

// under is an older version, where the engine knows it.
func (s stage) under(api string) string {
	if api == "" || s.Kind != dockertest.Docker29 {
		return s.api
	}
	return api
}

// make makes a hard one and gives its name.
func (s stage) make(h hard) string {
	s.t.Helper()
	for _, args := range h.before {
		s.docker(args...)
	}
	s.t.Cleanup(func() {
		s.Raw(context.Background(), "DELETE", "/containers/"+h.name+"?force=1", "")
	})
	if h.body != "" {
		s.post("/v"+s.under(h.api)+"/containers/create?name="+h.name, []byte(h.body))
	} else {
		image := h.image
		if image == "" {
			image = "app:1"
		}
		if image == "IMAGEID" {
			image = s.docker("image", "inspect", "-f", "{{.Id}}", "app:1")
		}
		args := append([]string{"create", "--name", h.name}, h.args...)
		for i, a := range args {
			if network, ok := strings.CutPrefix(a, "ID:"); ok {
				args[i] = s.docker("network", "inspect", "-f", "{{.Id}}", network)
			}
		}
		s.docker(append(append(args, image), h.command...)...)
	}
	if !h.still {
		s.post("/containers/"+h.name+"/start", nil)
	}
	for _, args := range h.after {
		s.docker(strings.Split(strings.ReplaceAll(strings.Join(args, "\x00"), "NAME", h.name),
			"\x00")...)
	}
	return h.name
}

func newStage(t *testing.T, kind dockertest.Kind) stage {
	s := stage{Engine: dockertest.Start(t, kind), t: t}
	s.api = s.APIVersion
	for name, lines := range images {
		if _, err := s.Import(name, lines...); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range setup {
		s.docker(args...)
	}
	return s
}

// full makes every hard one on every engine; otherwise some of them on the oldest and the newest.
var full = os.Getenv("DROPCAP_TEST_FULL") != ""

// hardsFor returns those to be made on an engine.
func hardsFor(kind dockertest.Kind) []hard {
	return slices.DeleteFunc(slices.Clone(hards), func(h hard) bool {
		return len(h.on) > 0 && !slices.Contains(h.on, kind) || !full && !h.fast
	})
}

func TestTheSameContainerComesOut(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker26,
		dockertest.Docker29} {
		if !full && kind == dockertest.Docker26 {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			s := newStage(t, kind)
			kept := map[string]recreate.Original{}
			for _, h := range hardsFor(kind) {
				t.Run(h.name, func(t *testing.T) {
					s := s
					s.t = t
					o := again(t, s, h)
					if h.golden {
						kept[h.name] = o
					}
				})
			}
			if *update {
				keep(t, kind, kept)
			}
		})
	}
}

// again makes a hard one, makes it again, and compares the two before and after the second was
// started.
func again(t *testing.T, s stage, h hard) recreate.Original {
	o := s.original(s.make(h))
	r, err := recreate.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range r.Refusals(recreate.Options{}) {
		t.Errorf("refused: %+v", refusal)
	}
	g := r.Grant()
	g.CapDrop = append([]string{"NET_RAW"}, g.CapDrop...)
	c, err := r.Create(h.name+"-new", g)
	if err != nil {
		t.Fatal(err)
	}
	id := s.create(c)
	same(t, "before the start", r.Check(s.get("/v"+s.api+"/containers/"+id+"/json"), g))
	if h.still {
		return o
	}
	if fresh, err := recreate.Read(s.original(h.name)); err != nil ||
		string(fresh.Declared()) != string(r.Declared()) {
		t.Error("the fingerprint is another one only since a second container was made")
	}
	s.post("/containers/"+h.name+"/stop?t=0", nil)
	if fresh, err := recreate.Read(s.original(h.name)); err != nil ||
		string(fresh.Declared()) != string(r.Declared()) {
		t.Errorf("the fingerprint of the stopped container is another one:\n%s\n%s",
			fresh.Declared(), r.Declared())
	}
	s.post("/containers/"+id+"/start", nil)
	now := s.get("/v" + s.api + "/containers/" + id + "/json")
	same(t, "after the start", r.Check(now, g))
	dropped := recreate.Compare(o.Inspect, now)
	if len(dropped) != 1 || dropped[0].Path != "HostConfig.CapDrop" {
		t.Errorf("Compare with other capabilities: %v", dropped)
	}
	exact, err := r.Exact(h.name + "-exact")
	if err != nil {
		t.Fatal(err)
	}
	s.remove(id)
	same(t, "exactly", recreate.Compare(o.Inspect, s.get("/v"+s.api+"/containers/"+s.create(exact)+
		"/json")))
	s.remove(h.name + "-exact")
	s.typed(r, g)
	return o
}

// typed runs the command as a person would, in place of the original, and compares.
func (s stage) typed(r *recreate.Recipe, g dropcap.Grant) {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	by := r.Command(g, "it.env")
	line, contents := by.Line, by.File
	if by.Fetch != "" {
		line = by.Fetch + " && " + line
	}
	if err := os.WriteFile(filepath.Join(dir, "it.env"), contents, 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.environment(r.Name())
	s.remove(r.Name())
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), s.Env()...)
	if own := filepath.Join(testenv.Cache(), string(s.Kind),
		"usr/bin"); s.Kind != dockertest.Docker29 {
		// a newer docker refuses an address for an older engine
		cmd.Env = append(cmd.Env, "PATH="+own+":"+os.Getenv("PATH"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s\n%v: %s\n%s", line, err, out, contents)
		return
	}
	for _, d := range r.Check(s.get("/v"+s.api+"/containers/"+r.Name()+"/json"), g) {
		// What docker run attaches to, and how large its terminal is, is the caller's; an anonymous
		// volume is one with a name now; and docker sends the environment in any order.
		if strings.HasPrefix(d.Path, "Config.Env[") && slices.Equal(s.environment(r.Name()),
			before) {
			continue
		}
		caller := strings.HasPrefix(d.Path, "Config.Attach") ||
			strings.HasPrefix(d.Path, "HostConfig.ConsoleSize") ||
			strings.HasPrefix(d.Path, "Config.Volumes")
		if !caller && len(r.Unsaid()) == 0 {
			t.Errorf("typed, this differs: %v\n%s", d, line)
		}
	}
}

// environment is a container's, in order.
func (s stage) environment(name string) []string {
	var in struct{ Config struct{ Env []string } }
	if err := json.Unmarshal(s.get("/v"+s.api+"/containers/"+name+"/json"), &in); err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(in.Config.Env)
	return in.Config.Env
}

func same(t *testing.T, when string, d []recreate.Difference) {
	t.Helper()
	if len(d) > 0 {
		t.Errorf("%s, these differ: %v", when, d)
	}
}
