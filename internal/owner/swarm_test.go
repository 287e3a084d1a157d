package owner

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// Whatever a service declares, the update that is printed must leave exactly what stays.
func TestSwarmUpdateTakesAwayExactlyTheSet(t *testing.T) {
	defaults := caps.DockerDefaults
	g := caps.Grants{Defaults: defaults, All: caps.UpTo(caps.Last)}
	rng := rand.New(rand.NewPCG(3, 4))
	names := func() (l []string) {
		if rng.IntN(4) == 0 {
			return []string{"ALL"}
		}
		for range rng.IntN(5) {
			l = append(l, "CAP_"+caps.Cap(rng.IntN(int(caps.Last)+1)).Short())
		}
		return l
	}
	for range 20_000 {
		d := dropcap.Declared{Add: names(), Drop: names()}
		before, err := g.Predict(d)
		if err != nil {
			t.Fatal(err)
		}
		set := before & caps.Set(rng.Uint64())
		args := swarmFlags(d, caps.Without(d, &defaults, &before, set))
		after, err := g.Predict(serviceUpdate(d, args))
		if err != nil {
			t.Fatal(err)
		}
		if after != before.Minus(set) {
			t.Fatalf("%+v without %s: after%s it grants %s, want %s", d, set, args, after,
				before.Minus(set))
		}
	}
}

// serviceUpdate is what docker's client makes of a service's lists (docker/cli,
// updateCapabilities): a name that stands in the other list is taken out there, and only otherwise
// added here; RESET empties a list first.
func serviceUpdate(d dropcap.Declared, args string) dropcap.Declared {
	add, drop := namesOf(d.Add), namesOf(d.Drop)
	toAdd, toDrop := map[string]bool{}, map[string]bool{}
	words := strings.Fields(args)
	for i := 0; i+1 < len(words); i += 2 {
		m := map[string]map[string]bool{"--cap-add": toAdd, "--cap-drop": toDrop}[words[i]]
		m[strings.TrimPrefix(words[i+1], "CAP_")] = true
	}
	if toAdd["RESET"] {
		clear(add)
	}
	if toDrop["RESET"] {
		clear(drop)
	}
	delete(toAdd, "RESET")
	delete(toDrop, "RESET")
	move := func(names, from, to map[string]bool) {
		for n := range names {
			if from[n] {
				delete(from, n)
			} else {
				to[n] = true
			}
		}
	}
	maps.DeleteFunc(toDrop, func(n string, _ bool) bool { return toAdd[n] })
	move(toDrop, add, drop)
	move(toAdd, drop, add)
	return dropcap.Declared{Add: slices.Collect(maps.Keys(add)),
		Drop: slices.Collect(maps.Keys(drop))}
}

func namesOf(l []string) map[string]bool {
	m := map[string]bool{}
	for _, n := range l {
		m[strings.TrimPrefix(n, "CAP_")] = true
	}
	return m
}

func TestSwarmText(t *testing.T) {
	c := dropcap.Container{Owner: dropcap.Owner{Kind: "swarm", Project: "shop",
		Service: "shop_api"}}
	got := Text(c, grant("CHOWN", "ALL"))
	want := "docker service update --cap-add RESET --cap-drop RESET --cap-drop ALL --cap-add " +
		"CHOWN shop_api\n" +
		"and in the file of the stack shop, or its next deployment takes the change back:\n" +
		"services:\n  api:\n    cap_drop: [ALL]\n    cap_add: [CHOWN]\n"
	if got != want {
		t.Errorf("it is\n%s", got)
	}
}
