package sdnotify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheServiceManagerHearsTheState(t *testing.T) {
	for name, address := range map[string]string{
		"a path":              filepath.Join(t.TempDir(), "notify"),
		"an abstract address": fmt.Sprintf("@dropcap-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			// net takes @ for an abstract one too
			at := &net.UnixAddr{Name: address, Net: "unixgram"}
			c, err := net.ListenUnixgram("unixgram", at)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			t.Setenv("NOTIFY_SOCKET", address)
			Send("READY=1")
			b := make([]byte, 100)
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			if n, err := c.Read(b); err != nil || string(b[:n]) != "READY=1" {
				t.Errorf("%q, %v", b[:n], err)
			}
		})
	}
}

// Without a service manager, or one that is gone, a service goes on.
func TestNobodyListens(t *testing.T) {
	for _, address := range []string{"", filepath.Join(t.TempDir(), "none"), "@",
		strings.Repeat("x", 200)} {
		t.Setenv("NOTIFY_SOCKET", address)
		Send("READY=1")
	}
}
