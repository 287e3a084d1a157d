package fake

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSweep: the next start removes what a killed test left, and spares a living fake.
func TestSweep(t *testing.T) {
	living := Start(t, Options{})
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, socket := range []string{dead, living.Socket} {
		if err := os.Chtimes(socket, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	Start(t, Options{})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if status, _, err := living.Raw(t.Context(), "GET", "/_ping", ""); err != nil || status != 200 {
		t.Errorf("the living one: %d, %v", status, err)
	}
}
