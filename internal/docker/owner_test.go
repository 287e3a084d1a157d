package docker_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
)

type labels = map[string]string

// TestLabelsAreToldWithTheImages: package owner judges who claims what; the engine's client returns
// both sides.
func TestLabelsAreToldWithTheImages(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	image := e.AddImage(fake.Image{Name: "app:1", Labels: labels{"role": "vpn"}})
	e.Add(fake.Container{Name: "c", ImageID: image, Labels: labels{"role": "vpn", "tier": "front"}})
	e.Add(fake.Container{Name: "orphan", ImageID: strings.Repeat("f", 64),
		Labels: labels{"role": "vpn"}})
	e.Add(fake.Container{Name: "bare", ImageID: image})
	c := mustOpen(t, e)
	for name, want := range map[string]dropcap.Labels{
		"c": {Own: labels{"role": "vpn", "tier": "front"}, Image: labels{"role": "vpn"},
			ImageKnown: true},
		// its image is gone, so nobody knows whose label it is
		"orphan": {Own: labels{"role": "vpn"}},
		"bare":   {ImageKnown: true},
	} {
		if got := inspect(t, c, name).EngineLabels; !maps.Equal(got.Own, want.Own) ||
			!maps.Equal(got.Image, want.Image) || got.ImageKnown != want.ImageKnown {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestImageAskedOnce: an image is asked for once, and not at all for containers without labels.
func TestImageAskedOnce(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	image := e.AddImage(fake.Image{Name: "app:1"})
	for range 5 {
		e.Add(fake.Container{ImageID: image, Labels: labels{"com.docker.compose.project": "shop",
			"com.docker.compose.service": "web"}})
		e.Add(fake.Container{ImageID: image})
	}
	c := mustOpen(t, e)
	list, err := c.List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		inspect(t, c, r.ID)
	}
	n := 0
	for _, r := range e.Requests() {
		if slices.Contains([]string{"GET /v1.56/images/" + image + "/json"}, r) {
			n++
		}
		if r == "GET /v1.56/info" || r == "GET /version" {
			t.Errorf("%s was asked, which makes an engine run programs", r)
		}
	}
	if n != 1 || len(e.Requests()) != 1+1+10+1 {
		t.Errorf("the image was asked for %d times, %d requests in all: %v", n, len(e.Requests()),
			e.Requests())
	}
}

func TestRuntime(t *testing.T) {
	e := fake.Start(t, fake.Options{Runtimes: map[string]fake.Runtime{
		"safe": {Path: "/usr/local/bin/runsc"}, "vm": {Type: "io.containerd.kata.v2"},
		"runc-gv": {Type: "io.containerd.runsc.v1"}, "mine": {Path: "/opt/mine"},
		"kata-qemu": {Path: "/opt/x"}, "fast": {Path: "/usr/bin/crun"},
	}})
	c := mustOpen(t, e)
	for name, want := range map[string]string{
		"runc": "runc", "io.containerd.runc.v2": "runc", "safe": "runsc", "vm": "kata",
		"runc-gv": "runsc", "mine": "mine", "kata-qemu": "kata",
		"fast": "crun", "io.containerd.kata.v2": "kata", "unknown": "unknown",
	} {
		id := e.Add(fake.Container{HostConfig: fake.HostConfig{Runtime: name}})
		if got := inspect(t, c, id).Runtime; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRootlessAndLSM(t *testing.T) {
	e := fake.Start(t, fake.Options{SecurityOptions: []string{"name=apparmor",
		"name=seccomp,profile=builtin", "name=selinux,x=y", "name=rootless"}, CgroupVersion: "1"})
	h, err := mustOpen(t, e).Host(t.Context())
	if err != nil || !h.Engine.Rootless || h.Cgroup != "v1" ||
		!slices.Equal(h.LSM, []string{"apparmor", "selinux"}) {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestPodmanWithoutLibpod: a proxy lets only Docker's API pass.
func TestPodmanWithoutLibpod(t *testing.T) {
	e := fake.Start(t, fake.Options{Podman: true})
	e.Add(fake.Container{Name: "c"})
	c := mustOpen(t, e)
	e.Misbehave(fake.Fault{Path: "/libpod/", Status: 403})
	h, err := c.Host(t.Context())
	if err != nil || h.Defaults != nil {
		t.Errorf("defaults are %v, %v", h.Defaults, err)
	}
	got, err := c.Inspect(t.Context(), "c")
	if err != nil || got.Predicted != nil || got.WhyNot == "" {
		t.Errorf("predicted %v, %q, %v", got.Predicted, got.WhyNot, err)
	}
}
