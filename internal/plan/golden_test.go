package plan_test

import (
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
)

// scenario is one container's story; its golden is the plan's text at both levels.
type scenario struct {
	name     string // what must come out
	declared dropcap.Declared
	evidence []func(dropcap.Container) dropcap.WorkloadEvidence
	keeps    caps.Set
	waived   caps.Set
	expired  bool
	options  plan.Options
}

func known(held, required caps.Set,
	level string) []func(dropcap.Container) dropcap.WorkloadEvidence {
	return []func(dropcap.Container) dropcap.WorkloadEvidence{
		func(c dropcap.Container) dropcap.WorkloadEvidence {
			return evidence(c, held, required, level)
		},
	}
}

func otherRevision(held, required caps.Set) []func(dropcap.Container) dropcap.WorkloadEvidence {
	return []func(dropcap.Container) dropcap.WorkloadEvidence{func(
		c dropcap.Container) dropcap.WorkloadEvidence {
		c.Revision = "sha256:2"
		return evidence(c, held, required, dropcap.ConfidenceHigh)
	}}
}

func scenarios() []scenario {
	some := caps.Of(caps.Setuid, caps.Setgid, caps.NetBindService)
	raw := caps.Of(caps.NetRaw)
	wide := caps.DockerDefaults | caps.Of(caps.NetAdmin, caps.SysTime)
	high, medium, low := dropcap.ConfidenceHigh, dropcap.ConfidenceMedium, dropcap.ConfidenceLow
	none := dropcap.Declared{}
	accept := plan.Options{AcceptLow: true}
	return []scenario{
		{name: "without-evidence-net-raw-goes-with-a-warning", declared: none},
		{name: "accepted-without-evidence", declared: none, options: accept},
		{name: "evidence-drops-what-is-unused", declared: none, evidence: known(caps.DockerDefaults,
			some, high)},
		{name: "medium-evidence-is-enough", declared: none, evidence: known(caps.DockerDefaults,
			some, medium)},
		{name: "low-evidence-is-refused-at-least", declared: none,
			evidence: known(caps.DockerDefaults, some, low)},
		{name: "low-evidence-accepted", declared: none, evidence: known(caps.DockerDefaults, some,
			low), options: accept},
		{name: "another-revision-counts-less", declared: none,
			evidence: otherRevision(caps.DockerDefaults, some)},
		{name: "needed-net-raw-stays", declared: none, evidence: known(caps.DockerDefaults,
			some|raw, high)},
		{name: "policy-keeps", declared: none, keeps: raw | some},
		{name: "waived-stays-at-both-levels", declared: none, waived: raw},
		{name: "expired-waiver-keeps-nothing", declared: none, waived: raw, expired: true},
		{name: "asked-for-net-raw-stays-without-evidence", declared: declares("net_raw", "")},
		{name: "asked-for-net-raw-goes-by-evidence", declared: declares("NET_RAW", ""),
			evidence: known(caps.DockerDefaults, some, high)},
		{name: "asked-for-net-raw-stays-on-low-evidence", declared: declares("CAP_NET_RAW", ""),
			evidence: known(caps.DockerDefaults, some, low)},
		{name: "beyond-the-defaults-stays-without-evidence",
			declared: declares("NET_ADMIN SYS_TIME", "")},
		{name: "beyond-the-defaults-goes-by-evidence", declared: declares("NET_ADMIN sys_time", ""),
			evidence: known(wide, caps.Of(caps.NetAdmin), high)},
		{name: "held-only-since-the-recording", declared: declares("SYS_PTRACE", ""),
			evidence: known(caps.DockerDefaults, some, high)},
		{name: "all-added-loses-net-raw", declared: declares("ALL", "")},
		{name: "drop-all-is-as-it-should-be", declared: declares("SETUID SETGID NET_BIND_SERVICE",
			"ALL"), evidence: known(some, some, high)},
		{name: "drop-all-with-net-raw", declared: declares("SETUID NET_RAW", "ALL"),
			evidence: known(caps.Of(caps.Setuid, caps.NetRaw), caps.Of(caps.Setuid), high)},
		{name: "net-raw-dropped-already", declared: declares("", "net_raw")},
		{name: "dropped-and-added", declared: declares("NET_RAW", "NET_RAW"),
			evidence: known(caps.DockerDefaults, some, high)},
		{name: "privileged-is-manual", declared: dropcap.Declared{Privileged: true}},
		{name: "privileged-by-evidence", declared: dropcap.Declared{Privileged: true},
			evidence: known(caps.UpTo(caps.Last), some|caps.Of(caps.SysAdmin), high),
			options:  plan.Options{Deprivilege: true}},
		{name: "privileged-without-evidence-is-refused",
			declared: dropcap.Declared{Privileged: true}, options: plan.Options{Deprivilege: true}},
		{name: "privileged-and-waived", declared: dropcap.Declared{Privileged: true},
			waived: caps.UpTo(caps.Last), options: plan.Options{Deprivilege: true}},
	}
}

func (s scenario) input(level dropcap.Level) plan.Input {
	c := container("web", s.declared)
	in := plan.Input{Host: host(), Now: now, Options: s.options,
		Policy: dropcap.Policy{Level: level}}
	x := subject(c)
	if s.declared.Privileged {
		x.Goes = []string{"all devices of the host"}
	}
	in.Subjects = []plan.Subject{x}
	for _, e := range s.evidence {
		in.Evidence = append(in.Evidence, e(c))
	}
	if s.keeps != 0 {
		in.Policy.Keeps = []dropcap.Keep{{Containers: dropcap.Selector{Name: "web"}, Caps: s.keeps,
			Reason: "it pings"}}
	}
	if s.waived != 0 {
		until := now.Add(30 * 24 * time.Hour)
		if s.expired {
			until = now.Add(-time.Hour)
		}
		in.Policy.Waivers = []dropcap.Waiver{{Containers: dropcap.Selector{Name: "web"},
			Caps: s.waived, Owner: "ann", Reason: "until the probe is replaced", Expires: until}}
	}
	return in
}

func TestGoldens(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			golden(t, s.name, text(t, plan.Make(s.input(dropcap.LevelCIS)))+"\n----\n\n"+
				text(t, plan.Make(s.input(dropcap.LevelLeast))))
		})
	}
}

func TestOwnersAndStrategies(t *testing.T) {
	c := func(name string) dropcap.Container { return container(name, dropcap.Declared{}) }
	patch := func(text string, applied bool) func(dropcap.Grant) plan.Source {
		return func(g dropcap.Grant) plan.Source {
			return plan.Source{Text: text + " " + g.CapDrop[0], Applied: applied}
		}
	}
	stopped := subject(c("stopped"))
	stopped.Container.State, stopped.Container.Kernel = "exited",
		dropcap.Kernel{WhyNot: dropcap.NotRunning}
	compose := subject(owned(c("compose"), "compose", "shop", "web"))
	compose.Source = patch("cap_drop:", true)
	swarm := subject(owned(c("swarm"), "swarm", "", "api"))
	swarm.Source = patch("docker service update --cap-drop", true)
	foreign := subject(owned(c("foreign"), "compose", "shop", "db"))
	foreign.Source = func(dropcap.Grant) plan.Source {
		return plan.Source{Text: "a patch",
			Against: []plan.Refusal{{Slug: "untrusted",
				Message: "cannot edit /home/x/compose.yaml: others may write it",
				Hint:    "apply the patch yourself"}}}
	}
	ecs := subject(owned(c("ecs"), "ecs", "family", "app"))
	ecs.Source = patch("linuxParameters", false)
	claimed := subject(c("claimed"))
	claimed.Container.Owner.Claimed = "compose:evil/web"
	refused := subject(c("refused"))
	refused.Against = func(s dropcap.Strategy) []plan.Refusal {
		return []plan.Refusal{{"layer", "cannot change refused: its own layer holds /data (" +
			string(s) + ")", "keep it in a volume"},
			{"paused", "cannot change refused: it is paused", "docker unpause it first"}}
	}
	unknown := subject(c("unknown"))
	unknown.Container.Predicted, unknown.Container.WhyNot = nil,
		"what ALL means to this engine is not known"
	retained := subject(c("retained"))
	retained.Container.Retained = "0123456789ab"
	slow := subject(c("slow"))
	slow.Unsaid = []string{"the umask"}
	slow.Inspect = []byte(
		`{"Config":{"StopSignal":"SIGQUIT","StopTimeout":90,"Healthcheck":{"Test":["CMD","true"]}}}`)
	all := []plan.Subject{stopped, compose, swarm, foreign, ecs,
		subject(owned(c("pod"), "kubernetes", "ns", "pod")), claimed, refused, unknown, retained,
		slow}
	for name, o := range map[string]plan.Options{
		"owners": {}, "owners-over-a-fleet": {NoFiles: true},
		"owners-recreated": {Strategy: dropcap.StrategyRecreate},
		"owners-in-place":  {Strategy: dropcap.StrategyInPlace},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, text(t,
				plan.Make(plan.Input{Host: host(), Now: now, Options: o, Subjects: all})))
		})
	}
	t.Run("podman", func(t *testing.T) {
		h := host()
		h.Engine.Name = "podman"
		golden(t, "podman", text(t,
			plan.Make(plan.Input{Host: h, Now: now, Subjects: []plan.Subject{subject(c("web"))}})))
	})
}
