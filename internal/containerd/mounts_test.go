package containerd

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
)

// The folder that containerd names for a container, running or never started, holds the container's
// own files.
func TestTheLayerOfAContainerIsFound(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker29)
	if _, err := e.Import("layer:1"); err != nil {
		t.Fatal(err)
	}
	var info struct {
		Driver     string
		Containerd struct {
			Address    string
			Namespaces struct{ Containers string }
		}
	}
	status, body, err := e.Raw(t.Context(), "GET", "/info", "")
	if err != nil || status != 200 {
		t.Fatalf("GET /info: %d, %v", status, err)
	}
	if err := json.Unmarshal(body, &info); err != nil {
		t.Fatal(err)
	}
	s := Store{Address: info.Containerd.Address, Namespace: info.Containerd.Namespaces.Containers,
		Snapshotter: info.Driver}
	running := e.RunContainer(t, "running",
		`{"Image":"layer:1","Cmd":["sh","-c","echo mine >/written; exec sleep 1000"]}`)
	created := e.Create(t, "created", `{"Image":"layer:1","Cmd":["sleep","1000"]}`)
	if _, code := e.Exec(t, running,
		dockertest.ExecOptions{Cmd: []string{"sh", "-c",
			"until [ -s /written ]; do :; done"}}); code != 0 {
		t.Fatalf("nothing was written: exit status %d", code)
	}
	upper, err := s.Upper(t.Context(), running)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(upper, "written")); err != nil || string(b) != "mine\n" {
		t.Errorf("in the layer stands %q, %v", b, err)
	}
	if root, err := s.Root(t.Context()); err != nil ||
		filepath.Dir(filepath.Dir(filepath.Dir(upper))) != root {
		t.Errorf("the layer is %s, and all layers are below %q, %v", upper, root, err)
	}
	other, err := s.Upper(t.Context(), created)
	if err != nil || other == upper {
		t.Errorf("the layer of a container that never ran is %q, %v", other, err)
	}
	if _, err := s.Upper(t.Context(), strings.Repeat("0", 64)); err == nil ||
		!strings.Contains(err.Error(), "does not exist") {
		t.Errorf("of a container that is not there it says: %v", err)
	}
}

func TestWhoeverIsNotContainerdIsAnError(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			c.Close()
		}
	}()
	for _, address := range []string{socket, socket + "-absent"} {
		if upper, err := (Store{Address: address}).Upper(t.Context(), "x"); err == nil {
			t.Errorf("%s gives %q", address, upper)
		}
	}
}

func TestBrokenMessagesAreErrors(t *testing.T) {
	for _, b := range []string{"\x0a", "\x0a\xff", "\x0a\x05abc", "\x08",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if list, err := fields([]byte(b), 1); err == nil {
			t.Errorf("%q is read as %q", b, list)
		}
	}
}
