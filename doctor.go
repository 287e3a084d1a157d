package dropcap

import "slices"

// Report says which of dropcap's requirements a host meets.
type Report struct {
	Schema  string  `json:"schema"`
	Created string  `json:"created"` // RFC 3339, UTC
	Host    Host    `json:"host"`
	Checks  []Check `json:"checks"` // in the order in which to fix them
}

// Check is the result for one requirement.
type Check struct {
	Name   string      `json:"name"`
	Status CheckStatus `json:"status"`
	Detail string      `json:"detail"` // one line: what was found
	Remedy string      `json:"remedy"` // one line; empty if nothing needs to be or can be done
	// the verbs that need it; empty if it is only information
	Needed []string `json:"needed"`
}

// CheckStatus is the outcome of a check.
type CheckStatus string

// The outcomes. Missing: the verbs that need it do not work. Warning: they work less well, or it is
// not known whether they would.
const (
	CheckOK      CheckStatus = "ok"
	CheckMissing CheckStatus = "missing"
	CheckWarning CheckStatus = "warning"
)

// Blocks reports whether a missing requirement prevents a verb on this host.
func (r Report) Blocks(verb string) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool {
		return c.Status == CheckMissing && slices.Contains(c.Needed, verb)
	})
}
