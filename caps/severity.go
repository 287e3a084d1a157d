package caps

// Severity grades a capability in an attacker's hands, or a finding for its host.
type Severity string

// The severities. Critical: a known attack takes the host. High: other tenants, the network or the
// host's kernel are within reach. Medium: one step of a chain. Low: little on its own.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank orders severities: 0 (none) to 4 (critical).
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Critical:
		return 4
	default:
		return 0
	}
}

// Worse returns the worse of s and t.
func (s Severity) Worse(t Severity) Severity {
	if t.Rank() > s.Rank() {
		return t
	}
	return s
}
