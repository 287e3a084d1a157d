package host

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// connectionThrough says how stopping the container would cut dropcap's connection to the engine,
// or the operator's SSH session, during a change; empty if it would not, or if that is unknown.
func (o *originals) connectionThrough(c dropcap.Container, inspect json.RawMessage) string {
	if o.h.Kernel.Inside(c.ID) {
		return "dropcap itself runs in it"
	}
	if socket, ok := o.h.Local(); ok && o.h.Kernel.Listens(socket, c.ID) {
		return "it serves the socket " + socket
	}
	list := publishedPorts(inspect)
	if port := tcpPort(o.h.Address()); port != "" && publishes(list, "", port) {
		return "it publishes port " + port + ", which dropcap is connected to"
	}
	// "CLIENT CPORT SERVER SPORT" (sshd(8)): of this machine, so it does not apply to a remote
	// engine.
	f := strings.Fields(os.Getenv("SSH_CONNECTION"))
	if len(f) == 4 && o.isHere() && publishes(list, f[2], f[3]) {
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

// binding is a TCP port of the host that leads into a container.
type binding struct{ HostIP, HostPort string }

// publishedPorts are the TCP ports that lead into a container, as declared and as assigned.
func publishedPorts(inspect json.RawMessage) []binding {
	var b struct {
		HostConfig      struct{ PortBindings map[string][]binding }
		NetworkSettings struct{ Ports map[string][]binding }
	}
	_ = json.Unmarshal(inspect, &b) // one that cannot be read is refused elsewhere
	var list []binding
	for _, all := range []map[string][]binding{b.HostConfig.PortBindings, b.NetworkSettings.Ports} {
		for port, bound := range all {
			if _, protocol, given := strings.Cut(port, "/"); !given || protocol == "tcp" {
				list = append(list, bound...)
			}
		}
	}
	return list
}

// publishes reports whether a connection to that address and port of the host leads into the
// container. An address that is not known, or does not parse, may be any.
func publishes(list []binding, address, port string) bool {
	to, err := netip.ParseAddr(address)
	return slices.ContainsFunc(list, func(b binding) bool {
		from, bad := netip.ParseAddr(b.HostIP)
		anywhere := err != nil || bad != nil || from.IsUnspecified()
		return b.HostPort == port && port != "" && (anywhere || from.Unmap() == to.Unmap())
	})
}
