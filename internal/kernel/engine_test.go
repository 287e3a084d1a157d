package kernel

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dropcap/internal/testenv"
)

// activated starts cat under an engine's name with the listening socket open, as systemd's socket
// activation does. The peer of a connection stays the process that called listen, this test.
func activated(t *testing.T, l *net.UnixListener, name string) int {
	t.Helper()
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(program)
	cmd.ExtraFiles = []*os.File{f}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func listen(t *testing.T) (*net.UnixListener, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, socket
}

func TestEngineCapsFindsTheEngineBehindSocketActivation(t *testing.T) {
	testenv.Need(t, testenv.Root)
	l, socket := listen(t)
	pid := activated(t, l, "dockerd")
	other, _ := listen(t)
	activated(t, other, "dockerd") // an engine on another socket
	activated(t, l, "proxy")       // not an engine
	s, err := local(t).status(itoa(pid))
	if err != nil {
		t.Fatal(err)
	}
	set, got, ok := local(t).EngineCaps(socket)
	if !ok || got != pid || set != s.masks.effective || set == 0 {
		t.Errorf("EngineCaps = %s, %d, %v; want those of %d", set, got, ok, pid)
	}
}

func TestEngineCapsDoesNotChooseBetweenTwo(t *testing.T) {
	testenv.Need(t, testenv.Root)
	l, socket := listen(t)
	activated(t, l, "dockerd")
	activated(t, l, "podman")
	if set, pid, ok := local(t).EngineCaps(socket); ok {
		t.Errorf("EngineCaps = %s, %d though two engines hold the socket", set, pid)
	}
}

func TestEngineCapsOfNoSocket(t *testing.T) {
	if _, _, ok := local(t).EngineCaps(filepath.Join(t.TempDir(), "none")); ok {
		t.Error("ok without a socket")
	}
}
