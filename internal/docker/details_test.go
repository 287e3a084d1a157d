package docker_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
)

func TestDetails(t *testing.T) {
	for _, kind := range dockertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			if _, err := e.Import("box:1", `VOLUME /var/data`); err != nil {
				t.Fatal(err)
			}
			c := client(t, e.Host)
			id := e.Create(t, "one",
				`{"Image":"box:1","Entrypoint":["sleep"],"Cmd":["1000"],"User":"1000:1000","Healthcheck":{"Test":["CMD","true"],"Interval":3600000000000},"HostConfig":{"NetworkMode":"none",
				"Tmpfs":{"/scratch":""},"Binds":["/usr/share:/mnt/share:ro"],"SecurityOpt":["no-new-privileges","seccomp=unconfined"]}}`)
			got := details(t, c, id)
			if !got.StartedAt.IsZero() || !got.FinishedAt.IsZero() || got.RestartCount != 0 {
				t.Errorf("times of one that never ran: %+v", got)
			}
			if !slices.Equal(got.Entrypoint, []string{"sleep"}) ||
				!slices.Equal(got.Cmd, []string{"1000"}) || got.User != "1000:1000" ||
				got.Network != "none" ||
				got.Seccomp != "unconfined" || !got.NoNewPrivs || !got.Healthcheck ||
				got.Path != "sleep" || !slices.Equal(got.Args, []string{"1000"}) {
				t.Errorf("got %+v", got)
			}
			if want := []string{"/mnt/share", "/scratch", "/var/data"}; !slices.Equal(got.Volumes,
				want) {
				t.Errorf("volumes %q, want %q", got.Volumes, want)
			}
			before := time.Now().Add(-time.Second)
			e.StartContainer(t, id)
			if got := details(t, c, id); got.StartedAt.Before(before) ||
				got.StartedAt.After(time.Now()) {
				t.Errorf("started at %v", got.StartedAt)
			}
			if got := details(t, c,
				e.Create(t, "plain",
					`{"Image":"box:1","Cmd":["true"]}`)); got.Seccomp != "default" ||
				got.NoNewPrivs {
				t.Errorf("without options: %+v", got)
			}
			if _, err := c.Details(t.Context(), strings.Repeat("0", 64)); !errors.Is(err,
				dropcap.ErrNotFound) {
				t.Errorf("a missing one: %v", err)
			}
		})
	}
}

func details(t *testing.T, c *docker.Client, id string) docker.Details {
	t.Helper()
	d, err := c.Details(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDetailsOfOptions(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c := client(t, e.Host)
	for _, test := range []struct {
		host map[string]any
		want docker.Details
	}{
		{map[string]any{}, docker.Details{Seccomp: "default"}},
		{map[string]any{"SecurityOpt": []string{"seccomp=builtin", "apparmor=unconfined",
			"label:disable"}}, docker.Details{Seccomp: "default"}},
		{map[string]any{"SecurityOpt": []string{`seccomp={"defaultAction":"SCMP_ACT_ERRNO","x":"a=b"}`}}, docker.Details{Seccomp: "custom"}},
		{map[string]any{"SecurityOpt": []string{"seccomp:unconfined", "no-new-privileges:true"}},
			docker.Details{Seccomp: "unconfined", NoNewPrivs: true}},
		{map[string]any{"SecurityOpt": []string{"no-new-privileges=false"}},
			docker.Details{Seccomp: "default"}},
		{map[string]any{"Privileged": true}, docker.Details{Seccomp: "unconfined"}},
		{map[string]any{"Tmpfs": map[string]string{"/a/../b/": ""}},
			docker.Details{Seccomp: "default", Volumes: []string{"/b"}}},
	} {
		id := e.Add(fake.Container{Details: map[string]any{"HostConfig": test.host,
			"Config": map[string]any{}, "Path": "", "Args": nil,
			"RestartCount": 3, "State": map[string]any{"StartedAt": "0001-01-01T00:00:00Z"},
			"Image": ""}})
		test.want.ID, test.want.RestartCount, test.want.StopSignal = id, 3, "15"
		if got := details(t, c, id); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: got %+v, want %+v", test.host, got, test.want)
		}
	}
	id := e.Add(fake.Container{Details: map[string]any{"Id": strings.Repeat("b", 64)}})
	if _, err := c.Details(t.Context(), id); err == nil {
		t.Error("another container's details are taken")
	}
}
