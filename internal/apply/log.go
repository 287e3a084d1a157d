package apply

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"time"

	"dropcap"
)

// KeepLog is the journal's key for the last output of a new container that failed. It may hold
// secrets, so it is stored nowhere else.
const KeepLog = "log"

const (
	logLines = "200"
	logBytes = 64 << 10
	// logTime is how long reading it may take: nothing hangs on it, and the old container waits to
	// be started.
	logTime = 3 * time.Second
)

// keepLog keeps what a container printed last, since it is about to be removed and its log with it.
// Some log drivers cannot be read.
func (r *Runner) keepLog(ctx context.Context, c *change, s *containerState) {
	if s == nil || !s.began() || c.keep == nil || c.keep[KeepLog] != nil {
		return
	}
	result, err := r.do(ctx, c, dropcap.Effect{Name: "read-log", Says: "keep what " + s.Name +
		" printed last", Action: &dropcap.Call{
		Method: http.MethodGet, Path: "/containers/" + s.ID + "/logs",
		Query: map[string]string{"stdout": "1", "stderr": "1", "tail": logLines}, Timeout: logTime,
	}})
	if err != nil {
		r.log("%s: its log is not kept: %v", c.Name, err)
		return
	}
	text := unframed(result.Body)
	if text = text[max(0, len(text)-logBytes):]; len(text) == 0 {
		return
	}
	if c.keep[KeepLog], err = json.Marshal(
		string(bytes.ToValidUTF8(text, []byte("?")))); err == nil {
		c.Logged = true
	}
}

// unframed takes a log apart as the engine sends it: frames of a stream's number, three zeroes, a
// length, and that many bytes; of a container with a terminal, the bytes alone (docker's API,
// ContainerAttach).
func unframed(body []byte) []byte {
	var text []byte
	for rest := body; len(rest) > 0; {
		if len(rest) < 8 || rest[0] > 2 || rest[1] != 0 || rest[2] != 0 || rest[3] != 0 {
			return body
		}
		n := uint64(binary.BigEndian.Uint32(rest[4:]))
		if rest = rest[8:]; n > uint64(len(rest)) {
			return body
		}
		text = append(text, rest[:n]...)
		rest = rest[n:]
	}
	return text
}

// keepLogOfOne keeps the log of one of the containers that compose made and is about to remove: one
// that has ended, if any has.
func (s composing) keepLogOfOne(ctx context.Context, c *change) {
	list, err := s.list(ctx, c)
	if err != nil {
		return
	}
	var one *containerState
	for _, m := range list {
		now, err := s.look(ctx, c, "inspect-made", m.ID)
		if err != nil || now == nil || !now.began() || !now.declares(m.of.Is) {
			continue
		}
		if one == nil || one.alive() && !now.alive() {
			one = now
		}
	}
	s.keepLog(ctx, c, one)
}
