package recreate

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unseen are places that a comparison does not look at though no exception names them, each for a
// reason that canonical gives.
var unseen = map[string]string{
	"Config.Hostname": "another one's: of the container whose " +
		"network it is, or of the host",
	"Config.Domainname": "the same",
	"NetworkSettings.Networks.*.NetworkID": "compared where both have one, and not all of " +
		"these do",
	"NetworkSettings.Networks.*.Aliases": "its last is the short id",
	"AppArmorProfile":                    "the same as of NetworkID",
	"HostConfig.Mounts": "what is mounted and not declared there " +
		"counts as if it were",
	"HostConfig.Mounts.#.Source":                  "the volume that is mounted counts",
	"HostConfig.Mounts.#.BindOptions.Propagation": "the one that is mounted counts",
	"HostConfig.Mounts.#.VolumeOptions.NoCopy":    "only a create looks at it",
}

// Every leaf of real engines' answers is changed, one at a time: a comparison must see it, unless
// the table of exceptions, with its reason, says otherwise. A field that nobody has heard of is
// among them.
func TestEveryChangeIsSeen(t *testing.T) {
	seen, let := 0, map[string]bool{}
	for _, file := range []string{"docker20.json", "docker26.json", "docker29.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]Original
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for name, o := range all {
			if os.Getenv("DROPCAP_TEST_FULL") == "" && (file == "docker26.json" ||
				!slices.Contains([]string{"networks", "volumes", "security"}, name)) {
				continue
			}
			doc, err := decoded(o.Inspect)
			if err != nil {
				t.Fatal(err)
			}
			doc["NeverHeardOf"] = map[string]any{"Deep": []any{"x"}}
			child(doc, "HostConfig")["NeverHeardOf"] = true
			before := join(doc)
			if d := Compare(before, before); len(d) > 0 {
				t.Fatalf("a container differs from itself: %v", d)
			}
			mutate(doc, nil, func(place []string) {
				if len(Compare(before, join(doc))) > 0 {
					seen++
					return
				}
				if e, ok := covered(place); !ok ||
					e.how != nil && len(strings.Split(e.path, ".")) > len(place) {
					let[general(place)] = true
				}
			})
		}
	}
	if seen < 1000 {
		t.Errorf("only %d changes were seen", seen)
	}
	for _, place := range slices.Sorted(maps.Keys(let)) {
		if _, ok := unseen[place]; !ok {
			t.Errorf("a change of %s is not seen", place)
		}
	}
	t.Logf("%d changes seen; not seen: %v", seen, slices.Sorted(maps.Keys(let)))
}

// covered finds the exception for a place or for anything above it.
func covered(place []string) (exception, bool) {
	for n := len(place); n > 0; n-- {
		if e, ok := find(place[:n]); ok && (e.how == nil || n == len(place)) {
			return e, true
		}
	}
	return exception{}, false
}

func general(place []string) string {
	out := slices.Clone(place)
	if len(out) > 2 && out[0] == "NetworkSettings" && out[1] == "Networks" {
		out[2] = "*"
	}
	return strings.Join(out, ".")
}

// mutate changes each value below v in turn, calls do, and puts it back.
func mutate(v any, place []string, do func([]string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			was, here := v[k], append(slices.Clone(place), k)
			v[k] = changed(was)
			do(here)
			v[k] = was
			mutate(was, here, do)
		}
		v["Added"] = "x"
		do(append(slices.Clone(place), "Added"))
		delete(v, "Added")
	case []any:
		for i := range v {
			was, here := v[i], append(slices.Clone(place), "#")
			v[i] = changed(was)
			do(here)
			v[i] = was
			mutate(was, here, do)
		}
	}
}

// changed is another value of the same type, or as like it as can be.
func changed(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case bool:
		return !v
	case json.Number:
		return json.Number(v.String() + "7")
	case []any:
		if len(v) > 0 {
			return v[:len(v)-1]
		}
		return []any{"x"}
	case map[string]any:
		return map[string]any{"other": fmt.Sprint(len(v))}
	}
	return "x"
}
