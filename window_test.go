package dropcap_test

import (
	"testing"
	"time"

	"dropcap"
)

func TestWindows(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		t.Helper()
		m, err := time.ParseInLocation("2006-01-02 15:04:05", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct{ window, now, next string }{
		{"02:00-05:00", "2026-01-10 12:00:00", "2026-01-11 02:00:00"},
		{"02:00-05:00", "2026-01-10 02:00:00", "2026-01-10 02:00:00"},
		{"02:00-05:00", "2026-01-10 04:54:59", "2026-01-10 04:54:59"},
		{"02:00-05:00", "2026-01-10 04:55:00", "2026-01-11 02:00:00"}, // too late to end in it
		{"22:30-01:00", "2026-01-10 23:59:59", "2026-01-10 23:59:59"},
		{"22:30-01:00", "2026-01-10 00:30:00", "2026-01-10 00:30:00"},
		{"22:30-01:00", "2026-01-10 01:00:00", "2026-01-10 22:30:00"},
		{"12:00-12:04", "2026-01-10 12:01:59", "2026-01-10 12:01:59"},
		{"12:00-12:04", "2026-01-10 12:02:00", "2026-01-11 12:00:00"},
		{"00:00-23:59", "2026-01-10 23:58:00", "2026-01-11 00:00:00"},
		// In this night clocks go from 02:00 to 03:00.
		{"02:00-02:30", "2026-03-28 12:00:00", "2026-03-30 02:00:00"},
		{"02:30-03:30", "2026-03-28 12:00:00", "2026-03-29 03:00:00"},
		// In this one from 03:00 back to 02:00.
		{"02:00-03:00", "2026-10-24 12:00:00", "2026-10-25 02:00:00"},
	} {
		w, err := dropcap.ParseWindow(c.window)
		if err != nil || w.String() != c.window {
			t.Fatal(w, err)
		}
		next := w.Next(at(c.now))
		if got := next.Format("2006-01-02 15:04:05"); got != c.next || !w.Open(next) {
			t.Errorf("window %s at %s: next %s, want %s", c.window, c.now, got, c.next)
		}
	}
	for _, bad := range []string{"2-5", "02:00", "02:00-02:00", "24:00-01:00", "02:00-05:60",
		" 02:00-05:00", "02:00–05:00", "2:00-5:00"} {
		if _, err := dropcap.ParseWindow(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	w, err := dropcap.ParseWindow("")
	if err != nil || !w.Always() || !w.Open(at("2026-01-10 12:00:00")) {
		t.Error("no window is not always open")
	}
}
