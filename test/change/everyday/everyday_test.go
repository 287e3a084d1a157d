package everyday_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
	"dropcap/test/change/everyday"
)

var full = os.Getenv("DROPCAP_TEST_FULL") != ""

// A host full of everyday containers goes from its first audit to the least set by plain commands:
// all that an expert would change is changed, nothing is broken, and all comes back.
func TestAnEverydayHostIsHardenedAndComesBack(t *testing.T) {
	for kind, compose := range map[dockertest.Kind]string{
		dockertest.Docker20: "v2", dockertest.Docker29: "v5",
	} {
		t.Run(string(kind), func(t *testing.T) {
			testenv.Need(t, testenv.Root, testenv.Compose, testenv.Workloads)
			journey(t, newHost(t, kind, compose))
		})
	}
}

func newHost(t *testing.T, kind dockertest.Kind, compose string) *everyday.Host {
	t.Helper()
	h, err := everyday.NewHost(t.Context(), dockertest.Start(t, kind), everyday.Place{
		Program: testenv.Binary(t), Folder: testenv.RootFolder(t), Scratch: t.TempDir(),
		Compose: compose,
	}, full)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func journey(t *testing.T, h *everyday.Host) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(h.Learn(ctx))
	names, err := h.Names(ctx)
	must(err)
	before, err := h.Verdicts(ctx, "cis")
	must(err)
	plan, err := h.Plan(ctx)
	must(err)
	refusals(t, h, plan)

	said, status := h.Apply(ctx)
	for line := range strings.Lines(said) {
		if strings.Contains(line, "warning") || strings.Contains(line, "error") {
			t.Logf("apply says: %s", line)
		}
	}
	if status != dropcap.ExitOK && status != dropcap.ExitIncomplete {
		t.Errorf("apply ends with %d:\n%s", status, said)
	}
	if err := h.Check(ctx); err != nil {
		t.Errorf("after apply: %v", err)
	}
	after, err := h.Verdicts(ctx, "least")
	must(err)
	expected := expectedRefusals(h)
	failed, passes := 0, 0
	for _, name := range names {
		if before[name] != dropcap.Fail {
			continue
		}
		failed++
		if after[name] == dropcap.Pass {
			passes++
		} else if expected[name] == "" {
			t.Errorf("%s is %s at its least set after apply", name, after[name])
		}
	}
	t.Logf("yield: %d of %d", passes, failed)

	if said, status := h.Backout(ctx); status != dropcap.ExitOK {
		t.Errorf("backout ends with %d:\n%s", status, said)
	}
	if err := h.Check(ctx); err != nil {
		t.Errorf("after backout: %v", err)
	}
	again, err := h.Names(ctx)
	must(err)
	if !slices.Equal(names, again) {
		t.Errorf("after backout there is %q, before there was %q", again, names)
	}
	back, err := h.Verdicts(ctx, "cis")
	must(err)
	for _, name := range names {
		if back[name] != before[name] {
			t.Errorf("after backout %s is %s, before it was %s", name, back[name], before[name])
		}
	}
}

// expectedRefusals returns why containers are left alone, by name.
func expectedRefusals(h *everyday.Host) map[string]string {
	out := map[string]string{}
	for _, c := range h.Containers {
		if c.Refused != "" {
			out[c.Name] = c.Refused
		}
	}
	for _, p := range h.Projects {
		for service, why := range p.Refused {
			out[p.Name+"-"+service+"-1"] = why
		}
	}
	return out
}

// refusals holds that a plan refuses what is expected, and nothing else.
func refusals(t *testing.T, h *everyday.Host, plan dropcap.Plan) {
	t.Helper()
	expected := expectedRefusals(h)
	for _, s := range plan.Steps {
		want := expected[s.Container.Name]
		if (s.Refused != "") != (want != "") || !strings.Contains(s.Refused, want) {
			t.Errorf("%s: it is refused: %q (hint: %s); want %q", s.Container.Name, s.Refused,
				s.Hint, want)
		}
	}
}
