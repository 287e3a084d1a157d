// Package sdnotify reports the state of this process to systemd (sd_notify(3)).
package sdnotify

import (
	"net"
	"os"
)

// Send sends a state such as "READY=1" to the service manager, if there is one that listens. A
// failure is not reported: the service goes on.
func Send(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // an abstract address
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}
