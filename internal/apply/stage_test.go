package apply

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// old is the id of the container that is to be changed.
const old = "01d0000000000000000000000000000000000000000000000000000000000000"

// answers are a real engine's about a container on three networks.
var answers = sync.OnceValues(func() (recreate.Original, error) {
	text, err := os.ReadFile("../recreate/testdata/docker20.json")
	if err != nil {
		return recreate.Original{}, err
	}
	var all map[string]recreate.Original
	err = json.Unmarshal(text, &all)
	return all["networks"], err
})

// reread returns the recipe of what was changed in an original.
func reread(t *testing.T, o recreate.Original) *recreate.Recipe {
	t.Helper()
	recipe, err := recreate.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	return recipe
}

// stage is an engine with one container, and the job to change it.
func stage(t *testing.T, policy string, ran bool) (*scripted, Job) {
	t.Helper()
	o, err := answers()
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{
		t: t, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), boxes: map[string]*box{},
		keep: map[string]map[string]json.RawMessage{},
		wish: restartPolicy{Name: policy},
	}
	if err := json.Unmarshal(o.Inspect, &s.made); err != nil {
		t.Fatal(err)
	}
	s.made["HostConfig"].(map[string]any)["ContainerIDFile"] = "/run/web.id"
	s.idFile = old
	b := &box{id: old, name: "web", raw: s.made, policy: s.wish, running: ran, began: ran}
	b.layer.files = map[string]string{"data": precious}
	if ran {
		b.started = s.now.Add(-time.Hour)
	}
	s.boxes[old] = b
	o.Inspect = s.inspect(b)
	recipe, err := recreate.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	was := recipe.Grant()
	is := was
	is.CapDrop = append(slices.Clone(was.CapDrop), "NET_RAW")
	return s, Job{
		Plan: "plan", Host: "host", Original: o, Recipe: recipe, Gate: Gate{Soak: time.Second},
		Carry: true,
		Step: dropcap.Step{
			Container: dropcap.Target{ID: old, Name: "web"}, Workload: "docker:web",
			Strategy: dropcap.StrategyRecreate, Before: was, After: is,
		},
	}
}
