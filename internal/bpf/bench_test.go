package bpf

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// BenchmarkCheck measures what counting adds to one check: the same loop of setuid(0) untraced, in
// a cgroup that is not watched, and in one that is. It interleaves the rounds and compares the
// medians of processor time, since hosts are noisy.
func BenchmarkCheck(b *testing.B) {
	const calls, rounds = 300_000, 15
	took := map[string][]float64{}
	for range rounds {
		for _, mode := range []string{"untraced", "unwatched", "watched"} {
			took[mode] = append(took[mode], onceAs(b, mode, calls))
		}
	}
	median := func(mode string) float64 {
		slices.Sort(took[mode])
		return took[mode][rounds/2]
	}
	for b.Loop() { // already measured
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median("untraced"), "ns/untraced")
	b.ReportMetric(median("unwatched")-median("untraced"), "ns/unwatched-added")
	b.ReportMetric(median("watched")-median("untraced"), "ns/watched-added")
}

func onceAs(b *testing.B, mode string, calls int) float64 {
	b.Helper()
	box := newBox(b)
	if mode != "untraced" {
		tr, err := Open(Options{Hook: os.Getenv("DROPCAP_TEST_HOOK")})
		if err != nil {
			b.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Watch(box.id, mode == "watched"); err != nil {
			b.Fatal(err)
		}
	}
	cmd := box.command(self(b), fmt.Sprintf("setuid0:%d", calls))
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return float64((cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()).
		Nanoseconds()) / float64(calls)
}
