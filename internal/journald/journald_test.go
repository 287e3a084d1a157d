package journald

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// fields reads a datagram as journald does: a second reader of the protocol, by its specification.
func fields(t *testing.T, b []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		name, value, plain := strings.Cut(string(line), "=")
		if !plain {
			n := binary.LittleEndian.Uint64(rest)
			value, rest = string(rest[8:8+n]), rest[8+n+1:]
		}
		if _, twice := out[name]; twice {
			t.Errorf("%s comes twice", name)
		}
		out[name], b = value, rest
	}
	return out
}

func TestAnEntryCanBeSelectedBy(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "journal")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	j, err := Open(socket)
	if err != nil {
		t.Fatal(err)
	}
	o := dropcap.Occurrence{ID: "1", Kind: dropcap.OccurrenceExceeds, Severity: caps.High,
		Name: "web\nPRIORITY=0", Workload: "docker:web", Container: "c",
		Caps: caps.Of(caps.NetRaw, caps.Chown), Because: "it holds\nmuch"}
	if err := j.Send(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	n, err := l.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	got := fields(t, b[:n])
	for name, want := range map[string]string{
		"PRIORITY": "3", "SYSLOG_IDENTIFIER": "dropcap", "DROPCAP_KIND": "exceeds",
		"DROPCAP_NAME": o.Name, "MESSAGE": "web?PRIORITY=0: it holds?much",
		"DROPCAP_CAPABILITIES": "CAP_CHOWN CAP_NET_RAW", "MESSAGE_ID": MessageID,
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	var document dropcap.Occurrence
	if err := json.Unmarshal([]byte(got["DROPCAP_OCCURRENCE"]), &document); err != nil ||
		document.Name != o.Name {
		t.Errorf("%v, %+v", err, document)
	}
	if _, ok := got["DROPCAP_CHANGE"]; ok {
		t.Error("an empty field is written")
	}
}

func TestWhereNoJournalListens(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.HasPrefix(err.Error(), "cannot write to the journal: ") ||
		dropcap.ExitOf(err) != dropcap.ExitHost {
		t.Errorf("%v", err)
	}
}
