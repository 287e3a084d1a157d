// Command agent runs inside a test machine and does what the test requests over a virtio-serial
// port: run a command, write a file, read one. It trusts its caller entirely and belongs in
// throw-away machines only.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dropcap/test/vm/wire"
)

func main() {
	log.SetPrefix("agent: ")
	log.SetFlags(0)
	port, err := openPort()
	if err != nil {
		log.Fatal(err)
	}
	s := &server{port: port, cancels: map[uint64]context.CancelFunc{}}
	log.Fatal(s.serve())
}

// openPort finds the port by its name in sysfs: udev creates /dev/virtio-ports, and may start later
// or not at all.
func openPort() (*os.File, error) {
	deadline := time.Now().Add(time.Minute)
	for {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, name := range names {
			text, _ := os.ReadFile(name)
			if strings.TrimSpace(string(text)) == wire.PortName {
				return os.OpenFile("/dev/"+filepath.Base(filepath.Dir(name)), os.O_RDWR, 0)
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot find the virtio port %s", wire.PortName)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

type server struct {
	port    *os.File
	write   sync.Mutex
	mu      sync.Mutex
	cancels map[uint64]context.CancelFunc
}

func (s *server) serve() error {
	if err := s.reply(wire.Reply{}, nil); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.port, 64<<10)
	for {
		var req wire.Request
		body, err := wire.Read(in, &req)
		if err != nil {
			return err
		}
		s.dispatch(req, body)
	}
}

// dispatch registers the request before it returns, so that a cancel read next finds it.
func (s *server) dispatch(req wire.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Op == wire.Cancel {
		if cancel := s.cancels[req.ID]; cancel != nil {
			cancel()
		}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancels[req.ID] = cancel
	go func() {
		defer s.forget(req.ID)
		reply, out := handle(ctx, req, body)
		reply.ID = req.ID
		if err := s.reply(reply, out); err != nil {
			log.Fatal(err)
		}
	}()
}

func (s *server) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[id]()
	delete(s.cancels, id)
}

func (s *server) reply(r wire.Reply, body []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	return wire.Write(s.port, r, body)
}

func handle(ctx context.Context, req wire.Request, body []byte) (reply wire.Reply, out []byte) {
	var err error
	switch req.Op {
	case wire.Run:
		reply, out, err = run(ctx, req, body)
	case wire.Put:
		err = put(req.Path, body, os.FileMode(req.Mode))
	case wire.Get:
		out, err = os.ReadFile(req.Path)
		reply.Stdout = len(out)
	default:
		err = fmt.Errorf("unknown operation %q", req.Op)
	}
	if err != nil {
		reply.Error = err.Error()
	}
	return reply, out
}

// put renames the file into place, because a running program cannot be written to (ETXTBSY).
func put(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(part, mode); err != nil {
		return err
	}
	return os.Rename(part, path)
}
