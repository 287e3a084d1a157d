package testenv

import (
	"testing"
	"time"
)

// Within calls ok until it returns true, and reports whether it did within the limit. Tests wait
// with it: a condition comes early on a quiet host and late on a busy one, and no sleep is right
// for both.
func Within(limit time.Duration, ok func() bool) bool {
	const first, most = time.Millisecond, 20 * time.Millisecond
	pause := first
	for end := time.Now().Add(limit); !ok(); time.Sleep(pause) {
		if time.Now().After(end) {
			return false
		}
		pause = min(pause*5/4, most)
	}
	return true
}

// Eventually waits as Within does, and fails the test if ok never returns true.
func Eventually(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	if !Within(limit, ok) {
		tb.Fatalf("no %s within %v", what, limit)
	}
}
