package learn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/image"
)

// caddy is a file tree with a program that has a file capability.
func caddy() image.Files {
	return image.Files{Bytes: 1 << 20, Programs: []image.Program{{
		Path: "/tmp/caddy", Capabilities: &image.Capabilities{Permitted: caps.Of(
			caps.NetBindService, caps.NetAdmin), Effective: true},
	}}}
}

// An incomplete scan of a container's own files is reported, and not repeated: only other programs
// are a reason to scan again, and not for ever.
func TestAnIncompleteLookIsRememberedAndSaid(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	looks := 0
	s.files = func(string, image.Limits) (image.Files, error) {
		s.locked(func() { looks++ })
		f := caddy()
		f.Incomplete = "it is larger than 1 MiB"
		return f, nil
	}
	got := s.record(t, Query{}, func() {
		s.count(7, caps.Chown, "/tmp/caddy")
		s.pass()
		s.pass()
		s.pass()
		s.locked(func() {
			if looks != 2 { // its image's and its own
				t.Errorf("looked %d times, want 2", looks)
			}
		})
		for _, program := range strings.Fields("a b c d e f g h") {
			s.count(7, caps.Chown, "/tmp/"+program)
			s.pass()
		}
	})
	if looks > 1+mostLastWish {
		t.Errorf("looked %d times", looks)
	}
	if why := got["docker:web"].Sources[0].FilesUnseen; why != "it is larger than 1 MiB" {
		t.Errorf("the evidence says %q", why)
	}
}

// File capabilities that the container set are its own doing: they keep only the defaults.
func TestFileCapabilitiesOfTheContainersMakingAreFlagged(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	held := caps.DockerDefaults | caps.Of(caps.NetAdmin)
	s.locked(func() {
		c := s.containers[id]
		c.Predicted = &held
		s.containers[id], s.written["/tmp/caddy"] = c, true
	})
	s.files = func(string, image.Limits) (image.Files, error) { return caddy(), nil }
	got := s.record(t, Query{}, func() { s.count(7, caps.Chown, "/tmp/caddy") })
	w := got["docker:web"]
	if w.Required != caps.Of(caps.Chown, caps.NetBindService) {
		t.Errorf("required %s", w.Required)
	}
	for _, n := range w.Needs {
		if !n.Flagged {
			t.Errorf("%s is not flagged: %+v", n.Cap, n.By)
		}
	}
}

func TestWhatIsReadOfAllContainersIsBounded(t *testing.T) {
	s := newStage()
	var asked []int64
	s.files = func(_ string, l image.Limits) (image.Files, error) {
		asked = append(asked, l.Bytes)
		return image.Files{Bytes: l.Bytes}, nil
	}
	b := newBudget()
	for range 10 {
		f, err := b.look(t.Context(), s, "x")
		if err != nil {
			t.Fatal(err)
		}
		if f.Bytes == 0 && f.Incomplete == "" {
			t.Error("a look that was not made is not said")
		}
	}
	if len(asked) != dayBytes/scanBytes || asked[0] != scanBytes {
		t.Errorf("asked for %v", asked)
	}
	if f, err := b.look(t.Context(), s, "x"); err != nil || !strings.Contains(f.Incomplete,
		"in a day are used up") {
		t.Errorf("%q, %v", f.Incomplete, err)
	}
	b.since = b.since.Add(-2 * scanDay)
	if f, err := b.look(t.Context(), s, "x"); err != nil || f.Incomplete != "" {
		t.Errorf("the next day: %q, %v", f.Incomplete, err)
	}
}

// slowly is an engine whose exports never end.
type slowly struct{ *stage }

func (slowly) Files(ctx context.Context, _ string, _ image.Limits) (image.Files, error) {
	<-ctx.Done()
	return caddy(), ctx.Err()
}

func TestALookTakesNoLongerThanItMay(t *testing.T) {
	b := newBudget()
	b.time = time.Millisecond
	f, err := b.look(t.Context(), slowly{newStage()}, "x")
	if err != nil || !strings.Contains(f.Incomplete, "longer than 1ms") || len(f.Programs) != 1 {
		t.Errorf("%+v, %v: want what was found until then", f, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.look(ctx, slowly{newStage()}, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Held is what was held at the start and at every look, although nothing is held at the end.
func TestHeldIsWhatWasEverHeld(t *testing.T) {
	s := newStage()
	id := s.add("web", 7)
	none, granted := caps.Set(0), caps.Of(caps.Setpcap, caps.Chown)
	s.locked(func() {
		c := s.containers[id]
		c.Predicted, c.Kernel = &granted, dropcap.Kernel{Visible: true, Bounding: &none}
		s.containers[id] = c
	})
	got := s.record(t, Query{}, func() {
		s.count(7, caps.Setpcap, "/bin/app")
		s.locked(func() {
			c := s.checks[0]
			c.Cap, c.Held = caps.Setuid, caps.Of(caps.Setuid, caps.NetRaw)
			exec := c
			exec.Origin, exec.Phase, exec.Held = dropcap.OriginExec, dropcap.PhaseRun,
				caps.Of(caps.SysAdmin)
			s.checks = append(s.checks, c, exec)
		})
	})
	w := got["docker:web"]
	if want := caps.Of(caps.Setpcap, caps.Chown, caps.Setuid, caps.NetRaw); w.Held != want {
		t.Errorf("held %s, want %s: what docker exec brought in is not its own", w.Held.Short(),
			want.Short())
	}
	if w.Required != caps.Of(caps.Setpcap, caps.Setuid) || w.Unused != caps.Of(caps.Chown,
		caps.NetRaw) {
		t.Errorf("required %s, unused %s", w.Required.Short(), w.Unused.Short())
	}
}
