package audit

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// After the edit the engine must no longer grant the set, whatever was declared before, and must
// take nothing else away.
func TestEditTakesAwayExactlyTheSet(t *testing.T) {
	defaults := caps.DockerDefaults
	g := caps.Grants{Defaults: defaults, All: caps.UpTo(caps.Last)}
	rng := rand.New(rand.NewPCG(1, 2))
	names := func() (l []string) {
		for range rng.IntN(5) {
			l = append(l, caps.Cap(rng.IntN(int(caps.Last)+1)).Short())
		}
		if rng.IntN(4) == 0 {
			l = append(l, "all")
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
		after, err := g.Predict(Without(d, &defaults, &before, set).Apply(d))
		if err != nil {
			t.Fatal(err)
		}
		if after != before.Minus(set) {
			t.Fatalf("%+v without %s grants %s, want %s", d, set, after, before.Minus(set))
		}
	}
}

func TestOneFixForAllFindings(t *testing.T) {
	c := container("vpn", dropcap.Declared{Add: []string{"NET_ADMIN"}})
	const want = "re-create it without --cap-add=NET_ADMIN: docker run --cap-drop=NET_RAW " +
		"<arguments> app:1 <command>"
	if j := judgeOne(t, c, dropcap.Policy{}); j.Fix != want {
		t.Errorf("got %q", j.Fix)
	}
	p := dropcap.Policy{Level: dropcap.LevelLeast,
		Keeps: []dropcap.Keep{{Caps: caps.Of(caps.Setuid), Reason: "r"}}}
	const least = "re-create it, in place of its own --cap-add and --cap-drop with: " +
		"docker run --cap-drop=ALL --cap-add=SETUID <arguments> app:1 <command>"
	if j := judgeOne(t, c, p); j.Fix != least {
		t.Errorf("got %q", j.Fix)
	}
	if j := judgeOne(t, container("web", dropcap.Declared{}), dropcap.Policy{}); j.Fix != "" {
		t.Errorf("one finding has its own fix, and yet there is %q", j.Fix)
	}
}

func TestFixSpeaksTheOwnersLanguage(t *testing.T) {
	for _, x := range []struct {
		owner dropcap.Owner
		d     dropcap.Declared
		want  string
	}{
		{dropcap.Owner{Kind: "docker"}, dropcap.Declared{},
			"re-create it: docker run --cap-drop=NET_RAW <arguments> app:1 <command>"},
		{
			dropcap.Owner{Kind: "docker"},
			dropcap.Declared{Drop: []string{"ALL"}, Add: []string{"NET_RAW"}},
			"re-create it without --cap-add=NET_RAW: docker run <arguments> app:1 <command>",
		},
		{
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"},
			dropcap.Declared{},
			"in the compose file of project shop, service web: cap_drop: [NET_RAW]; then docker " +
				"compose -p shop up -d --no-deps web",
		},
		{
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"},
			dropcap.Declared{Drop: []string{"CAP_MKNOD"}},
			"in the compose file of project shop, service web: cap_drop: [MKNOD, NET_RAW]; then " +
				"docker compose -p shop up -d --no-deps web",
		},
		{dropcap.Owner{Kind: "swarm", Service: "api"}, dropcap.Declared{},
			"docker service update --cap-drop NET_RAW api"},
		{
			dropcap.Owner{Kind: "ecs", Project: "pay", Service: "web"},
			dropcap.Declared{},
			"in a new revision of task definition pay, container web: " +
				"linuxParameters.capabilities.drop: [NET_RAW]",
		},
	} {
		c := container("web", x.d)
		c.Owner = x.owner
		j := judgeOne(t, c, dropcap.Policy{})
		if got := j.Findings[0].Fix; got != x.want {
			t.Errorf("%s: got  %s\nwant %s", x.owner.Kind, got, x.want)
		}
	}
}

// What is left of --cap-add ALL among the arguments would win over every drop, so the fix says that
// it has to go.
func TestFixOfAllReplacesTheDeclaredLists(t *testing.T) {
	j := judgeOne(t, container("web", dropcap.Declared{Add: []string{"ALL"}}), dropcap.Policy{})
	if got := j.Findings[0].Fix; !strings.HasPrefix(got,
		"re-create it, in place of its own --cap-add and --cap-drop with: docker run --cap-drop=ALL") {
		t.Errorf("got %q", got)
	}
}

// An ended task of a service is never started again: after the update it is still there, and still
// fails.
func TestFixOfAnEndedTaskRemovesIt(t *testing.T) {
	c := container("api.1.x", dropcap.Declared{})
	c.Owner = dropcap.Owner{Kind: "swarm", Service: "api"}
	c.State, c.Kernel = "exited", dropcap.Kernel{}
	defaults := caps.DockerDefaults
	c.Predicted = &defaults
	const want = "docker service update --cap-drop NET_RAW api && docker rm api.1.x"
	if got := judgeOne(t, c, dropcap.Policy{}).Findings[0].Fix; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

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
		args := swarmFlags(d, Without(d, &defaults, &before, set))
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
