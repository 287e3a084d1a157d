package owner

import (
	"maps"
	"slices"
	"testing"

	"dropcap"
)

type labels = map[string]string

func TestWhoWouldMakeItAgain(t *testing.T) {
	compose := labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
	hashed := labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
		"com.docker.compose.config-hash": "abc"}
	swarm := labels{"com.docker.swarm.service.name": "shop_web", "com.docker.swarm.service.id": "x",
		"com.docker.stack.namespace": "shop"}
	pod := labels{"io.kubernetes.pod.name": "web-7d4f8b6c9d-x2x4z",
		"io.kubernetes.pod.namespace": "prod", "io.kubernetes.container.name": "nginx"}
	for _, test := range []struct {
		name             string
		container, image labels
		owner            dropcap.Owner
		workload         string
	}{
		{"nothing", nil, nil, dropcap.Owner{Kind: "docker"}, "docker:c"},
		{"other labels", labels{"a": "b"}, labels{"a": "b"}, dropcap.Owner{Kind: "docker"},
			"docker:c"},
		{"compose", compose, labels{"a": "b"}, dropcap.Owner{Kind: "compose", Project: "shop",
			Service: "web"}, "compose:shop/web"},
		{"half of compose", labels{"com.docker.compose.project": "shop"}, nil,
			dropcap.Owner{Kind: "docker"}, "docker:c"},
		{"an image that claims", compose, compose,
			dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"an image that claims half", compose, labels{"com.docker.compose.project": "shop"},
			dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"an image with another value", compose, labels{"com.docker.compose.project": "dev",
			"com.docker.compose.service": "x"},
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}, "compose:shop/web"},
		{"an image that compose built", hashed, compose,
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}, "compose:shop/web"},
		{"an image that claims all", hashed, hashed,
			dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}, "docker:c"},
		{"swarm", swarm, nil, dropcap.Owner{Kind: "swarm", Project: "shop", Service: "shop_web"},
			"swarm:shop_web"},
		{"swarm over an image's compose", merged(swarm, compose), compose,
			dropcap.Owner{Kind: "swarm", Project: "shop", Service: "shop_web"}, "swarm:shop_web"},
		{"compose under an image's swarm", merged(swarm, compose), swarm,
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web",
				Claimed: "swarm:shop_web"}, "compose:shop/web"},
		{"ecs", labels{"com.amazonaws.ecs.task-definition-family": "shop",
			"com.amazonaws.ecs.container-name": "web"}, nil,
			dropcap.Owner{Kind: "ecs", Project: "shop", Service: "web"}, "ecs:shop/web"},
		{"kubernetes", pod, nil, dropcap.Owner{Kind: "kubernetes", Project: "prod",
			Service: "web-7d4f8b6c9d-x2x4z"}, "kubernetes:prod/web/nginx"},
		{"nomad", labels{"com.hashicorp.nomad.alloc_id": "0b3e"}, nil,
			dropcap.Owner{Kind: "nomad", Service: "c"}, "nomad:c"},
		{"nomad with its labels", labels{"com.hashicorp.nomad.alloc_id": "0b3e",
			"com.hashicorp.nomad.job_name": "j", "com.hashicorp.nomad.task_group_name": "g",
			"com.hashicorp.nomad.task_name": "t"},
			nil, dropcap.Owner{Kind: "nomad", Project: "j", Service: "t"}, "nomad:j/g/t"},
		{"nomad's job from its image", labels{"com.hashicorp.nomad.alloc_id": "0b3e",
			"com.hashicorp.nomad.job_name": "j"}, labels{"com.hashicorp.nomad.job_name": "j"},
			dropcap.Owner{Kind: "nomad", Service: "c"}, "nomad:c"},
		{"swarm's stack from its image", swarm, labels{"com.docker.stack.namespace": "shop"},
			dropcap.Owner{Kind: "swarm", Service: "shop_web"}, "swarm:shop_web"},
		{"a pod's container from its image", pod, labels{"io.kubernetes.container.name": "nginx"},
			dropcap.Owner{Kind: "kubernetes", Project: "prod", Service: "web-7d4f8b6c9d-x2x4z"},
			"kubernetes:prod/web"},
		{"systemd", labels{"PODMAN_SYSTEMD_UNIT": "web.service"}, nil,
			dropcap.Owner{Kind: "systemd", Service: "web.service"}, "systemd:web.service"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, workload := Recognise(dropcap.Labels{Own: test.container, Image: test.image,
				ImageKnown: true}, "c", "docker")
			if got != test.owner || workload != test.workload {
				t.Errorf("got %+v, %s; want %+v, %s", got, workload, test.owner, test.workload)
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

// TestAnImageThatIsGoneIsBelievedInNothing: without the image nobody can tell whose labels they
// are.
func TestAnImageThatIsGoneIsBelievedInNothing(t *testing.T) {
	own := labels{"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
		"com.docker.compose.config-hash": "abc"}
	got, workload := Recognise(dropcap.Labels{Own: own}, "c", "podman")
	if got != (dropcap.Owner{Kind: "docker", Claimed: "compose:shop/web"}) ||
		workload != "podman:c" {
		t.Errorf("got %+v, %s", got, workload)
	}
	if b := TrustedLabels(dropcap.Labels{Own: own}); b == nil || len(b) > 0 {
		t.Errorf("believed are %v", b)
	}
}

func TestOnlyWhatTheImageDidNotBringIsBelieved(t *testing.T) {
	const c = "com.docker.compose."
	image := labels{
		"role": "vpn", "tier": "front", "mine": "image", c + "project": "shop",
		c + "service": "web", c + "oneoff": "False", c + "container-number": "1",
		c + "project.environment_file": "/other/secret.env",
		c + "project.config_files":     "/other/compose.yaml", c + "project.working_dir": "/other",
		c + "depends_on": "db:service_started:false", c + "replace": "web-1",
	}
	own := merged(image, labels{"mine": "own", "new": "", "tier": "front"})
	for name, test := range map[string]struct {
		given    labels
		believed []string
	}{
		"by hand": {own, []string{"mine", "new"}},
		"by compose": {merged(own, labels{c + "config-hash": "abc"}), []string{
			c + "config-hash", c + "container-number", c + "oneoff", c + "project", c + "service",
			"mine", "new"}},
		"an empty hash": {merged(own, labels{c + "config-hash": ""}),
			[]string{c + "config-hash", "mine", "new"}},
		"its own files": {merged(own, labels{c + "config-hash": "abc",
			c + "project.config_files": "/srv/compose.yaml"}), []string{
			c + "config-hash", c + "container-number", c + "oneoff", c + "project",
			c + "project.config_files", c + "service", "mine", "new"}},
	} {
		l := dropcap.Labels{Own: test.given, Image: image, ImageKnown: true}
		got := TrustedLabels(l)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, test.believed) {
			t.Errorf("%s: believed are %q, want %q", name, names, test.believed)
		}
		for n, v := range got {
			if v != test.given[n] {
				t.Errorf("%s: %s is %q", name, n, v)
			}
		}
		if brought := UntrustedLabels(l); len(brought)+len(got) != len(test.given) ||
			!slices.IsSorted(brought) {
			t.Errorf("%s: brought are %q", name, brought)
		}
	}
	// a committed container's image carries all, so that the hash proves nothing
	image[c+"config-hash"] = "abc"
	l := dropcap.Labels{Own: merged(own, labels{c + "config-hash": "abc"}), Image: image,
		ImageKnown: true}
	if got := slices.Sorted(maps.Keys(TrustedLabels(l))); !slices.Equal(got,
		[]string{"mine", "new"}) {
		t.Errorf("believed are %q", got)
	}
}

// TestNothingUnbelievedIsLeft: whoever gets the container after it is settled cannot read what is
// not believed.
func TestNothingUnbelievedIsLeft(t *testing.T) {
	c := dropcap.Container{Name: "c", EngineLabels: dropcap.Labels{Own: labels{"b": "1", "a": "2"},
		Image: labels{"b": "1"}, ImageKnown: true}}
	ResolveLabels(&c, "docker")
	if !slices.Equal(c.Labels, []string{"a", "b"}) || !slices.Equal(c.ImageLabels, []string{"b"}) ||
		!maps.Equal(c.LabelValues, labels{"a": "2"}) || c.EngineLabels.Own != nil {
		t.Errorf("got %+v", c)
	}
	c = dropcap.Container{Name: "c", EngineLabels: dropcap.Labels{ImageKnown: true}}
	ResolveLabels(&c, "docker")
	if c.Labels == nil || c.ImageLabels == nil || c.LabelValues == nil {
		t.Errorf("none is not unknown: %+v", c)
	}
}
