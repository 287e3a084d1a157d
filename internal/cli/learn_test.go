package cli

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/host"
	"dropcap/internal/learn"
)

func TestARecordingIsShownWithoutATerminal(t *testing.T) {
	var out strings.Builder
	o := &learnTerminal{observer: observer{&app{err: &out}}}
	for _, p := range []host.Progress{
		host.TracerOpened{Hook: "fexit", Store: "/var/lib/dropcap"}, host.LearnBegun{},
		host.LearnedSoFar{Session: learn.Session{Containers: 2}},
		host.ImagesLeft{Count: 2}, host.ImagesLeft{Count: 1},
	} {
		o.Progress(p)
	}
	o.Warn(errors.New("web was not seen"))
	want := "learning through fexit; evidence goes to /var/lib/dropcap\n" +
		"looking at the files of 2 images\ndropcap: warning: web was not seen\n"
	if out.String() != want {
		t.Errorf("%s, want\n%s", out.String(), want)
	}
}

// A service logs what is worth a line, and tells systemd when it is ready and, once a minute, that
// it goes on.
func TestAServiceReportsToSystemd(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	heard := func() string {
		b := make([]byte, 1000)
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _ := c.Read(b)
		return string(b[:n])
	}
	var out strings.Builder
	s := &learnService{learnTerminal: &learnTerminal{observer: observer{&app{err: &out}}}}
	s.Progress(host.LearnBegun{})
	if got := heard(); got != "READY=1\nSTATUS=recording" {
		t.Errorf("at the beginning: %q", got)
	}
	s.Progress(host.LogLine{Text: "docker:web: needs CHOWN so far"})
	far := host.LearnedSoFar{Session: learn.Session{Containers: 9, Live: 1, Lost: 2}}
	s.Progress(far)
	s.Progress(far)
	s.reported = s.reported.Add(-time.Minute)
	far.Live = 3
	s.Progress(far)
	for _, want := range []string{
		"WATCHDOG=1\nSTATUS=1 container running, 9 so far, 2 checks lost",
		"WATCHDOG=1\nSTATUS=3 containers running, 9 so far, 2 checks lost",
	} {
		if got := heard(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if out.String() != "dropcap: recording\ndropcap: docker:web: needs CHOWN so far\n" {
		t.Errorf("it logs %q", out.String())
	}
}
