package dropcap_test

import (
	"testing"
	"time"

	"dropcap"
)

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "30m": 30 * time.Minute, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "0d": 0, "1d90s": 24*time.Hour + 90*time.Second,
		"366d": dropcap.LongestSpan,
	} {
		if got, err := dropcap.ParseSpan(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "7", "d", "-1h", "1d-2h", "7 d", "1h1d", "367d", "9999d",
		"100000h", "1w", "NaNh", "1d1d", "365d48h"} {
		if got, err := dropcap.ParseSpan(bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}
