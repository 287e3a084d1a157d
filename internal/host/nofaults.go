//go:build !faults

package host

import "dropcap/internal/apply"

// faulty does nothing here; see faults.go.
func faulty(w apply.World) apply.World { return w }

// faultyLocks is empty here; see faults.go.
func faultyLocks() string { return "" }
