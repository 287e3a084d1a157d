package dropcap

import (
	"time"

	"dropcap/caps"
)

// Level is how strict a policy is.
type Level string

// The levels: cis is the control (no NET_RAW unless needed, nothing beyond the defaults unless
// needed, not privileged); least allows only what evidence or policy supports.
const (
	LevelCIS   Level = "cis"
	LevelLeast Level = "least"
)

// Policy is what an operator wants: how strict to be, which capabilities are needed, and which
// findings are accepted.
type Policy struct {
	Level   Level    `json:"level"`
	Keeps   []Keep   `json:"keeps"`
	Waivers []Waiver `json:"waivers"`
	// Harden says which workloads the service hardens without being asked; of several rules that
	// select a container the first counts.
	Harden []HardenRule `json:"harden,omitempty"`
	// "sha256:…" of its file; empty for the built-in policy
	Digest string `json:"-"`
}

// Selector selects containers. Every field that is set must match; glob patterns as in path.Match,
// but "*" matches "/" too. The zero value selects every container.
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

// HardenRule has the selected containers' workloads hardened.
type HardenRule struct {
	Containers Selector       `json:"containers"`
	Settings   HardenSettings `json:"settings"`
}

// Waiver accepts findings about these capabilities until it expires.
type Waiver struct {
	Containers Selector  `json:"containers"`
	Caps       caps.Set  `json:"capabilities"`
	Owner      string    `json:"owner"`
	Reason     string    `json:"reason"`
	Expires    time.Time `json:"expires"`        // the first moment at which it no longer applies
	Line       int       `json:"line,omitempty"` // in the policy file
}

// Expired reports whether the waiver no longer applies.
func (w Waiver) Expired(now time.Time) bool { return !w.Expires.IsZero() && !now.Before(w.Expires) }

// LastDay returns the last day, 2006-01-02 in UTC, on which the waiver applies, as the policy names
// it. Empty if it never expires.
func (w Waiver) LastDay() string {
	if w.Expires.IsZero() {
		return ""
	}
	return w.Expires.UTC().Add(-time.Nanosecond).Format(time.DateOnly)
}
