package host

import (
	"os"
	"runtime"
)

// headroom is memory that is reserved and never touched. The collector begins when as much again
// is in use as was left by its last run (GOGC), which for a program that looks at one host and ends
// means a run for every few milliseconds of work; with this it hardly runs at all. It costs
// no memory but what is not collected meanwhile, at most as much again, on hosts of any size.
const headroom = 6 << 20

// unhurried has the collector begin late, until the command ends.
func unhurried() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	reserved := make([]byte, headroom)
	return func() { runtime.KeepAlive(reserved) }
}
