package plan_test

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/plan"
)

// watched is evidence of web that one recording made.
func watched(c dropcap.Container, cold, warm int, seconds int64,
	edit func(*dropcap.Source)) dropcap.WorkloadEvidence {
	e := evidence(c, caps.DockerDefaults, caps.Of(caps.Setuid), dropcap.ConfidenceLow)
	s := &e.Sources[0]
	s.StartsCold, s.StartsWarm, s.Seconds = cold, warm, seconds
	if edit != nil {
		edit(s)
	}
	return e
}

// Whoever is refused for what is known of the needs is told what is missing, and the one command
// that records all of it, and what that stops.
func TestWhatIsMissingIsSaidWithTheOneCommandThatRecordsIt(t *testing.T) {
	const restart = "down for its own stop (at most 10 s after SIGTERM) and start"
	complete := func(s *dropcap.Source) { s.Complete = true }
	for _, c := range []struct {
		name       string
		cold, warm int
		seconds    int64
		edit       func(*dropcap.Source)
		change     func(*plan.Subject)
		says       string // of what is missing; empty: it is enough
		hint       string
	}{
		{name: "days without a start", seconds: 3 * 86400,
			says: "no start of it was seen (",
			hint: "`dropcap learn web --restart --for 1m` records that (it restarts web: " +
				restart + ")"},
		{name: "all exercised, without a start", seconds: 30, edit: complete,
			says: "no start of it was seen (", hint: "`dropcap learn web --restart --for 1m`"},
		{name: "neither a start nor the time", seconds: 30,
			says: "no start of it was seen; and it was watched for less than 10 minutes",
			hint: "`dropcap learn web --restart --for 10m`"},
		{name: "too short", cold: 1, seconds: 30,
			says: "watched for less than 10 minutes",
			hint: "`dropcap learn web --for 10m` records that and stops nothing"},
		{name: "files not seen", cold: 1, seconds: 900, edit: func(s *dropcap.Source) {
			s.FilesUnseen = "they are later"
		},
			says: "its files, which may carry capabilities, were not seen: they are later",
			hint: "`dropcap learn web --for 1m` records that and stops nothing"},
		{name: "of another revision", cold: 1, seconds: 900, change: func(s *plan.Subject) {
			s.Container.Revision = "sha256:2"
		},
			says: "its image, command, user or network has changed since",
			hint: "`dropcap learn web --restart --for 10m`"},
		{name: "it does not run", seconds: 900, change: func(s *plan.Subject) {
			s.Container.State, s.Container.Kernel = "exited", dropcap.Kernel{}
		},
			says: "no start", hint: "(it starts web)"},
		{name: "a swarm's", seconds: 900, change: func(s *plan.Subject) {
			s.Container.Owner = dropcap.Owner{Kind: "swarm", Service: "api"}
		},
			says: "no start", hint: "`docker service update --force api`"},
		{name: "systemd's", seconds: 900, change: func(s *plan.Subject) {
			s.Container.Owner = dropcap.Owner{Kind: "systemd", Service: "u"}
		},
			says: "no start", hint: "if systemd starts it again meanwhile"},
		{name: "a later start that is the one it gets", warm: 1, seconds: 900},
		{name: "the same, said to be all", warm: 1, seconds: 5, edit: complete},
		{name: "a later start, and too short", warm: 1, seconds: 5,
			says: "its first start, with fresh volumes, was not seen; and it was watched",
			hint: "`dropcap learn web --for 10m` records that and stops nothing"},
		{name: "a later start, and the layer goes", warm: 1, seconds: 900,
			change: func(s *plan.Subject) {
				s.FreshLayer = true
			},
			says: "its first start, with fresh volumes, was not seen (",
			hint: "leave --discard-layer out"},
		{name: "a later start of another revision", warm: 1, seconds: 900,
			change: func(s *plan.Subject) {
				s.Container.Revision = "sha256:2"
			},
			says: "has changed since", hint: "--restart --for 10m"},
		{name: "a later start of a swarm's", warm: 1, seconds: 900, change: func(s *plan.Subject) {
			s.Container.Owner = dropcap.Owner{Kind: "swarm", Service: "a b"}
		},
			says: "its first start", hint: "`docker service update --force 'a b'`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			web := subject(container("web", dropcap.Declared{}))
			in := plan.Input{Host: host(), Now: now,
				Policy: dropcap.Policy{Level: dropcap.LevelLeast},
				Evidence: []dropcap.WorkloadEvidence{watched(web.Container, c.cold, c.warm,
					c.seconds, c.edit)}}
			if c.change != nil {
				c.change(&web)
			}
			in.Subjects = []plan.Subject{web}
			s := step(t, in)
			var low dropcap.Refusal
			for _, r := range s.Refusals {
				if r.Slug == "low-confidence" {
					low = r
				}
			}
			if c.says == "" {
				if s.Refused != "" || !strings.Contains(strings.Join(s.Warnings, "\n"),
					"its first start was not seen") {
					t.Errorf("refused: %s; warnings: %q", s.Refused, s.Warnings)
				}
				return
			}
			if !strings.Contains(low.Message, c.says) || !strings.Contains(low.Hint, c.hint) {
				t.Errorf("%q, %q\nwant %q, %q", low.Message, low.Hint, c.says, c.hint)
			}
			if strings.Count(low.Hint, "`dropcap ") > 1 {
				t.Errorf("more than one command: %s", low.Hint)
			}
			in.Options.AcceptLow = true
			if again := step(t, in); strings.Contains(again.Refused, "known of its needs") {
				t.Errorf("with --accept low: %s", again.Refused)
			}
		})
	}
}

// Where flags accept all that speaks against a step they are named together, and only there.
func TestFlagsThatTogetherLetAStepThroughAreNamedAtOnce(t *testing.T) {
	layer := plan.Refusal{Slug: "layer", Message: "cannot change web: its own layer holds /data",
		Hint: "say --discard-layer"}
	paused := plan.Refusal{Slug: "paused", Message: "cannot change web: it is paused",
		Hint: "docker unpause it first"}
	for _, c := range []struct {
		against    []plan.Refusal
		privileged bool
		want       string
	}{
		{nil, false, ""},
		{[]plan.Refusal{layer}, false, "all at once: --accept low --discard-layer"},
		{[]plan.Refusal{layer, paused}, false, ""},
		{nil, true, "all at once: --accept low --deprivilege"},
	} {
		web := subject(container("web", dropcap.Declared{Privileged: c.privileged}))
		web.Against = func(dropcap.Strategy) []plan.Refusal { return c.against }
		s := step(t, plan.Input{Host: host(), Now: now,
			Policy: dropcap.Policy{Level: dropcap.LevelLeast}, Subjects: []plan.Subject{web}})
		_, flags, named := strings.Cut(s.Hint, "; all at once: ")
		if named != (c.want != "") || named && "all at once: "+flags != c.want {
			t.Errorf("%v, %v: %s", c.against, c.privileged, s.Hint)
		}
		if len(s.Refusals) != strings.Count(s.Refused, "; cannot ")+1 {
			t.Errorf("%d refusals in %q", len(s.Refusals), s.Refused)
		}
	}
}

// A docker exec under way is no refusal: apply waits for it. Nobody re-creates anything for a
// person who does it by hand.
func TestAnExecUnderWayIsWarnedOf(t *testing.T) {
	for owner, want := range map[string]string{"docker": "half a minute at most",
		"ecs": "ends when it is stopped"} {
		web := subject(container("web", dropcap.Declared{}))
		web.Container.Owner, web.Execs = dropcap.Owner{Kind: owner, Project: "f", Service: "s"}, 1
		s := step(t, plan.Input{Host: host(), Now: now, Subjects: []plan.Subject{web}})
		if (owner == "docker") != (s.Refused == "") ||
			!strings.Contains(strings.Join(s.Warnings, "\n"), want) {
			t.Errorf("%s: refused %q, warnings %q", owner, s.Refused, s.Warnings)
		}
	}
}
