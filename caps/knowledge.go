package caps

import "fmt"

// Knowledge explains a capability in sentences for people.
//
// Grades assume an attacker who controls a root process of an ordinary Docker container: in the
// host's user namespace, with its own network, PID and IPC namespaces, the default seccomp and
// AppArmor profiles, and no devices.
//
// Critical: a known attack leads from this capability alone to the host (the engine's seccomp
// profile opens the system calls with it). High: it reaches beyond the container's own namespaces,
// to neighbours on the network, to the host's clock or to parts of the kernel that had such bugs,
// or it takes over whatever enters the container with more privileges. Medium: it reaches other
// users' files, credentials or share of the machine once something is shared with the container, or
// it is one step of a known chain. Low: little, unless further settings are relaxed; Limits names
// them.
type Knowledge struct {
	Cap      Cap      `json:"cap"`
	Severity Severity `json:"severity"`
	Permits  string   `json:"permits"` // what the kernel allows with it; one sentence
	Attack   string   `json:"attack"`  // how an attacker in a container uses it
	// what confines it in an ordinary container, and when nothing does
	Limits   string `json:"limits"`
	NeededBy string `json:"needed_by"` // programs that really need it, and when they do not
	Without  string `json:"without"`   // what breaks without it, and with which errno
	// manual pages, CVE ids, "kernel/file.c function", "moby …"; shared, not to be changed
	Sources []string `json:"sources"`
}

var knowledge = func() (table [len(names)]Knowledge) {
	for _, part := range [][]Knowledge{knowledgeFiles, knowledgeProcess, knowledgeNet,
		knowledgeSystem} {
		for _, k := range part {
			table[k.Cap] = k
		}
	}
	return table
}()

// Knowledge returns the explanation of c. For a number without a name it states that this version
// of dropcap does not know it.
func (c Cap) Knowledge() Knowledge {
	if int(c) < len(knowledge) {
		return knowledge[c]
	}
	return Knowledge{
		Cap: c, Severity: High, // an unknown capability is not played down
		Permits: fmt.Sprintf("Not known to this dropcap, whose table ends at %s: it is of a "+
			"newer kernel.", Last),
		Attack:   "Not known. Until it is, take it for dangerous.",
		Limits:   "Not known. It is not among Docker's defaults; privileged and ALL may bring it.",
		NeededBy: "Not known; see capabilities(7) of the host's kernel, or a newer dropcap.",
		Without:  "Not known; the kernel's usual answer is EPERM.",
		Sources:  []string{"capabilities(7)"},
	}
}

// Severity returns how dangerous c is in an attacker's hands.
func (c Cap) Severity() Severity { return c.Knowledge().Severity }

// Severity returns the worst severity among the members; empty for the empty set.
func (s Set) Severity() Severity {
	var worst Severity
	for _, c := range s.List() {
		worst = worst.Worse(c.Severity())
	}
	return worst
}
