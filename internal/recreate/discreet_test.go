package recreate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/recreate"
)

// An error may repeat what stands in any closed place; what learns of it never does.
func TestAnErrorRepeatsNoClosedPlace(t *testing.T) {
	inspect, at := plantedAt(t, everyPosition)
	r := recipe(t, recreate.Original{API: "1.45", MinAPI: "1.24", Engine: "docker",
		Inspect: inspect})
	closed := []string{
		"Config.Env", "Config.Cmd", "Config.Entrypoint", "Config.Healthcheck", "Config.Labels",
		"HostConfig.LogConfig.Config",
		"HostConfig.Annotations", "HostConfig.StorageOpt",
		"HostConfig.Mounts[1].VolumeOptions.Labels",
		"HostConfig.Mounts[1].VolumeOptions.DriverConfig.Options",
		"HostConfig.DeviceRequests[1].Options",
		"HostConfig.SecurityOpt[3]", "HostConfig.SecurityOpt[5]",
		"NetworkSettings.Networks.front.DriverOpts",
	}
	seen := map[string]bool{}
	for canary, place := range at {
		where := slices.IndexFunc(closed, func(p string) bool {
			return strings.HasPrefix(place, p)
		})
		name := strings.Contains(string(inspect), `"n`+canary) || strings.Contains(string(inspect),
			`"m`+canary)
		if where < 0 || name || place == "Config.Cmd[1]" {
			// --canary=canary: words are repeated whole
			continue
		}
		seen[closed[where]] = true
		if got := r.Discreet("the engine does not take " + canary + " there"); strings.Contains(got,
			canary) {
			t.Errorf("what stands at %s is told: %s", place, got)
		}
	}
	if len(seen) != len(closed) {
		t.Errorf("of %v only %v have a canary", closed, seen)
	}
}

// What comes here was cut to a length, and kept to one line, by whoever read the engine's answer.
func TestAnErrorThatWasCutRepeatsNothing(t *testing.T) {
	long, lines := "/opt/"+strings.Repeat("letmein", 100), "first\tword\nsecond\x1bword"
	inspect, err := json.Marshal(map[string]any{
		"Id": positionID, "Name": "/web", "Image": "sha256:" + positionID,
		"State": map[string]any{"Running": true},
		"Config": map[string]any{"Image": "app:1", "Entrypoint": []string{long},
			"Cmd": []string{lines, "words of\u00a0mine"}},
		"HostConfig": map[string]any{"NetworkMode": "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := recipe(t, recreate.Original{API: "1.45", Engine: "docker", Inspect: inspect})
	quoted := fmt.Sprintf("exec: %q: no such file", long)
	for _, c := range []struct{ text, want string }{
		{quoted, "exec: (hidden): no such file"},
		{quoted[:300] + "…", "exec: (hidden)…"},
		{quoted[:300] + "…: rolling back … and on", "exec: (hidden)…: rolling back … and on"},
		{"exec: " + long[:40] + "…", "exec: (hidden)…"},
		{"exec: \"/o…", `exec: "/o…`}, // no more than any path has
		{"bad: first word secondword.", "bad: (hidden)."},
		{"bad: first?word?second?word.", "bad: (hidden)."},
		{"bad: words of mine.", "bad: (hidden)."},
		{"bad: first\tword.", "bad: (hidden)."}, // a line of it
		{"is web … there", "is web … there"},
	} {
		if got := r.Discreet(c.text); got != c.want {
			t.Errorf("%.60q is told as %q, want %q", c.text, got, c.want)
		}
	}
}
