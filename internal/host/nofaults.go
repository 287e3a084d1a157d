//go:build !faults

package host

import "dropcap/internal/apply"

// faulty does nothing here; see faults.go.
func faulty(w apply.Executor) apply.Executor { return w }

// watchable is whether changes are watched over; see faults.go.
func watchable() bool { return true }

// faultyLocks is empty here; see faults.go.
func faultyLocks() string { return "" }
