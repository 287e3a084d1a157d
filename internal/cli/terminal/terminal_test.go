package terminal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/apply"
)

func TestWhereThereIsNoTerminalNobodyIsAsked(t *testing.T) {
	var out strings.Builder
	err := Confirm(t.Context(), strings.NewReader("y\n"), &out, "Restart web?")
	var e *dropcap.Error
	if !errors.As(err, &e) || e.Code != dropcap.CodeUsage || e.Hint != "add --yes" ||
		out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
	if Counter(&out, "looked at") != nil {
		t.Error("it counts")
	}
}

func TestMessagesAreOnePlainLine(t *testing.T) {
	var out strings.Builder
	Warn(&out, errors.New("a\x1b[2J\nb"))
	Say(&out, "c\rd")
	if n := strings.Count(out.String(), "\n"); n != 2 || strings.ContainsAny(out.String(),
		"\x1b\r") {
		t.Errorf("%q", out.String())
	}
}

// A probe that goes on failing is shown once, and again when it comes out otherwise.
func TestARepeatedEffectIsShownWhenItComesOutOtherwise(t *testing.T) {
	var out strings.Builder
	var e Effects
	probe := apply.Progress{
		Container: "web", Ended: true, Took: time.Second, Err: errors.New("no answer"),
		Effect: dropcap.Effect{Name: "probe", Says: "probe web", Action: &dropcap.Run{}},
	}
	begins := probe
	begins.Ended = false
	works := probe
	works.Err = nil
	for _, p := range []apply.Progress{begins, probe, begins, probe, begins, works} {
		e.Show(&out, p)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 2 || !strings.HasSuffix(got[0], "failed: no answer") ||
		!strings.HasSuffix(got[1], "1.000 s") {
		t.Errorf("%q", got)
	}
}
