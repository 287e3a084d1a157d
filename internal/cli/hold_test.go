package cli

import (
	"testing"
	"time"
)

func TestUntilWhen(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"released":             {},
		"2026-05-01":           time.Date(2026, 5, 2, 0, 0, 0, 0, time.Local), // its end
		"72h":                  now.Add(72 * time.Hour),
		"2027-01-01T06:00:00Z": time.Date(2027, 1, 1, 6, 0, 0, 0, time.UTC),
	} {
		if got, err := untilWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "tomorrow", "-1h", "0s", "2026-04-30"} {
		if got, err := untilWhen(text, now); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}
