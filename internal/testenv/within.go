package testenv

import (
	"testing"
	"time"
)

// Within asks again and again until ok says true, and tells whether it did within a time. It is
// how tests wait: a condition comes soon on a quiet host and late on a busy one, and no sleep is
// right for both.
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

// Eventually waits as Within does, and fails the test if there is none of what it waits for.
func Eventually(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	if !Within(limit, ok) {
		tb.Fatalf("no %s within %v", what, limit)
	}
}
