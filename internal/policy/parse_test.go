package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/policy"
)

func TestParseSaysWhereAndWhat(t *testing.T) {
	for _, s := range append(good, bad...) {
		t.Run(s.name, func(t *testing.T) {
			_, err := policy.Parse("p.yaml", []byte(s.file))
			if len(s.want) == 0 {
				if err != nil {
					t.Fatalf("a good file is refused: %v", err)
				}
				return
			}
			var e *dropcap.Error
			var list *policy.Problems
			if !errors.As(err, &e) || !errors.As(err, &list) {
				t.Fatalf("got %v, want problems", err)
			}
			got := strings.Split(list.Error(), "\n")
			if len(got) != len(s.want) {
				t.Fatalf("got %q, want %q", got, s.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], s.want[i]) {
					t.Errorf("problem %d is %q, want %q", i, got[i], s.want[i])
				}
			}
			if !strings.HasPrefix(e.Message, "cannot read policy p.yaml:"+s.want[0]) {
				t.Errorf("message %q does not begin with the first problem", e.Message)
			}
			if !strings.Contains(list.List[0].Hint, s.hint) {
				t.Errorf("hint %q, want one with %q", list.List[0].Hint, s.hint)
			}
		})
	}
}

func TestParseGivesWhatTheFileSays(t *testing.T) {
	const file = `level: least
keep:
  - containers: {name: "vpn*", image: r/vpn, label: role=vpn, workload: "compose:shop/*"}
    capabilities: [net_admin, CAP_NET_RAW]
    reason: builds tunnels
waivers:
  - containers: {name: web}
    capabilities: [NET_RAW]
    owner: ops@example.org
    reason: ping
    expires: 2026-12-31
  - containers: {label: agent}
    capabilities: [ALL]
    owner: ops@example.org
    reason: agent
    expires: 2026-12-31T18:00:00+02:00
`
	got, err := policy.Parse("p.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := dropcap.Policy{
		Level: dropcap.LevelLeast,
		Keeps: []dropcap.Keep{{
			Containers: dropcap.Selector{Name: "vpn*", Image: "r/vpn", Label: "role=vpn",
				Workload: "compose:shop/*"},
			Caps: caps.Of(caps.NetAdmin, caps.NetRaw), Reason: "builds tunnels",
		}},
		Waivers: []dropcap.Waiver{
			{Containers: dropcap.Selector{Name: "web"}, Caps: caps.Of(caps.NetRaw),
				Owner: "ops@example.org", Reason: "ping", Expires: day, Line: 7},
			{Containers: dropcap.Selector{Label: "agent"}, Caps: policy.Everything,
				Owner: "ops@example.org", Reason: "agent",
				Expires: time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC), Line: 12},
		},
		Digest: got.Digest,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if w := got.Waivers[0]; w.Expired(day.Add(-time.Nanosecond)) || !w.Expired(day) {
		t.Error("a day must be valid to its end in UTC, and no longer")
	}
}

func TestDigestIsThatOfTheFile(t *testing.T) {
	got, err := policy.Parse("p.yaml", []byte("level: cis\n"))
	if err != nil {
		t.Fatal(err)
	}
	// printf 'level: cis\n' | sha256sum
	const want = "sha256:c6b8f7e440a9751bf0a46985b721c08f16b15fe937e06416e85da655924a2eac"
	if got.Digest != want {
		t.Errorf("digest %s, want %s", got.Digest, want)
	}
	got.Digest = ""
	if !reflect.DeepEqual(got, policy.BuiltIn()) {
		t.Errorf("a file that says the default differs from the built-in policy: %+v", got)
	}
}

func TestOneProblemKeepsItsHintApart(t *testing.T) {
	_, err := policy.Parse("p.yaml", []byte("levle: cis\n"))
	var e *dropcap.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Message != `cannot read policy p.yaml:1:1: unknown key "levle"` ||
		!strings.Contains(e.Hint, "level, keep, waivers, harden") {
		t.Errorf("message %q, hint %q", e.Message, e.Hint)
	}
}

func TestAtMostTenProblemsAreTold(t *testing.T) {
	file := "level: cis\n"
	for i := range 50 {
		file += fmt.Sprintf("key%d: x\n", i)
	}
	_, err := policy.Parse("p.yaml", []byte(file))
	var e *dropcap.Error
	var list *policy.Problems
	if !errors.As(err, &e) || !errors.As(err, &list) {
		t.Fatal(err)
	}
	if len(list.List) != 10 || !list.More || !strings.Contains(e.Hint, "first 10") ||
		strings.Count(e.Message, "\n") != 9 {
		t.Errorf("%d problems, more %v, hint %q, message\n%s", len(list.List), list.More, e.Hint,
			e.Message)
	}
}

// An alias bomb is refused at its first anchor, and immediately.
func TestAliasBombIsRefusedQuickly(t *testing.T) {
	file := "a: &a [x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		file += fmt.Sprintf("%c: &%c [*%c, *%c, *%c]\n", c, c, c-1, c-1, c-1)
	}
	began := time.Now()
	if _, err := policy.Parse("p.yaml", []byte(file)); err == nil {
		t.Error("accepted")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(good, bad...) {
		f.Add([]byte(s.file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("p", data)
		if err != nil {
			var list *policy.Problems
			if !errors.As(err, &list) || len(list.List) == 0 || len(list.List) > 10 ||
				!strings.HasPrefix(err.Error(), "cannot read policy p:") {
				t.Fatalf("error without a place: %v", err)
			}
			lines := strings.Count(string(data), "\n") + strings.Count(string(data),
				"\r") + strings.Count(string(data), "\u0085") +
				strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 1
			for _, q := range list.List {
				if q.Line < 1 || q.Column < 1 || q.Line > lines+1 || q.Message == "" {
					t.Fatalf("bad place in a file of %d lines: %+v", lines, q)
				}
			}
			return
		}
		for _, w := range p.Waivers {
			if w.Caps.Empty() || w.Owner == "" || w.Reason == "" || w.Expires.IsZero() ||
				w.Containers == (dropcap.Selector{}) || w.Line < 1 {
				t.Fatalf("a waiver with a hole: %+v", w)
			}
		}
		for _, k := range p.Keeps {
			if k.Caps.Empty() || k.Reason == "" || k.Containers == (dropcap.Selector{}) {
				t.Fatalf("a keep with a hole: %+v", k)
			}
		}
	})
}

// The printed date of a waiver is the day that somebody wrote, not the first moment after it.
func TestLastDayIsTheOneWritten(t *testing.T) {
	for written, want := range map[string]string{"2026-12-31": "2026-12-31",
		"2026-12-31T18:00:00Z": "2026-12-31", "2027-01-01T00:00:00Z": "2026-12-31"} {
		const head = "waivers:\n  - {containers: {name: web}, capabilities: [KILL], owner: o, " +
			"reason: r, expires: "
		p, err := policy.Parse("p.yaml", []byte(head+written+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Waivers[0].LastDay(); got != want {
			t.Errorf("%s: got %s, want %s", written, got, want)
		}
	}
	if got := (dropcap.Waiver{}).LastDay(); got != "" {
		t.Errorf("a waiver without an end ends on %s", got)
	}
}
