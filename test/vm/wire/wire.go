// Package wire is the protocol between test/vm and its guest agent over a virtio-serial port:
// frames of a JSON header and raw bytes. The bytes stay out of the JSON because base64 under
// emulation costs seconds for each program copied.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// PortName is the virtio-serial port that the agent serves.
const PortName = "dropcap.agent"

// limit limits a header or a body: a longer one means that the two sides are out of step.
const limit = 512 << 20

// The operations of a Request.
const (
	Run    = "run"    // run Argv with Body as its input
	Put    = "put"    // write Body to Path, in one step
	Get    = "get"    // read Path
	Cancel = "cancel" // kill what the request of that ID started; has no reply of its own
)

// Request asks the agent for one operation. Requests run in parallel; ID pairs each with its Reply.
type Request struct {
	ID   uint64   `json:"id"`
	Op   string   `json:"op"`
	Argv []string `json:"argv,omitempty"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	Path string   `json:"path,omitempty"`
	Mode uint32   `json:"mode,omitempty"`
}

// Reply ends one request. ID 0 is the agent's greeting when it opens the port.
type Reply struct {
	ID uint64 `json:"id"`
	// Exit is the exit status, or 128 plus the number of the signal that ended the command.
	Exit int `json:"exit"`
	// Stdout is how many bytes of the body are standard output; the rest is standard error.
	Stdout int `json:"stdout"`
	// Error says why the operation did not happen at all.
	Error string `json:"error,omitempty"`
}

// Write sends a frame: two big-endian lengths, the header as JSON, the body.
func Write(w io.Writer, header any, body []byte) error {
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	frame := make([]byte, 8, 8+len(text))
	binary.BigEndian.PutUint32(frame, uint32(len(text)))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(body)))
	if _, err := w.Write(append(frame, text...)); err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	_, err = w.Write(body)
	return err
}

// Read reads a frame written by Write: the header into header, and returns the body. io.EOF means
// that the other side ended between frames.
func Read(r io.Reader, header any) ([]byte, error) {
	var lengths [8]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return nil, err
	}
	head, body := binary.BigEndian.Uint32(lengths[:]), binary.BigEndian.Uint32(lengths[4:])
	if head > limit || body > limit {
		return nil, fmt.Errorf("frame of %d and %d bytes: the stream is out of step", head, body)
	}
	text := make([]byte, int(head)+int(body))
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("frame cut short: %w", err)
	}
	return text[head:], json.Unmarshal(text[:head], header)
}
