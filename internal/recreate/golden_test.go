package recreate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/recreate"
)

// update takes new answers from the engines (with DROPCAP_TEST_FULL=1), and writes what is made of
// them.
var update = flag.Bool("update", false, "write testdata anew")

var kinds = []dockertest.Kind{dockertest.Docker20, dockertest.Docker26, dockertest.Docker29}

// keep writes an engine's answers.
func keep(t *testing.T, kind dockertest.Kind, all map[string]recreate.Original) {
	t.Helper()
	if !full {
		t.Fatal("-update wants DROPCAP_TEST_FULL=1")
	}
	for name, o := range all {
		if !strings.Contains(name, "mac") { // the others have no use for it
			o.Older = nil
			all[name] = o
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	// A line for each answer.
	for _, field := range []string{`"Inspect":`, `"Older":`, `"Image":{`, `"Networks":{`,
		`"Sources":{`, `"Changes":`} {
		text = bytes.ReplaceAll(text, []byte(","+field), []byte(",\n"+field))
	}
	if err := os.WriteFile(filepath.Join("testdata", string(kind)+".json"), append(text, '\n'),
		0o644); err != nil {
		t.Fatal(err)
	}
}

// kept reads an engine's answers.
func kept(tb testing.TB, kind dockertest.Kind) map[string]recreate.Original {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", string(kind)+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all map[string]recreate.Original
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	if len(all) < 15 {
		tb.Fatalf("%s: %d containers only", kind, len(all))
	}
	return all
}

func recipe(tb testing.TB, o recreate.Original) *recreate.Recipe {
	tb.Helper()
	r, err := recreate.Read(o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// What is made of real engines' answers, whole, so that a change of it is seen by whoever reviews
// it.
func TestWhatIsMadeOfRealAnswers(t *testing.T) {
	for _, kind := range kinds {
		all := kept(t, kind)
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			r := recipe(t, all[name])
			g := r.Grant()
			g.CapDrop = append(slices.Clone(g.CapDrop), "NET_RAW")
			c, err := r.Create(name+"-new", g)
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			if err := json.Indent(&body, c.Body, "", " "); err != nil {
				t.Fatal(err)
			}
			command := r.Command(g, name+".env")
			fmt.Fprintf(&out, "=== %s\nAPI %q %v\n%s\n", name, c.API, c.Query, body.String())
			for _, n := range c.Connect {
				fmt.Fprintf(&out, "connect %s %s\n", n.Network, n.Body("ID"))
			}
			fmt.Fprintf(&out, "warnings:\n  %s\n", strings.Join(r.Warnings(), "\n  "))
			fmt.Fprintf(&out, "command:\n%s\n%s\nfile:\n%s\nunsaid:\n  %s\n\n", command.Fetch,
				command.Line, command.File, strings.Join(r.Unsaid(), "\n  "))
		}
		path := filepath.Join("testdata", string(kind)+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != out.String() {
			t.Errorf("%s is not what is made now; see the difference after: go test "+
				"./internal/recreate -run Real -update", path)
		}
	}
}
