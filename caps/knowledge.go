package caps

import "fmt"

// Knowledge is what dropcap tells about a capability, in sentences for people.
//
// Grades are for an attacker who controls a root process of an ordinary Docker container: the host's user namespace, its own network,
// PID and IPC namespaces, the default seccomp and AppArmor profiles, no devices. Critical: a known way leads from that capability alone
// to the host (the engine's seccomp profile opens the system calls with it). High: it reaches beyond the container's own namespaces,
// to neighbours on the network, to the host's clock or to parts of the kernel that had bugs with that outcome, or it takes over whatever
// enters the container with more power. Medium: it reaches other users' files, credentials or share of the machine once something
// is shared with the container, or serves as one step of a known chain. Low: little, unless further settings are given away; Limits
// names them.
type Knowledge struct {
	Cap      Cap      `json:"cap"`
	Severity Severity `json:"severity"`
	Permits  string   `json:"permits"`   // what the kernel allows with it; one sentence
	Attack   string   `json:"attack"`    // what an attacker in a container does with it
	Limits   string   `json:"limits"`    // what confines that in an ordinary container, and when nothing does
	NeededBy string   `json:"needed_by"` // programs that really need it, and when they do not
	Without  string   `json:"without"`   // what breaks without it, and with which errno
	Sources  []string `json:"sources"`   // manual pages, CVE ids, "kernel/file.c function", "moby …"; shared, not to be changed
}

var knowledge = func() (table [len(names)]Knowledge) {
	for _, part := range [][]Knowledge{knowledgeFiles, knowledgeProcess, knowledgeNet, knowledgeSystem} {
		for _, k := range part {
			table[k.Cap] = k
		}
	}
	return table
}()

// Knowledge tells about c. For a number without a name it says that this dropcap does not know it.
func (c Cap) Knowledge() Knowledge {
	if int(c) < len(knowledge) {
		return knowledge[c]
	}
	return Knowledge{
		Cap: c, Severity: High, // what is not known is not played down
		Permits:  fmt.Sprintf("Not known to this dropcap, whose table ends at %s: it is of a newer kernel.", Last),
		Attack:   "Not known. Until it is, take it for dangerous.",
		Limits:   "Not known. It is not among Docker's defaults; privileged and ALL may bring it.",
		NeededBy: "Not known; see capabilities(7) of the host's kernel, or a newer dropcap.",
		Without:  "Not known; the kernel's usual answer is EPERM.",
		Sources:  []string{"capabilities(7)"},
	}
}

// Severity is how bad c is in an attacker's hands.
func (c Cap) Severity() Severity { return c.Knowledge().Severity }

// Severity is that of the worst member; empty for the empty set.
func (s Set) Severity() Severity {
	var worst Severity
	for _, c := range s.List() {
		worst = worst.Worse(c.Severity())
	}
	return worst
}
