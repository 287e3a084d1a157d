package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
)

// subject is an engine that the suite runs against: the fake and every real one, so that the fake
// stays honest.
type subject struct {
	raw      func(ctx context.Context, method, path, body string) (int, []byte, error)
	load     func(name string, changes ...string) (id string, err error)
	host     string
	name     string // "docker" or "podman"
	version  string // how it begins
	api      string
	isFake   bool
	runtimes []string // the words that may be said of a container that asks for none
}

func TestConformance(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		e := fake.Start(t, fake.Options{})
		suite(t, subject{raw: e.Raw, load: e.Import, host: e.Host, name: "docker",
			version: "29.0.0", api: "1.56", isFake: true, runtimes: []string{"runc"}})
	})
	t.Run("fake-podman", func(t *testing.T) {
		e := fake.Start(t, fake.Options{Podman: true})
		suite(t, subject{raw: e.Raw, load: e.Import, host: e.Host, name: "podman", version: "4.3.1",
			api: "1.41", isFake: true, runtimes: []string{"crun"}})
	})
	for _, kind := range dockertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			s := subject{raw: e.Raw, load: e.Import, host: e.Host, name: "docker",
				version: e.Version, api: e.APIVersion, runtimes: []string{"runc"}}
			if kind == dockertest.Podman4 {
				s.name, s.runtimes = "podman", []string{"crun", "runc"}
			}
			suite(t, s)
		})
	}
}

func suite(t *testing.T, s subject) {
	if _, err := s.load("conform:1"); err != nil {
		t.Fatal(err)
	}
	c, err := docker.Open(t.Context(), docker.Options{Host: s.host, Getenv: noEnv,
		ConfigDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct {
		name string
		run  func(*testing.T, subject, *docker.Client)
	}{
		{"host", conformHost}, {"list", conformList}, {"filters", conformFilters},
		{"declared", conformDeclared}, {"inspect", conformInspect},
		{"names", conformNames}, {"gone", conformGone}, {"execs", conformExecs},
		{"owner", conformLabels}, {"do", conformDo},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s, c) })
	}
}

func noEnv(string) string { return "" }

// create posts a raw body and removes the container at the end.
func (s subject) create(t *testing.T, name, rest string) string {
	t.Helper()
	body := `{"Image":"conform:1","Cmd":["sleep","1000"]` + rest + `}`
	var made struct{ Id string }
	s.must(t, http.MethodPost, "/containers/create?"+url.Values{"name": {name}}.Encode(), body,
		&made)
	t.Cleanup(func() { s.remove(t, made.Id) })
	return made.Id
}

func (s subject) remove(t *testing.T, id string) {
	t.Helper()
	status, answer, err := s.raw(context.Background(), http.MethodDelete, "/containers/"+id+
		"?force=1&v=1", "")
	if err != nil || status >= 400 && status != 404 {
		t.Errorf("remove %s: %d %s %v", id, status, answer, err)
	}
}

func (s subject) must(t *testing.T, method, path, body string, out any) {
	t.Helper()
	status, answer, err := s.raw(context.Background(), method, path, body)
	if err != nil || status >= 400 {
		t.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatal(err)
		}
	}
}

func inspect(t *testing.T, c *docker.Client, name string) dropcap.Container {
	t.Helper()
	got, err := c.Inspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func conformHost(t *testing.T, s subject, c *docker.Client) {
	h, err := c.Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.Engine.Name != s.name || h.Engine.Version != s.version || h.Engine.API != s.api ||
		h.Engine.Rootless {
		t.Errorf("engine is %+v, want %s %s, API %s", h.Engine, s.name, s.version, s.api)
	}
	if h.Name == "" || h.Cgroup != "v1" && h.Cgroup != "v2" {
		t.Errorf("name %q, cgroup %q", h.Name, h.Cgroup)
	}
	if release, _ := os.ReadFile("/proc/sys/kernel/osrelease"); !s.isFake &&
		h.Kernel != strings.TrimSpace(string(release)) {
		t.Errorf("kernel is %q, want %q", h.Kernel, release)
	}
	if hasID := strings.HasPrefix(h.ID, "engine:") &&
		len(h.ID) > len("engine:"); hasID != (s.name == "docker") {
		t.Errorf("id is %q: Docker has a lasting one, Podman makes it up", h.ID)
	}
	if h.Defaults == nil || h.Defaults.Empty() {
		t.Error("no defaults")
	}
	if path, ok := c.Local(); !ok || "unix://"+path != s.host {
		t.Errorf("local is %q, %v", path, ok)
	}
}

func conformList(t *testing.T, s subject, c *docker.Client) {
	var want []string
	for i := range 3 {
		want = append(want, s.create(t, fmt.Sprintf("order%d", i), ""))
		// Time is under test: engines sort by that of creation.
		time.Sleep(10 * time.Millisecond)
	}
	s.must(t, http.MethodPost, "/containers/"+want[1]+"/start", "", nil)
	slices.Reverse(want)
	newest := want[0]
	list, err := c.List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.ID)
	}
	if s.name == "podman" { // which sorts by id
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if r := list[slices.Index(got, newest)]; r.Name != "order2" {
		t.Errorf("name is %q, want order2", r.Name)
	}
}

func conformFilters(t *testing.T, s subject, c *docker.Client) {
	s.create(t, "blue", `,"Labels":{"colour":"blue","size":"1"}`)
	s.create(t, "red", `,"Labels":{"colour":"red","size":"1"}`)
	for filters, want := range map[string]string{
		"label=colour=blue":              "blue",
		"label=size":                     "blue red",
		"label=size label=colour=red":    "red",
		"name=blu":                       "blue",
		"status=created label=size=1":    "blue red",
		"status=running":                 "",
		"Label=colour=green":             "",
		"label=size name=blue name=red ": "blue red",
	} {
		list, err := c.List(t.Context(), strings.Fields(filters))
		if err != nil {
			t.Errorf("%s: %v", filters, err)
			continue
		}
		names := []string{}
		for _, r := range list {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", filters, got, want)
		}
	}
	if s.name == "docker" {
		_, err := c.List(t.Context(), []string{"flavour=sweet"})
		if dropcap.ExitOf(err) != dropcap.ExitUsage || !strings.Contains(err.Error(), "flavour") {
			t.Errorf("an unknown filter: %v", err)
		}
	}
}

// conformPodmanCaps: Podman's own word on what it grants, also before the first start. It keeps no
// declaration, but makes one up of how that differs from Docker's defaults.
func conformPodmanCaps(t *testing.T, s subject, c *docker.Client) {
	h, err := c.Host(t.Context())
	if err != nil || h.Defaults == nil {
		t.Fatalf("%+v, %v", h, err)
	}
	for i, test := range []struct {
		host string
		want caps.Set
	}{
		{`{}`, *h.Defaults},
		{`{"CapAdd":["net_admin"],"CapDrop":["ALL"]}`, caps.Of(caps.NetAdmin)},
		{`{"CapDrop":["ALL"]}`, 0},
		{`{"CapAdd":["NET_RAW"]}`, *h.Defaults | caps.Of(caps.NetRaw)},
		{`{"CapDrop":["CHOWN"]}`, h.Defaults.Minus(caps.Of(caps.Chown))},
	} {
		got := inspect(t, c, s.create(t, fmt.Sprintf("granted%d", i), `,"HostConfig":`+test.host))
		if got.Predicted == nil || *got.Predicted != test.want {
			t.Errorf("%s: predicted %v, want %v (%s)", test.host, got.Predicted, test.want,
				got.WhyNot)
		}
		add, err := caps.ParseAll(got.Declared.Add)
		drop, err2 := caps.ParseAll(got.Declared.Drop)
		if err != nil || err2 != nil || add != test.want.Minus(caps.DockerDefaults) ||
			drop != caps.DockerDefaults.Minus(test.want) {
			t.Errorf("%s: declared %+v", test.host, got.Declared)
		}
	}
}

// conformDeclared: what the client sent comes back as it was sent.
func conformDeclared(t *testing.T, s subject, c *docker.Client) {
	if s.name == "podman" {
		conformPodmanCaps(t, s, c)
		return
	}
	for i, host := range []string{
		`{}`,
		`{"CapAdd":null,"CapDrop":null}`,
		`{"CapAdd":[],"CapDrop":[]}`,
		`{"CapAdd":["net_admin"],"CapDrop":["ALL"]}`,
		`{"CapAdd":["CAP_NET_ADMIN","NET_ADMIN","Cap_Net_Admin"]}`,
		`{"CapAdd":["all"],"CapDrop":["net_raw","CAP_MKNOD"]}`,
		`{"CapDrop":["Net_Raw"]}`,
		`{"Privileged":true,"CapDrop":["ALL"]}`,
	} {
		var want struct {
			Privileged      bool
			CapAdd, CapDrop []string
		}
		if err := json.Unmarshal([]byte(host), &want); err != nil {
			t.Fatal(err)
		}
		got := inspect(t, c, s.create(t, fmt.Sprintf("declared%d", i), `,"HostConfig":`+host)).
			Declared
		if got.Privileged != want.Privileged || !slices.Equal(got.Add, want.CapAdd) ||
			!slices.Equal(got.Drop, want.CapDrop) ||
			(got.Add == nil) != (want.CapAdd == nil) || (got.Drop == nil) != (want.CapDrop == nil) {
			// the control's line shows null and [] as docker does
			t.Errorf("%s: got %#v", host, got)
		}
	}
}

func conformInspect(t *testing.T, s subject, c *docker.Client) {
	id := s.create(t, "whole",
		`,"User":"1000","Labels":{"b":"2","a":"secret"},"HostConfig":{"NetworkMode":"none"}`)
	got := inspect(t, c, id)
	if got.ID != id || got.Name != "whole" || got.User != "1000" || got.State != "created" ||
		got.PID != 0 || got.Network != "none" {
		t.Errorf("got %+v", got)
	}
	if !strings.HasSuffix(got.Image, "conform:1") || len(got.ImageID) < 64 {
		// Podman writes localhost/ before it
		t.Errorf("image is %q, %q", got.Image, got.ImageID)
	}
	if own := got.EngineLabels.Own; own["a"] != "secret" || own["b"] != "2" ||
		!got.EngineLabels.ImageKnown ||
		got.EngineLabels.Image["a"] != "" {
		t.Errorf("labels are %v", got.EngineLabels)
	}
	if _, err := time.Parse(time.RFC3339Nano, got.Created); err != nil {
		t.Error(err)
	}
	if !slices.Contains(s.runtimes, got.Runtime) {
		t.Errorf("runtime %q", got.Runtime)
	}
	if s.name == "docker" && (got.Predicted != nil || got.WhyNot != "") ||
		s.name == "podman" && got.Predicted == nil {
		t.Errorf("predicted is %v, %q", got.Predicted, got.WhyNot)
	}
	s.must(t, http.MethodPost, "/containers/"+id+"/start", "", nil)
	if got := inspect(t, c, id); got.State != "running" || got.PID <= 1 || got.Execs == nil ||
		len(got.Execs) > 0 {
		t.Errorf("after start: state %q, pid %d, execs %v", got.State, got.PID, got.Execs)
	}
}

func conformNames(t *testing.T, s subject, c *docker.Client) {
	id := s.create(t, "called", "")
	for _, name := range []string{"called", "/called", id, id[:12]} {
		if got := inspect(t, c, name); got.ID != id {
			t.Errorf("%s is %s, want %s", name, got.ID, id)
		}
	}
	for _, name := range []string{"", "nobody", "..", "../info", "a/b", "a?b", "a b", "-x",
		"called/json#", "\x1b[2J"} {
		if _, err := c.Inspect(t.Context(), name); !errors.Is(err, dropcap.ErrNotFound) ||
			strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func conformGone(t *testing.T, s subject, c *docker.Client) {
	id := s.create(t, "shortlived", "")
	list, err := c.List(t.Context(), nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	s.remove(t, id)
	if _, err := c.Inspect(t.Context(), list[0].ID); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
