package caps

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// After the edit the engine must no longer grant the set, whatever was declared before, and must
// take nothing else away.
func TestEditTakesAwayExactlyTheSet(t *testing.T) {
	defaults := DockerDefaults
	g := Grants{Defaults: defaults, All: UpTo(Last)}
	rng := rand.New(rand.NewPCG(1, 2))
	names := func() (l []string) {
		for range rng.IntN(5) {
			l = append(l, Cap(rng.IntN(int(Last)+1)).Short())
		}
		if rng.IntN(4) == 0 {
			l = append(l, "all")
		}
		return l
	}
	for range 20_000 {
		d := Declared{Add: names(), Drop: names()}
		before, err := g.Predict(d)
		if err != nil {
			t.Fatal(err)
		}
		set := before & Set(rng.Uint64())
		after, err := g.Predict(Without(d, &defaults, &before, set).Apply(d))
		if err != nil {
			t.Fatal(err)
		}
		if after != before.Minus(set) {
			t.Fatalf("%+v without %s grants %s, want %s", d, set, after, before.Minus(set))
		}
	}
}

func TestShortNamesAreEachOnce(t *testing.T) {
	got := ShortNames([]string{"cap_net_raw", "NET_RAW", "all", "CAP_ALL", "no such"})
	if want := []string{"NET_RAW", "ALL", "no such"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := ShortNames(nil); got == nil {
		t.Error("an empty list is nil")
	}
}
