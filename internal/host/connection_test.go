package host

import (
	"encoding/json"
	"testing"
)

// Only a TCP port at the very address of a login leads the login into the container.
func TestALoginLeadsIntoAContainerByAddressAndPort(t *testing.T) {
	bound := func(port, ip string) json.RawMessage {
		return json.RawMessage(`{"HostConfig":{"PortBindings":{"` + port + `":[{"HostIp":"` + ip +
			`","HostPort":"22"}]}}}`)
	}
	for _, c := range []struct {
		port, ip, server string
		want             bool
	}{
		{"22/tcp", "", "192.0.2.1", true},
		{"22", "", "192.0.2.1", true},
		{"2222/tcp", "0.0.0.0", "192.0.2.1", true},
		{"22/tcp", "::", "192.0.2.1", true},
		{"22/tcp", "192.0.2.1", "192.0.2.1", true},
		{"22/tcp", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"22/tcp", "192.0.2.1", "", true},
		{"22/tcp", "192.0.2.2", "192.0.2.1", false},
		{"22/tcp", "127.0.0.1", "192.0.2.1", false},
		{"22/udp", "", "192.0.2.1", false},
	} {
		if got := publishes(publishedPorts(bound(c.port, c.ip)), c.server, "22"); got != c.want {
			t.Errorf("%s of %q to %q: %v", c.port, c.ip, c.server, got)
		}
	}
	assigned := json.RawMessage(
		`{"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"","HostPort":"32768"}],"81/tcp":null}}}`)
	if l := publishedPorts(assigned); !publishes(l, "", "32768") || publishes(l, "", "22") ||
		publishes(l, "", "") {
		t.Errorf("assigned: %v", l)
	}
}
