package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dropcap"
	"dropcap/caps"
)

func TestAContainerThatStartsWithMoreIsToldSoon(t *testing.T) {
	w := newWorld(container("old", dropcap.RuleNetRaw))
	watchIn(t, w, Query{}, func(g *watched) {
		w.starts(container("good"))
		w.starts(container("bad", dropcap.RuleNetRaw, dropcap.RuleUnneeded))
		list := g.after(300 * time.Millisecond)
		wantKinds(t, list, "exceeds bad")
		o := list[0]
		if o.Schema != dropcap.SchemaOccurrence || len(o.ID) != 16 || o.Host != "h" ||
			o.HostName != "host" || o.Container != "id-bad" || o.Verdict != dropcap.Fail ||
			!slices.Equal(o.Beyond, []dropcap.Bound{dropcap.BoundPolicy, dropcap.BoundEvidence}) ||
			o.Caps != caps.Of(caps.NetRaw) || o.Severity != caps.High ||
			o.Because != "because of net-raw; because of unneeded" || o.Fix != "mend bad" {
			t.Errorf("%+v", o)
		}
		if _, err := time.Parse(time.RFC3339Nano, o.At); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsSoAtTheBeginningIsToldOnlyIfAskedFor(t *testing.T) {
	for present, want := range map[bool][]string{false: nil, true: {"exceeds old"}} {
		w := newWorld(container("old", dropcap.RuleNetRaw))
		synctest.Test(t, func(t *testing.T) {
			var told []dropcap.Occurrence
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			q := Query{Present: present, Tell: func(o dropcap.Occurrence) {
				told = append(told, o)
			}}
			if err := Run(ctx, w, q); err != nil {
				t.Error(err)
			}
			wantKinds(t, told, want...)
		})
	}
}

// Fifty containers that restart in a loop are told once each in an hour.
func TestTheSameIsToldOnceInATime(t *testing.T) {
	w := newWorld()
	watchIn(t, w, Query{}, func(g *watched) {
		for range 50 * 60 {
			w.starts(container("loop", dropcap.RuleNetRaw))
			// Time is under test: a container that restarts each second
			time.Sleep(time.Second)
		}
		wantKinds(t, g.after(0), "exceeds loop")
		g.after(20 * time.Minute)
		w.starts(container("loop", dropcap.RuleNetRaw))
		wantKinds(t, g.after(time.Second), "exceeds loop")
		w.starts(container("loop", dropcap.RuleNetRaw, dropcap.RuleAdded)) // that is something else
		wantKinds(t, g.after(time.Second), "exceeds loop")
		state, _ := g.known()
		if n := state.Held[dropcap.OccurrenceExceeds]; n < 2000 {
			t.Errorf("%d were counted as held back", n)
		}
	})
}

// A thousand containers at once: fifty are told, the others as a number, and the engine is asked in
// batches.
func TestAStormIsBounded(t *testing.T) {
	w := newWorld()
	watchIn(t, w, Query{}, func(g *watched) {
		for i := range 1000 {
			w.starts(container(fmt.Sprintf("c%d", i), dropcap.RuleNetRaw))
		}
		list := g.after(2 * time.Minute)
		var one, more, sum int
		for _, o := range list {
			switch o.Kind {
			case dropcap.OccurrenceExceeds:
				one++
			case dropcap.OccurrenceMore:
				more++
				sum += int(o.Count)
			}
		}
		if one < burst || one > burst+20 || more != 1 || one+sum != 1000 {
			t.Errorf("%d one by one, and %d as %d numbers", one, sum, more)
		}
		if n := len(w.looks); n > 1+1000/batch+2 {
			t.Errorf("%d looks", n)
		}
		state, _ := g.known()
		if n := len(state.Judgement.Audit.Containers); n != 1000 {
			t.Errorf("%d containers are known", n)
		}
	})
}

// What nobody reported is found at the next look at all, and told once.
func TestWhatNoEventReportedIsFound(t *testing.T) {
	w := newWorld(container("a"))
	watchIn(t, w, Query{}, func(g *watched) {
		w.change(func() { w.there["id-a"] = container("a", dropcap.RuleDrift) })
		wantKinds(t, g.after(time.Minute))
		wantKinds(t, g.after(5*time.Minute), "exceeds a")
		wantKinds(t, g.after(3*time.Hour))
		w.change(func() { w.there["id-a"] = container("a") })
		wantKinds(t, g.after(5*time.Minute))
		w.change(func() { w.there["id-a"] = container("a", dropcap.RuleDrift) })
		wantKinds(t, g.after(5*time.Minute), "exceeds a")
	})
}

func TestExecs(t *testing.T) {
	w := newWorld(container("web"), container("all"))
	privileged := w.there["id-all"]
	privileged.Declared.Privileged = true
	w.there["id-all"] = privileged
	for id, p := range map[string]bool{"1": true, "2": false, "3": true, "4": true} {
		w.execs[id] = dropcap.Exec{ID: id, Privileged: p}
	}
	watchIn(t, w, Query{}, func(g *watched) {
		for container, execs := range map[string][]string{"id-web": {"1", "2", "4", "gone"},
			"id-all": {"3"}} {
			for _, x := range execs {
				w.events <- Event{Action: "exec_start", ID: container, Exec: x}
			}
		}
		list := g.after(time.Second)
		wantKinds(t, list, "exec web") // 4 is the same again
		want := caps.UpTo(caps.Last).Minus(caps.DockerDefaults)
		if o := list[0]; o.Exec != "1" && o.Exec != "4" || o.Caps != want ||
			o.Severity != caps.Critical {
			t.Errorf("%+v", o)
		}
	})
}

// An exec that was told when it began is not told again when its processes are seen, nor does it
// count as the container's own.
func TestAnExecThatIsSeenIsToldOnce(t *testing.T) {
	all := caps.UpTo(caps.Last)
	c := container("web", dropcap.RuleDrift)
	c.Findings[0].Caps = all.Minus(caps.DockerDefaults)
	c.Kernel.Processes = []dropcap.Process{{Origin: dropcap.OriginExecPrivileged,
		Bounding: all.Mask()}, {Origin: dropcap.OriginInit, Bounding: caps.DockerDefaults.Mask()}}
	w := newWorld(container("web"))
	w.execs["1"] = dropcap.Exec{ID: "1", Privileged: true}
	watchIn(t, w, Query{}, func(g *watched) {
		w.change(func() { w.there["id-web"] = c })
		w.events <- Event{Action: "exec_start", ID: "id-web", Exec: "1"}
		wantKinds(t, g.after(10*time.Minute), "exec web")
	})
	w = newWorld(container("web"))
	watchIn(t, w, Query{}, func(g *watched) { // Podman says no id
		w.change(func() { w.there["id-web"] = c })
		w.events <- Event{Action: "exec_start", ID: "id-web"}
		wantKinds(t, g.after(10*time.Minute), "exec web")
	})
}

func TestTheEngineGoesAwayAndComesBack(t *testing.T) {
	w := newWorld(container("web"))
	watchIn(t, w, Query{}, func(g *watched) {
		w.change(func() {
			w.down = fmt.Errorf("cannot reach it: %w", dropcap.ErrUnreachable)
			w.there["id-new"] = container("new", dropcap.RuleNetRaw)
		})
		list := g.after(10 * time.Minute)
		wantKinds(t, list, "engine-away")
		if state, warned := g.known(); state.EngineUp || len(warned) > 0 {
			t.Errorf("up %v, warned %q", state.EngineUp, warned)
		}
		w.change(func() { w.down = nil })
		wantKinds(t, g.after(10*time.Second), "engine-back", "exceeds new")
		if state, _ := g.known(); !state.EngineUp {
			t.Error("it is up")
		}
	})
}

func TestALookThatFailsIsRepeated(t *testing.T) {
	w := newWorld()
	watchIn(t, w, Query{}, func(g *watched) {
		w.change(func() { w.down = errors.New("a hiccup") })
		w.starts(container("bad", dropcap.RuleNetRaw))
		g.after(time.Second)
		w.change(func() { w.down = nil })
		wantKinds(t, g.after(6*time.Second), "exceeds bad")
		if _, warned := g.known(); len(warned) != 1 || !strings.Contains(warned[0], "a hiccup") {
			t.Errorf("warned %q", warned)
		}
	})
}

func TestOtherOccurrences(t *testing.T) {
	undone := container("undone", dropcap.RuleReverted)
	blind := container("blind")
	blind.Verdict = dropcap.Unknown
	blind.Findings = []dropcap.Finding{{Rule: dropcap.RuleUnseen, Because: "it hides"}}
	waived := container("waived", dropcap.RuleNetRaw)
	waived.Findings[0].Waiver = &dropcap.Waiver{}
	mitigated := container("held", dropcap.RuleNetRaw)
	mitigated.Findings[0].HeldBack = &dropcap.HeldBack{Caps: caps.Of(caps.NetRaw)}
	ended := container("ended", dropcap.RuleNetRaw)
	ended.State = "exited"
	w := newWorld()
	w.changes = []dropcap.Change{{ID: "c1", State: dropcap.Applied, Workload: "docker:undone",
		Was: dropcap.Grant{Holds: caps.DockerDefaults}}}
	w.files["id-filed"] = FileExcess{caps.Of(caps.Mknod), "/srv/compose.yml"}
	watchIn(t, w, Query{}, func(g *watched) {
		for _, c := range []dropcap.Judged{undone, blind, waived, mitigated, ended,
			container("filed")} {
			w.starts(c)
		}
		list := g.after(time.Second)
		wantKinds(t, list, "exceeds ended", "exceeds filed", "reverted undone", "unseen blind")
		for _, o := range list {
			switch o.Name {
			case "undone":
				if o.Change != "c1" {
					t.Errorf("%+v", o)
				}
			case "filed":
				if !slices.Equal(o.Beyond, []dropcap.Bound{dropcap.BoundFile}) ||
					!strings.Contains(o.Because, "/srv/compose.yml") {
					t.Errorf("%+v", o)
				}
			}
		}
		w.change(func() {
			w.denials = []Denial{{Container: container("web").Container, Change: "c2",
				Cap: caps.Chown, By: dropcap.By{Exe: "/bin/chown"}, Because: "chown fails"}}
		})
		list = g.after(2 * time.Second)
		wantKinds(t, list, "denied web")
		if o := list[0]; o.By == nil || o.By.Exe != "/bin/chown" || o.Change != "c2" ||
			!strings.HasPrefix(o.Fix, "dropcap backout web") {
			t.Errorf("%+v", o)
		}
	})
}

// A waiver is told once a day while it expires soon, and once when it has.
func TestWaivers(t *testing.T) {
	w := newWorld()
	synctest.Test(t, func(t *testing.T) {
		w.policy.Waivers = []dropcap.Waiver{
			{Caps: caps.Of(caps.NetRaw), Line: 3, Owner: "ann",
				Expires: time.Now().Add(2*24*time.Hour + time.Hour)},
			{Caps: caps.Of(caps.Kill), Line: 9, Owner: "bob"},
		}
		days := map[string]int{}
		ctx, cancel := context.WithTimeout(t.Context(), 3*24*time.Hour)
		defer cancel()
		q := Query{Soon: 24 * time.Hour, Tell: func(o dropcap.Occurrence) {
			days[o.Because]++
			if o.Kind != dropcap.OccurrenceWaiver || !strings.Contains(o.Because, "line 3") {
				t.Errorf("%+v", o)
			}
		}}
		if err := Run(ctx, w, q); err != nil {
			t.Error(err)
		}
		var soon, over int
		for text, n := range days {
			if strings.Contains(text, "has expired") {
				over += n
			} else {
				soon += n
			}
		}
		if soon != 2 || over != 1 {
			t.Errorf("%d times that it expires, %d that it has: %v", soon, over, days)
		}
	})
}

// What a container chose is bounded and plain.
func TestHostileNamesAreBounded(t *testing.T) {
	w := newWorld()
	watchIn(t, w, Query{}, func(g *watched) {
		c := container("x", dropcap.RuleNetRaw)
		c.Name, c.Image = "\x1b[2J"+strings.Repeat("a", 1<<20), "i\nMESSAGE=faked"
		c.Findings[0].Because = strings.Repeat("b", 1<<20)
		w.starts(c)
		list := g.after(time.Second)
		if len(list) != 1 {
			t.Fatalf("%d told", len(list))
		}
		o := list[0]
		if len(o.Name) > 400 || len(o.Because) > 5000 || strings.ContainsAny(o.Name+o.Image,
			"\x1b\n") {
			t.Errorf("%d, %d bytes; %q", len(o.Name), len(o.Because), o.Image)
		}
	})
}

// However many different things are told, what is remembered of them is bounded.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		teller := newTeller(Query{Tell: func(dropcap.Occurrence) {}}.complete())
		for i := range mostKeys + 1000 {
			teller.tell(dropcap.Occurrence{Kind: dropcap.OccurrenceExceeds}, fmt.Sprint(i))
		}
		if len(teller.told) > mostKeys {
			t.Errorf("%d keys", len(teller.told))
		}
	})
}

// When a change has ended its containers are judged otherwise, and nobody sends an event.
func TestTheContainersOfAChangeThatEndedAreLookedAtAgain(t *testing.T) {
	retained := container("old", dropcap.RuleNetRaw)
	w := newWorld(retained)
	watchIn(t, w, Query{}, func(g *watched) {
		w.change(func() {
			retained.Verdict = dropcap.Waived
			w.there["id-old"], w.ended = retained, []string{"id-old"}
		})
		wantKinds(t, g.after(3*time.Second))
		state, _ := g.known()
		if sum := state.Judgement.Audit.Summary; sum.Waived != 1 {
			t.Errorf("%+v", sum)
		}
	})
}
