package evidence

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// record returns a random one: of one of a few workloads, revisions, hosts and containers. What a
// source contains depends only on the source and on how long it was watched, as in real life.
func record(r *rand.Rand) dropcap.WorkloadEvidence {
	id := identity
	id.Workload = []string{"docker:web", "docker:db"}[r.IntN(2)]
	host, container, since, until := []string{"h1", "h2"}[r.IntN(2)], byte(r.IntN(5)), r.IntN(2),
		r.IntN(3)
	same := rand.New(rand.NewPCG(uint64(container),
		uint64(since*100+until*10+len(host)+int(host[1])+int(id.Workload[7]))))
	s := source(host, container, at.Add(time.Duration(since)*time.Hour))
	s.Until = at.Add(time.Duration(3+until) * time.Hour).Format(time.RFC3339)
	s.Seconds += int64(until)
	return Build(someChecks(same), nil, caps.DockerDefaults|caps.Of(caps.SysTime), s, id)
}

func someChecks(r *rand.Rand) []dropcap.KernelCheck {
	paths := [][]string{chownPath, permPath, odd, {"check_kill_permission"}, {"path_mount"},
		{"__sys_setuid"}}
	var l []dropcap.KernelCheck
	for range r.IntN(8) {
		k := check(caps.Cap(r.IntN(int(caps.Last)+1)), "call", uint64(r.IntN(100)),
			paths[r.IntN(len(paths))]...)
		k.Granted = r.IntN(3) > 0
		k.First, k.Last = at.Add(time.Duration(r.IntN(60))*time.Minute), at.Add(2*time.Hour)
		k.Exe.From = []string{dropcap.FromImage, dropcap.FromWritten}[r.IntN(2)]
		l = append(l, k)
	}
	return l
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMergeDependsOnTheSetOfRecordsOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var list []dropcap.WorkloadEvidence
		for range 1 + r.IntN(8) {
			list = append(list, record(r))
		}
		for _, across := range []bool{ByHost, AcrossHosts} {
			want := text(t, Merge(list, across))
			mixed := append(slices.Clone(list), list[r.IntN(len(list))], list[0])
			r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			if got := text(t, Merge(mixed, across)); got != want {
				t.Fatalf("round %d: shuffled and repeated records give\n%s\nwant\n%s", round, got,
					want)
			}
			if got := text(t, Merge(Merge(list, across), across)); got != want {
				t.Fatalf("round %d: merging what is merged gives\n%s\nwant\n%s", round, got, want)
			}
			if got := text(t, Merge(append(Merge(list, across), list...), across)); got != want {
				t.Fatalf("round %d: importing again what is in gives\n%s\nwant\n%s", round, got,
					want)
			}
			for _, w := range Merge(list, across) {
				checkConclusion(t, w)
			}
		}
	}
}

func checkConclusion(t *testing.T, w dropcap.WorkloadEvidence) {
	t.Helper()
	if !w.Required.Minus(w.Held).Empty() || w.Required&w.Unused != 0 ||
		w.Required|w.Unused != w.Held {
		t.Fatalf("held %s is not parted by required %s and unused %s", w.Held, w.Required, w.Unused)
	}
	for _, n := range w.Needs {
		serves := caps.Of(n.Cap) | n.Or
		if supports(n) && w.Held.Has(n.Cap) && w.Required&serves == 0 {
			t.Fatalf("nothing required serves the need %+v; required is %s", n, w.Required)
		}
		if n.Sources > len(w.Sources) {
			t.Fatalf("%s is of %d of %d sources", n.Cap, n.Sources, len(w.Sources))
		}
	}
}

func TestMergeIsAssociativeOnDifferentSources(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var list []dropcap.WorkloadEvidence
		for i := range byte(6) {
			list = append(list, Build(someChecks(r), nil, caps.DockerDefaults, source("h1", i, at),
				identity))
		}
		cut := 1 + r.IntN(4)
		whole := text(t, Merge(list, ByHost))
		parts := append(Merge(list[:cut], ByHost), Merge(list[cut:], ByHost)...)
		if got := text(t, Merge(parts, ByHost)); got != whole {
			t.Fatalf("merged in two parts at %d:\n%s\nwant\n%s", cut, got, whole)
		}
	}
}

func TestDissentOfReplicasIsKept(t *testing.T) {
	var list []dropcap.WorkloadEvidence
	for i := range byte(4) {
		checks := []dropcap.KernelCheck{check(caps.Chown, "chown", 2, chownPath...)}
		if i == 2 {
			checks = append(checks, check(caps.Kill, "kill", 1, "check_kill_permission"))
		}
		list = append(list, Build(checks, nil, caps.DockerDefaults, source("h1", i, at), identity))
	}
	m := Merge(list, ByHost)
	if len(m) != 1 || len(m[0].Sources) != 4 || m[0].Required != caps.Of(caps.Chown, caps.Kill) {
		t.Fatalf("merged into %+v", m)
	}
	if n := m[0].Needs; n[0].Sources != 4 || n[0].Count != 8 || n[1].Cap != caps.Kill ||
		n[1].Sources != 1 {
		t.Errorf("needs %+v; want CHOWN of 4 and KILL of 1 container", n)
	}
}

func TestALaterRecordOfASourceReplacesTheEarlier(t *testing.T) {
	early := Build([]dropcap.KernelCheck{check(caps.Chown, "chown", 2, chownPath...)}, nil,
		caps.DockerDefaults, source("h1", 1, at), identity)
	s := source("h1", 1, at)
	s.Until, s.Seconds = at.Add(5*time.Hour).Format(time.RFC3339), 18000
	late := Build([]dropcap.KernelCheck{
		check(caps.Chown, "chown", 5, chownPath...),
		check(caps.Kill, "kill", 1, "check_kill_permission"),
	}, nil, caps.DockerDefaults, s, identity)
	m := Merge([]dropcap.WorkloadEvidence{early, late}, ByHost)
	if len(m) != 1 || text(t, m[0]) != text(t, late) {
		t.Errorf("merged into %s", text(t, m))
	}
	// What the earlier record mistook for a need, and the later one does not, is no need.
	mistaken := Build([]dropcap.KernelCheck{check(caps.SysChroot, "ioctl", 1, odd...)}, nil,
		caps.DockerDefaults, source("h1", 1, at), identity)
	if m := Merge([]dropcap.WorkloadEvidence{mistaken, late},
		ByHost); m[0].Required.Has(caps.SysChroot) {
		t.Errorf("the earlier record still counts: %s", text(t, m))
	}
	// The earlier record is already merged with a replica: the later one's needs must not be lost.
	both := Merge([]dropcap.WorkloadEvidence{early, Build(nil, nil, caps.DockerDefaults,
		source("h1", 2, at), identity)}, ByHost)
	m = Merge(append(both, late), ByHost)
	if len(m) != 1 || !m[0].Required.Has(caps.Kill) || len(m[0].Sources) != 2 ||
		m[0].Needs[0].Count != 5 {
		t.Errorf("merged into %s", text(t, m))
	}
}

func TestRevisionsAndHostsStayApart(t *testing.T) {
	a := build(caps.DockerDefaults)
	b := a
	b.Revision = a.Revision[:70] + "f"
	c := Build(nil, nil, caps.DockerDefaults, source("h2", 1, at), identity)
	if m := Merge([]dropcap.WorkloadEvidence{a, b, c}, ByHost); len(m) != 3 {
		t.Errorf("%d entries, want 3", len(m))
	}
	if m := Merge([]dropcap.WorkloadEvidence{a, b, c}, AcrossHosts); len(m) != 2 ||
		len(m[0].Sources) != 2 {
		t.Errorf("%d entries across hosts, want 2", len(m))
	}
}
