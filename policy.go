package dropcap

import (
	"time"

	"dropcap/caps"
)

// Level is how much is demanded.
type Level string

// The levels: cis is the control (no NET_RAW unless needed, nothing beyond the defaults unless
// needed, not privileged); least allows only what evidence or policy supports.
const (
	LevelCIS   Level = "cis"
	LevelLeast Level = "least"
)

// Policy is what an operator wants: how much to demand, what is known to be needed, and which
// findings are accepted.
type Policy struct {
	Level   Level    `json:"level"`
	Keeps   []Keep   `json:"keeps"`
	Waivers []Waiver `json:"waivers"`
	// "sha256:…" of the file it came from; empty for the built-in policy
	Digest string `json:"-"`
}

// Selector picks containers. Every field that is set must match; glob patterns as in path.Match,
// but "*" matches "/" too. The zero value picks every container.
type Selector struct {
	Name     string `json:"name,omitempty"`
	Image    string `json:"image,omitempty"`
	Label    string `json:"label,omitempty"` // "key" or "key=value"; the value is compared exactly
	Workload string `json:"workload,omitempty"`
}

// Keep says that the selected containers need these capabilities.
type Keep struct {
	Containers Selector `json:"containers"`
	Caps       caps.Set `json:"capabilities"`
	Reason     string   `json:"reason"`
}

// Waiver accepts findings about these capabilities, for a time.
type Waiver struct {
	Containers Selector  `json:"containers"`
	Caps       caps.Set  `json:"capabilities"`
	Owner      string    `json:"owner"`
	Reason     string    `json:"reason"`
	Expires    time.Time `json:"expires"`        // the first moment at which it no longer counts
	Line       int       `json:"line,omitempty"` // in the policy file
}

// Expired tells whether the waiver no longer counts.
func (w Waiver) Expired(now time.Time) bool { return !w.Expires.IsZero() && !now.Before(w.Expires) }

// LastDay is the last day, 2006-01-02 in UTC, on which the waiver counts: the one that the policy
// names. Empty if it never expires.
func (w Waiver) LastDay() string {
	if w.Expires.IsZero() {
		return ""
	}
	return w.Expires.UTC().Add(-time.Nanosecond).Format(time.DateOnly)
}
