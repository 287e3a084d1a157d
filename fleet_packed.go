package dropcap

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"runtime"
	"sync"
)

// Packed is a JSON document, compressed: those of ten thousand hosts would not fit into memory as they are. An empty one is none.
type Packed []byte

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for a level that there is not
	return w
}}

// Pack compresses a document.
func Pack(document json.RawMessage) Packed {
	if len(document) == 0 || string(document) == "null" {
		return nil
	}
	var b bytes.Buffer
	w, _ := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	_, _ = w.Write(document) // into memory, which does not fail
	_ = w.Close()
	return bytes.Clone(b.Bytes()) // no larger than it has to be
}

// Raw gives the document, to the byte as it was; nil if there is none, or if this is none of ours.
func (p Packed) Raw() json.RawMessage {
	if len(p) == 0 {
		return nil
	}
	var b bytes.Buffer
	if len(p) > largePacked { // how long it is costs less than a buffer that grows
		n, err := p.writeTo(io.Discard)
		if err != nil {
			return nil
		}
		if n > largeDocument {
			runtime.GC() // the document before it is not needed any more
		}
		b.Grow(int(n) + bytes.MinRead)
	}
	if _, err := p.writeTo(&b); err != nil {
		return nil
	}
	return b.Bytes()
}

const (
	largePacked   = 8 << 10 // of eight megabytes at most
	largeDocument = 8 << 20
)

func (p Packed) writeTo(w io.Writer) (int64, error) {
	r := flate.NewReader(bytes.NewReader(p))
	defer r.Close()
	return io.Copy(w, io.LimitReader(r, MostDocument+1))
}

// Take makes a receipt the host's newest. Its document is kept packed.
func (h *FleetHost) Take(r Receipt) {
	h.Packed = Pack(r.Document)
	r.Document = nil
	h.Receipt = &r
}

// Document is the receipt's, wherever it is kept; nil if there is none.
func (h FleetHost) Document() json.RawMessage {
	switch {
	case len(h.Packed) > 0:
		return h.Packed.Raw()
	case h.Receipt == nil || string(h.Receipt.Document) == "null":
		return nil
	}
	return h.Receipt.Document
}

// Unpacked is the host with its document in the receipt.
func (h FleetHost) Unpacked() FleetHost {
	if h.Receipt != nil && len(h.Packed) > 0 {
		r := *h.Receipt
		r.Document = h.Packed.Raw()
		h.Receipt, h.Packed = &r, nil
	}
	return h
}

// MarshalJSON writes the host with its document in the receipt.
func (h FleetHost) MarshalJSON() ([]byte, error) {
	type plain FleetHost
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // whoever encodes the whole decides
	err := e.Encode(plain(h.Unpacked()))
	return b.Bytes(), err
}

// Raw is the document as the host wrote it, wherever it is kept.
func (d HostDocument) Raw() json.RawMessage {
	if len(d.Packed) > 0 {
		return d.Packed.Raw()
	}
	return d.Document
}
