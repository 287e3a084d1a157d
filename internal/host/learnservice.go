package host

import (
	"runtime/debug"
	"time"

	"dropcap/internal/kernel"
)

// A service that learns runs for weeks beside what it watches: it keeps its heap small, and lets
// little garbage gather.
const (
	serviceMemory  = 48 << 20
	serviceGarbage = 40
	serviceRead    = 30 * time.Second // how often it reads the kernel's counters
)

func limitMemory() {
	debug.SetGCPercent(serviceGarbage)
	debug.SetMemoryLimit(serviceMemory)
}

// releaseMemory returns back what only the start has used.
func releaseMemory() {
	debug.FreeOSMemory()
	kernel.ForgetProgram()
}
