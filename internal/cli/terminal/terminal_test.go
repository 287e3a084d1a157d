package terminal

import (
	"errors"
	"strings"
	"testing"

	"dropcap"
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
