package apply

import "time"

// Gate is what a changed container has to pass.
type Gate struct {
	Probe     []string      `json:"probe,omitempty"`      // a program of this host and its arguments; it must exit with 0
	ProbeExec []string      `json:"probe_exec,omitempty"` // the same in the container
	Soak      time.Duration `json:"soak"`                 // how long it must go on well once it is ready
	Timeout   time.Duration `json:"timeout"`              // how long it may take to be ready; 0: by its healthcheck
}
