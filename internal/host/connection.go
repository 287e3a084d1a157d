package host

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// carries says how the connection that dropcap, or the person, works through goes through the
// container; empty if it does not, or if nobody can tell. Stopping such a container would cut it in
// the middle of a change.
func (o *originals) carries(c dropcap.Container, inspect json.RawMessage) string {
	if o.h.Kernel.Inside(c.ID) {
		return "dropcap itself runs in it"
	}
	if socket, ok := o.h.Local(); ok && o.h.Kernel.Listens(socket, c.ID) {
		return "it serves the socket " + socket
	}
	ports := publishedPorts(inspect)
	if port := tcpPort(o.h.Address()); port != "" && ports[port] {
		return "it publishes port " + port + ", which dropcap is connected to"
	}
	// "CLIENT CPORT SERVER SPORT" (sshd(8))
	if f := strings.Fields(os.Getenv("SSH_CONNECTION")); len(f) == 4 && ports[f[3]] {
		return fmt.Sprintf("it publishes port %s, which you are logged in through",
			printable.Line(f[3]))
	}
	return ""
}

// tcpPort is the port of an address such as tcp://127.0.0.1:2375; empty if it has none.
func tcpPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "unix" || u.Scheme == "npipe" {
		return ""
	}
	return u.Port()
}

// publishedPorts are the ports of the host that lead into a container, as declared and as assigned.
func publishedPorts(inspect json.RawMessage) map[string]bool {
	type binding struct{ HostPort string }
	var b struct {
		HostConfig      struct{ PortBindings map[string][]binding }
		NetworkSettings struct{ Ports map[string][]binding }
	}
	_ = json.Unmarshal(inspect, &b) // one that cannot be read is refused elsewhere
	ports := map[string]bool{}
	for _, all := range []map[string][]binding{b.HostConfig.PortBindings, b.NetworkSettings.Ports} {
		for _, list := range all {
			for _, p := range list {
				if p.HostPort != "" {
					ports[p.HostPort] = true
				}
			}
		}
	}
	return ports
}
