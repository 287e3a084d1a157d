package evidence

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestConfidenceByTheThresholds(t *testing.T) {
	unknown := check(caps.SysChroot, "ioctl", 1, odd...)
	for _, x := range []struct {
		name   string
		change func(*dropcap.Source)
		checks []dropcap.KernelCheck
		level  string
		says   string
	}{
		{"all seen", func(*dropcap.Source) {}, nil, "high", "1 warm start seen"},
		{"no start", func(s *dropcap.Source) {
			s.StartsCold, s.StartsWarm = 0, 0
		}, nil, "low", "for medium: see a cold start"},
		{"a warm start only", func(s *dropcap.Source) {
			s.StartsCold = 0
		}, nil, "low", "for medium: see a cold start"},
		{"ten minutes less one second", func(s *dropcap.Source) {
			s.Seconds = 599
		}, nil, "low", "for medium: watch for 10 minutes"},
		{"ten minutes", func(s *dropcap.Source) {
			s.Seconds = 600
		}, nil, "medium", "for high: watch for an hour"},
		{"an hour less one second", func(s *dropcap.Source) {
			s.Seconds = 3599
		}, nil, "medium", "for high: watch for an hour"},
		{"an hour", func(s *dropcap.Source) { s.Seconds = 3600 }, nil, "high", "watched for 1h00m"},
		{"said to be complete", func(s *dropcap.Source) {
			s.Seconds, s.Complete = 5, true
		}, nil, "high", "the operator says"},
		{"no warm start", func(s *dropcap.Source) {
			s.StartsWarm = 0
		}, nil, "medium", "for high: see a warm start"},
		{"no stop", func(s *dropcap.Source) {
			s.Stops = 0
		}, nil, "medium", "for high: see it stop"},
		{"lost checks", func(s *dropcap.Source) { s.Lost = 3 }, nil, "medium", "3 were lost"},
		{"loss unknown", func(s *dropcap.Source) {
			s.LossUnknown = true
		}, nil, "medium", "counts what it loses"},
		{"an unknown place", func(*dropcap.Source) {}, []dropcap.KernelCheck{unknown}, "medium",
			"for high: SYS_CHROOT"},
		{"an unknown place, denied", func(*dropcap.Source) {},
			[]dropcap.KernelCheck{denied(unknown)}, "high", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := source("h", 1, at)
			x.change(&s)
			c := Build(x.checks, nil, caps.DockerDefaults, s, identity).Confidence
			if c.Level != x.level || !strings.Contains(strings.Join(c.Because, "\n"), x.says) {
				t.Errorf("got %+v, want %s, with %q", c, x.level, x.says)
			}
		})
	}
}

// Ten replicas, each watched for a minute, saw one minute of life, not ten.
func TestTimeOfReplicasIsNotAddedUp(t *testing.T) {
	var list []dropcap.WorkloadEvidence
	for i := range byte(10) {
		s := source("h", i, at)
		s.Seconds = 100
		list = append(list, Build(nil, nil, caps.DockerDefaults, s, identity))
	}
	if m := Merge(list, ByHost); m[0].Confidence.Level != dropcap.ConfidenceLow {
		t.Errorf("confidence %+v", m[0].Confidence)
	}
}

func TestTheSmallerStep(t *testing.T) {
	if r, ok := RecommendCIS(build(caps.DockerDefaults)); !ok ||
		strings.Join(r.CapDrop, " ") != "CAP_NET_RAW" || len(r.CapAdd) != 0 {
		t.Errorf("unused NET_RAW: %+v, %v", r, ok)
	}
	if _, ok := RecommendCIS(build(caps.DockerDefaults, check(caps.NetRaw, "socket", 1,
		"inet_create"))); ok {
		t.Error("a needed NET_RAW is to be dropped")
	}
	if _, ok := RecommendCIS(build(caps.Of(caps.Kill))); ok {
		t.Error("NET_RAW is to be dropped though it is not held")
	}
}

func TestSupportForAContainer(t *testing.T) {
	mine := Subject{Workload: identity.Workload, Revision: identity.Revision, Host: "h1",
		Held: caps.DockerDefaults | caps.Of(caps.SysTime)}
	chown := []dropcap.KernelCheck{check(caps.Chown, "chown", 1, chownPath...)}
	kill := []dropcap.KernelCheck{check(caps.Kill, "kill", 1, "check_kill_permission")}
	chroot := []dropcap.KernelCheck{check(caps.SysChroot, "chroot", 1, "__x64_sys_chroot")}
	other := identity
	other.Revision = identity.Revision[:70] + "e"
	here := Build(chown, nil, caps.DockerDefaults, source("h1", 1, at), identity)
	old := Build(chroot, nil, caps.DockerDefaults, source("h1", 2, at), other)
	away := Build(kill, nil, caps.DockerDefaults, source("h2", 3, at), identity)
	anyHost := mine
	anyHost.AnyHost = true
	for _, x := range []struct {
		name    string
		list    []dropcap.WorkloadEvidence
		subject Subject
		want    caps.Set
		level   string
		exact   bool
	}{
		{"this revision, though others are there", []dropcap.WorkloadEvidence{old, away, here},
			mine, caps.Of(caps.Chown), "high", true},
		{"another revision counts less", []dropcap.WorkloadEvidence{old, away}, mine,
			caps.Of(caps.SysChroot), "medium", false},
		{"another host does not count unasked", []dropcap.WorkloadEvidence{away}, mine, 0, "",
			false},
		{"another host, asked for", []dropcap.WorkloadEvidence{away, old}, anyHost,
			caps.Of(caps.Kill), "medium", false},
		{"this host first, even so", []dropcap.WorkloadEvidence{away, here}, anyHost,
			caps.Of(caps.Chown), "high", true},
		{"none", nil, mine, 0, "", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, ok := For(x.list, x.subject)
			if !ok {
				if x.level != "" {
					t.Error("found none")
				}
				return
			}
			if s.Supported != x.want || s.Level != x.level || s.Exact != x.exact ||
				s.Because == "" {
				t.Errorf("got %s, %s, exact %v (%s)", s.Supported, s.Level, s.Exact, s.Because)
			}
			if s.Untried != caps.Of(caps.SysTime) || s.Unused != caps.DockerDefaults.Minus(x.want) {
				t.Errorf("unused %s, untried %s", s.Unused, s.Untried)
			}
		})
	}
	if s, _ := For([]dropcap.WorkloadEvidence{here},
		mine); s.Because != "evidence of this revision from 1 container, watched for 2h00m at "+
		"the longest, confidence high" {
		t.Errorf("it says %q", s.Because)
	}
}
