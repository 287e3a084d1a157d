package docker_test

import (
	"slices"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest/fake"
)

type labels = map[string]string

func TestOwner(t *testing.T) {
	compose := labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
	hashed := labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "com.docker.compose.config-hash": "abc"}
	swarm := labels{"com.docker.swarm.service.name": "shop_web", "com.docker.swarm.service.id": "x", "com.docker.stack.namespace": "shop"}
	pod := labels{"io.kubernetes.pod.name": "web-7d4f8b6c9d-x2x4z", "io.kubernetes.pod.namespace": "prod", "io.kubernetes.container.name": "nginx"}
	for _, test := range []struct {
		name             string
		container, image labels
		owner            dropcap.Owner
		workload         string
	}{
		{"nothing", nil, nil, dropcap.Owner{Kind: "docker"}, "docker:c"},
		{"other labels", labels{"a": "b"}, labels{"a": "b"}, dropcap.Owner{Kind: "docker"}, "docker:c"},
		{"compose", compose, labels{"a": "b"}, dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}, "compose:shop/web"},
		{"half of compose", labels{"com.docker.compose.project": "shop"}, nil, dropcap.Owner{Kind: "docker"}, "docker:c"},
		{"an image that claims", compose, compose, dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"an image that claims half", compose, labels{"com.docker.compose.project": "shop"}, dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"an image with another value", compose, labels{"com.docker.compose.project": "dev", "com.docker.compose.service": "x"},
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}, "compose:shop/web"},
		{"an image that compose built", hashed, compose, dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}, "compose:shop/web"},
		{"an image that claims all", hashed, hashed, dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"swarm", swarm, nil, dropcap.Owner{Kind: "swarm", Project: "shop", Service: "shop_web"}, "swarm:shop_web"},
		{"swarm over an image's compose", merged(swarm, compose), compose, dropcap.Owner{Kind: "swarm", Project: "shop", Service: "shop_web"}, "swarm:shop_web"},
		{"compose under an image's swarm", merged(swarm, compose), swarm,
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web", Claimed: "swarm:shop_web"}, "compose:shop/web"},
		{"ecs", labels{"com.amazonaws.ecs.task-definition-family": "shop", "com.amazonaws.ecs.container-name": "web"}, nil,
			dropcap.Owner{Kind: "ecs", Project: "shop", Service: "web"}, "ecs:shop/web"},
		{"kubernetes", pod, nil, dropcap.Owner{Kind: "kubernetes", Project: "prod", Service: "web-7d4f8b6c9d-x2x4z"}, "kubernetes:prod/web/nginx"},
		{"nomad", labels{"com.hashicorp.nomad.alloc_id": "0b3e"}, nil, dropcap.Owner{Kind: "nomad", Service: "c"}, "nomad:c"},
		{"nomad with its labels", labels{"com.hashicorp.nomad.alloc_id": "0b3e", "com.hashicorp.nomad.job_name": "j", "com.hashicorp.nomad.task_group_name": "g", "com.hashicorp.nomad.task_name": "t"},
			nil, dropcap.Owner{Kind: "nomad", Project: "j", Service: "t"}, "nomad:j/g/t"},
		{"systemd", labels{"PODMAN_SYSTEMD_UNIT": "web.service"}, nil, dropcap.Owner{Kind: "systemd", Service: "web.service"}, "systemd:web.service"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := fake.Start(t, fake.Options{})
			image := e.AddImage(fake.Image{Name: "app:1", Labels: test.image})
			e.Add(fake.Container{Name: "c", ImageID: image, Labels: test.container})
			got := inspect(t, mustOpen(t, e), "c")
			if got.Owner != test.owner || got.Workload != test.workload {
				t.Errorf("got %+v, %s; want %+v, %s", got.Owner, got.Workload, test.owner, test.workload)
			}
		})
	}
}

func merged(sets ...labels) labels {
	all := labels{}
	for _, s := range sets {
		for k, v := range s {
			all[k] = v
		}
	}
	return all
}

// TestOwnerImageGone: without the image nobody can tell whose labels they are.
func TestOwnerImageGone(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "c", Labels: labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}})
	got := inspect(t, mustOpen(t, e), "c")
	if got.Owner != (dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}) || got.Workload != "docker:c" {
		t.Errorf("got %+v, %s", got.Owner, got.Workload)
	}
}

// TestImageAskedOnce: and not at all for containers that claim nothing.
func TestImageAskedOnce(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	image := e.AddImage(fake.Image{Name: "app:1"})
	for range 5 {
		e.Add(fake.Container{ImageID: image, Labels: labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}})
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
		t.Errorf("the image was asked for %d times, %d requests in all: %v", n, len(e.Requests()), e.Requests())
	}
}

func TestRuntime(t *testing.T) {
	e := fake.Start(t, fake.Options{Runtimes: map[string]fake.Runtime{
		"safe": {Path: "/usr/local/bin/runsc"}, "vm": {Type: "io.containerd.kata.v2"}, "runc-gv": {Type: "io.containerd.runsc.v1"}, "mine": {Path: "/opt/mine"},
		"kata-qemu": {Path: "/opt/x"}, "fast": {Path: "/usr/bin/crun"},
	}})
	c := mustOpen(t, e)
	for name, want := range map[string]string{
		"runc": "runc", "io.containerd.runc.v2": "runc", "safe": "runsc", "vm": "kata", "runc-gv": "runsc", "mine": "mine", "kata-qemu": "kata",
		"fast": "crun", "io.containerd.kata.v2": "kata", "unknown": "unknown",
	} {
		id := e.Add(fake.Container{HostConfig: fake.HostConfig{Runtime: name}})
		if got := inspect(t, c, id).Runtime; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRootlessAndLSM(t *testing.T) {
	e := fake.Start(t, fake.Options{SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=builtin", "name=selinux,x=y", "name=rootless"}, CgroupVersion: "1"})
	h, err := mustOpen(t, e).Host(t.Context())
	if err != nil || !h.Engine.Rootless || h.Cgroup != "v1" || !slices.Equal(h.LSM, []string{"apparmor", "selinux"}) {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestPodmanWithoutLibpod: a proxy that lets only Docker's API pass.
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
