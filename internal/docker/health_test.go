package docker_test

import (
	"slices"
	"testing"
	"time"

	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
)

// The engine runs a healthcheck as an exec; only the command distinguishes it from an
// administrator's.
func TestAHealthchecksExecsAreKnown(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("box:1"); err != nil {
		t.Fatal(err)
	}
	c := client(t, e.Host)
	events, err := c.Events(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]string{"exec": `["CMD","true","a b"]`,
		"shell": `["CMD-SHELL","true; true"]`} {
		id := e.Create(t, "health-"+name,
			`{"Image":"box:1","Cmd":["sleep","1000"],"Healthcheck":{"Test":`+test+
				`,"Interval":500000000}}`)
		want := details(t, c, id).Health
		e.StartContainer(t, id)
		got := collect(t, events, func(v docker.Event) bool {
			return v.ID == id && v.Action == "exec_start"
		})
		own := func(v docker.Event) bool {
			return v.ID == id && v.Action == "exec_create" && v.Ran == want
		}
		if want == "" || got[len(got)-1].Ran != want || !slices.ContainsFunc(got, own) {
			t.Errorf("%s: %+v, want events of an exec that runs %q", name, got, want)
		}
		e.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"true", "c d"}})
		got = collect(t, events, func(v docker.Event) bool {
			return v.ID == id && v.Action == "exec_start" && v.Ran != want
		})
		if got[len(got)-1].Ran == "" {
			t.Errorf("%s: nothing tells what docker exec runs: %+v", name, got)
		}
		e.RemoveAll(t, []string{id})
	}
}
