package exporter

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/metrics"
	"dropcap/internal/testenv"
)

func open(t *testing.T, where string) (*Exporter, *atomic.Int32) {
	t.Helper()
	asked := new(atomic.Int32)
	e, err := Open(where, func(context.Context) metrics.State {
		asked.Add(1)
		return metrics.State{Version: "1.2.3"}
	}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return e, asked
}

// freePort returns an address of this machine that nobody uses.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, c *http.Client, method, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAnAddressOfThisMachine(t *testing.T) {
	at := freePort(t)
	e, asked := open(t, at)
	defer e.Close()
	c := &http.Client{}
	for range 20 {
		if status, text := get(t, c, "GET", "http://"+at+"/metrics", ""); status != 200 ||
			!strings.Contains(text, `dropcap_build_info{version="1.2.3"`) {
			t.Fatalf("%d\n%s", status, text)
		}
	}
	if n := asked.Load(); n > 5 {
		t.Errorf("computed %d times for 20 questions at once", n)
	}
	for _, c2 := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/metrics", "attacker.example:9464", 421}, {"GET", "/metrics", "127.0.0.1.x", 421},
		{"GET", "/metrics", "localhost", 200}, {"GET", "/metrics", "[::1]:9464", 200},
		{"POST", "/metrics", "", 405}, {"GET", "/", "", 404}, {"GET", "/metrics/x", "", 404},
	} {
		if status, text := get(t, c, c2.method, "http://"+at+c2.path, c2.host); status != c2.want {
			t.Errorf("%+v: %d %s", c2, status, text)
		}
	}
	if _, err := Open(at, nil, nil); err == nil || !strings.HasPrefix(err.Error(),
		"cannot export metrics at "+at+": address already in use") {
		t.Errorf("%v", err)
	}
}

// Connections that say nothing use up no more than their number, and end by themselves; a scrape
// waits for one of them at most.
func TestIdleConnectionsAreBounded(t *testing.T) {
	at := freePort(t)
	e, _ := open(t, at)
	defer e.Close()
	var idle []net.Conn
	for range 3 * connections {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	for _, c := range idle {
		c.Close()
	}
	if status, _ := get(t, &http.Client{Timeout: time.Minute}, "GET", "http://"+at+"/metrics",
		""); status != 200 {
		t.Error(status)
	}
}

func TestASocket(t *testing.T) {
	path := filepath.Join(testenv.ShortFolder(t), "m.sock")
	e, _ := open(t, "unix:"+path)
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string,
		string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	if status, text := get(t, c, "GET", "http://any.name/metrics", ""); status != 200 ||
		!strings.Contains(text, "dropcap_build_info") {
		t.Errorf("%d %s", status, text)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", i.Mode(), err)
	}
	if _, err := Open("unix:"+path, nil, nil); err == nil {
		t.Error("two listen at one socket")
	}
	c.CloseIdleConnections()
	e.Close()
	// what a killed process left
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	e, _ = open(t, "unix:"+path)
	e.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("unix:"+path, nil, nil); err == nil ||
		!strings.Contains(err.Error(), "something else than a socket") {
		t.Errorf("%v", err)
	}
}

func TestAFileForNodeExporter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dropcap.prom")
	e, _ := open(t, "file:"+path)
	b, err := os.ReadFile(path)
	i, statErr := os.Stat(path)
	if err != nil || statErr != nil || i.Mode().Perm() != 0o644 ||
		!strings.Contains(string(b), "dropcap_build_info") {
		t.Errorf("%v, %v, %s", err, i.Mode(), b)
	}
	e.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("what was known once is left behind")
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for where, status := range map[string]int{
		"0.0.0.0:9464": dropcap.ExitUsage, ":9464": dropcap.ExitUsage,
		"10.0.0.1:9464": dropcap.ExitUsage, "example.com:9464": dropcap.ExitUsage,
		"9464": dropcap.ExitUsage, "unix:relative": dropcap.ExitUsage,
		"file:relative.prom": dropcap.ExitUsage, "file:/tmp/x": dropcap.ExitUsage,
		"file:/nonexistent/x.prom": dropcap.ExitError,
		"unix:/nonexistent/x":      dropcap.ExitError, "127.0.0.1:http2": dropcap.ExitError,
	} {
		e, err := Open(where, func(context.Context) metrics.State { return metrics.State{} },
			func(error) {})
		if err == nil {
			e.Close()
		}
		if err == nil || dropcap.ExitOf(err) != status ||
			!strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v", where, err)
		}
	}
}
