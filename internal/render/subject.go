package render

import (
	"crypto/sha256"
	"encoding/json"

	"dropcap"
	"dropcap/internal/printable"
)

// subject is one container with its findings, or the policy; in a fleet, all hosts' with the same
// ones.
type subject struct {
	name     string
	verdict  dropcap.Verdict
	findings []dropcap.Finding
	fix      string
	hosts    []string // of a fleet
}

// title names the container, and in a fleet the hosts.
func (m subject) title(o Options) string {
	if len(m.hosts) == 0 {
		return m.name
	}
	return m.name + " on " + nodes(m.hosts, o)
}

// subjects returns everything that has findings, in the order of the documents.
func (s audits) subjects() []subject {
	var out []subject
	at := map[[sha256.Size]byte]int{}
	add := func(host string, m subject) {
		if len(m.findings) == 0 {
			return
		}
		if s.fleet == nil {
			out = append(out, m)
			return
		}
		k := m.key()
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, m)
		}
		if n := len(out[i].hosts); n == 0 || out[i].hosts[n-1] != host {
			// replicas on one host are named once
			out[i].hosts = append(out[i].hosts, host)
		}
	}
	for d, a := range s.each {
		for _, c := range a.Containers {
			add(d.Host, subject{name: c.Name, verdict: c.Verdict, findings: c.Findings, fix: c.Fix})
		}
		add(d.Host, subject{name: "policy", findings: a.Findings})
	}
	return out
}

func (m subject) key() [sha256.Size]byte {
	// of plain values, so it cannot fail
	text, _ := json.Marshal([]any{m.name, m.verdict, m.findings, m.fix})
	return sha256.Sum256(text)
}

// where names what was audited: a host, or the number of hosts.
func (s audits) where() string {
	if s.fleet == nil {
		return hostName(s.first().Host)
	}
	return printable.Count(s.hosts, "host")
}
