package recreate

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dropcap"
)

// written is a container of a real engine with data in its layer.
func written(t *testing.T, facts *LayerFacts) *Recipe {
	t.Helper()
	text, err := os.ReadFile("testdata/docker20.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]Original
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	o := all["networks"]
	o.Changes, o.Layer = json.RawMessage(`[{"Path":"/data","Kind":1}]`), facts
	r, err := Read(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestALayerIsCarriedAlongWhereItCanBe(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		name    string
		facts   *LayerFacts
		options Options
		carries bool
		refused string // slugs
		hint    string
	}{
		{"small", &LayerFacts{Bytes: 1, Room: gib}, Options{}, true, "", ""},
		{"as large as may be", &LayerFacts{Bytes: gib, Room: gib}, Options{}, true, "", ""},
		{"larger", &LayerFacts{Bytes: gib + 1, Room: 9 * gib}, Options{}, false, "layer-size",
			"--carry-limit 2GiB"},
		{"much larger", &LayerFacts{Bytes: 95 * gib, Room: 99 * gib}, Options{}, false,
			"layer-size",
			"--carry-limit 105GiB"},
		{"larger, and agreed", &LayerFacts{Bytes: 5 * gib, Room: 9 * gib},
			Options{CarryLimit: NoCarryLimit}, true, "", ""},
		{"a limit of one's own", &LayerFacts{Bytes: 2000, Room: gib}, Options{CarryLimit: 1999},
			false, "layer-size",
			"--carry-limit 1GiB"},
		{"no room", &LayerFacts{Bytes: 5, Room: 4}, Options{}, false, "layer-room", "make room"},
		{"less than no room", &LayerFacts{Bytes: 5, Room: -4}, Options{}, false, "layer-room",
			"make room"},
		{"no room, and none needed", &LayerFacts{Bytes: 5, Room: 4, Shares: true}, Options{}, true,
			"", ""},
		{"given up", &LayerFacts{Bytes: 5, Room: 4}, Options{DiscardLayer: true}, false, "", ""},
		{"in place", &LayerFacts{Bytes: 5, Room: 40}, Options{Strategy: dropcap.StrategyInPlace},
			false, "", ""},
		{"at its source", &LayerFacts{Bytes: 5, Room: 40},
			Options{Strategy: dropcap.StrategySource}, false, "layer",
			"--discard-layer"},
		{"out of reach", nil, Options{}, false, "layer", "--discard-layer"},
	} {
		r := written(t, c.facts)
		var slugs, hints []string
		for _, x := range r.Refusals(c.options) {
			if strings.HasPrefix(x.Slug, "layer") {
				slugs, hints = append(slugs, x.Slug), append(hints, x.Hint)
			}
		}
		if r.Carries(c.options) != c.carries || strings.Join(slugs, " ") != c.refused ||
			!strings.Contains(strings.Join(hints, " "), c.hint) {
			t.Errorf("%s: carried: %v; refused: %v, %v", c.name, r.Carries(c.options), slugs, hints)
		}
	}
}

// What nobody counts on after a restart is no reason to refuse, however much it is.
func TestALargeScratchFolderIsLeftBehind(t *testing.T) {
	r := written(t, &LayerFacts{Bytes: 5 << 30, Room: 1})
	r.o.Changes = json.RawMessage(`[{"Path":"/tmp","Kind":0},{"Path":"/tmp/x","Kind":1}]`)
	r, err := Read(r.o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Refusals(Options{}); len(got) > 0 || r.Carries(Options{}) {
		t.Errorf("%+v", got)
	}
}
