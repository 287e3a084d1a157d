package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// paths keeps the executables' paths. Programs record a path when they first see it, so that it is
// known even for processes that have ended.
type paths struct {
	reader *ringbuf.Reader
	done   chan struct{}
	caught chan struct{} // signals that all events sent before Flush have arrived

	mu    sync.Mutex
	known map[capabilityProgram]string
}

// maxPaths limits the memory that hostile containers can occupy here: a path takes 100 to 600
// bytes.
const maxPaths = 32768

func readPaths(m *ebpf.Map) (*paths, error) {
	r, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, err
	}
	p := &paths{reader: r, done: make(chan struct{}), caught: make(chan struct{}, 1),
		known: map[capabilityProgram]string{}}
	go p.read()
	return p, nil
}

func (p *paths) read() {
	defer close(p.done)
	var record ringbuf.Record
	for {
		err := p.reader.ReadInto(&record)
		if errors.Is(err, ringbuf.ErrClosed) {
			return
		}
		switch {
		case err == nil:
			p.keep(record.RawSample)
		case errors.Is(err, ringbuf.ErrFlushed):
			select {
			case p.caught <- struct{}{}:
			default:
			}
		}
	}
}

func (p *paths) keep(sample []byte) {
	var e capabilityProgramPath
	if binary.Read(bytes.NewReader(sample), binary.NativeEndian, &e) != nil ||
		int(e.Begin) > pathEnd {
		return
	}
	path := text(append(e.Text[e.Begin:pathEnd:pathEnd], 0))
	if e.Cut != 0 {
		path = "…" + path
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) < maxPaths {
		p.known[e.Program] = path
	}
}

// pathEnd is where paths end in their buffer: PATH in programs/maps.h.
const pathEnd = 512

// flush waits until everything that the programs have sent has arrived, for a second at most.
func (p *paths) flush() {
	select {
	case <-p.caught: // left by an earlier call that did not wait for it
	default:
	}
	if p.reader.Flush() != nil {
		return
	}
	select {
	case <-p.caught:
	case <-p.done:
	case <-time.After(time.Second):
	}
}

func (p *paths) of(k capabilityProgram) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[k]
}

func (p *paths) forget(gone map[uint64]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.known {
		if gone[k.Own] {
			delete(p.known, k)
		}
	}
}

func (p *paths) close() error {
	err := p.reader.Close()
	<-p.done
	return err
}
