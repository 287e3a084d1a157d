// Package journald writes occurrences into systemd's journal, over its native protocol
// (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram with fields that journalctl can select by.
package journald

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// Socket is where the journal listens.
const Socket = "/run/systemd/journal/socket"

// MessageID is the MESSAGE_ID of all occurrences (sd_journal_print(3)).
const MessageID = "6f0c2b7b1d6a4b5c9a0e3d8c5f7e2a41"

// Journal is the journal of this host.
type Journal struct{ socket string }

// Open returns the journal behind a socket. The error says so if nothing listens there.
func Open(socket string) (*Journal, error) {
	c, err := dial(context.Background(), socket)
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = fmt.Errorf("nobody listens at %s: %w", socket, call.Err)
	}
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeHost, "leave --journal out where systemd-journald "+
			"does not run", "cannot write to the journal: %w", err)
	}
	c.Close()
	return &Journal{socket}, nil
}

func dial(ctx context.Context, socket string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unixgram", socket)
}

// Send writes an occurrence. It connects each time, since journald may have been restarted.
func (j *Journal) Send(ctx context.Context, o dropcap.Occurrence) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c, err := dial(ctx, j.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(end); err != nil {
			return err
		}
	}
	_, err = c.Write(entry(o, text))
	return err
}

// priorities are syslog's (syslog(3)): critical, error, warning, notice, informational.
var priorities = map[caps.Severity]string{caps.Critical: "2", caps.High: "3", caps.Medium: "4",
	caps.Low: "5"}

func entry(o dropcap.Occurrence, document []byte) []byte {
	var b bytes.Buffer
	priority := priorities[o.Severity]
	if priority == "" {
		priority = "6"
	}
	message := o.Because
	if o.Name != "" {
		message = o.Name + ": " + message
	}
	field(&b, "MESSAGE", printable.Line(message))
	field(&b, "MESSAGE_ID", MessageID)
	field(&b, "PRIORITY", priority)
	field(&b, "SYSLOG_IDENTIFIER", "dropcap")
	field(&b, "DROPCAP_KIND", string(o.Kind))
	field(&b, "DROPCAP_SEVERITY", string(o.Severity))
	field(&b, "DROPCAP_ID", o.ID)
	field(&b, "DROPCAP_CONTAINER", o.Container)
	field(&b, "DROPCAP_NAME", o.Name)
	field(&b, "DROPCAP_WORKLOAD", o.Workload)
	field(&b, "DROPCAP_CAPABILITIES", strings.Join(o.Caps.Names(), " "))
	field(&b, "DROPCAP_CHANGE", o.Change)
	field(&b, "DROPCAP_OCCURRENCE", string(document))
	return b.Bytes()
}

// field writes a field. A value with a line's end is written with its length, so that it cannot
// begin another field.
func field(b *bytes.Buffer, name, value string) {
	if value == "" {
		return
	}
	if !strings.Contains(value, "\n") {
		fmt.Fprintf(b, "%s=%s\n", name, value)
		return
	}
	b.WriteString(name + "\n")
	_ = binary.Write(b, binary.LittleEndian, uint64(len(value))) // a buffer takes all
	b.WriteString(value + "\n")
}
