package cloud

// The kinds of Fault.
const (
	Throttle = "throttle" // ThrottlingException
	// InvocationDoesNotExist, as happens briefly after SendCommand
	NotYet      = "not-yet"
	ServerError = "server-error" // InternalServerError, 500
	// the connection is closed without an answer, after the request took effect
	Drop = "drop"
	// the node's final reply never arrives: it ends as DeliveryTimedOut
	LostReply = "lost-reply"
	// the command is delivered twice, under two ids, and so run twice
	Duplicate    = "duplicate"
	Redelivered  = "redelivered"   // the same message is delivered twice, and so run once
	Damaged      = "damaged"       // a byte of the node's output is changed
	Truncated    = "truncated"     // the output ends early
	NeverStarted = "never-started" // the agent fetches the message and forgets it
	// the agent dies while the command runs, which continues; a minute later another agent reports
	// that it failed
	KilledMidway  = "killed-midway"
	AccessDenied  = "access-denied"
	ExpiredTokens = "expired-token"
	LostObject    = "lost-object" // the node's output does not reach the bucket
	// DamagedPackage: the package's file that a node gets does not match its manifest.
	DamagedPackage = "damaged-package"
)

// Fault is something that goes wrong, a number of times. API faults (Throttle, NotYet, ServerError,
// Drop, AccessDenied, ExpiredTokens) name an API such as "ssm:SendCommand", or none for all; the
// others name a node, or none for all.
type Fault struct {
	Kind  string
	API   string
	Node  string
	Times int // how often; 0 means for ever
	After int // how many requests pass first
	spent bool
}

// Inject adds a fault.
func (c *Cloud) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &f)
}

// Heal removes all faults.
func (c *Cloud) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults, c.denied = nil, map[string]bool{}
}

// Deny refuses an API ("ssm:SendCommand") to everybody, as a policy without it would.
func (c *Cloud) Deny(api string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[api] = true
}

// fault reports whether a fault of this kind strikes here, and uses it up.
func (c *Cloud) fault(kind, api, node string) bool {
	for _, f := range c.faults {
		if f.spent || f.Kind != kind || f.API != "" && f.API != api ||
			f.Node != "" && f.Node != node {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		if f.Times == 1 {
			f.spent = true
		} else if f.Times > 1 {
			f.Times--
		}
		return true
	}
	return false
}
