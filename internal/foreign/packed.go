package foreign

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"runtime"
	"sync"

	"dropcap"
)

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails only for a level that does not exist
	return w
}}

// Pack compresses a document.
func Pack(document json.RawMessage) dropcap.Packed {
	if len(document) == 0 || string(document) == "null" {
		return nil
	}
	var b bytes.Buffer
	w, _ := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	_, _ = w.Write(document) // to memory, which does not fail
	_ = w.Close()
	return bytes.Clone(b.Bytes()) // no larger than necessary
}

const (
	largePacked   = 8 << 10 // of eight megabytes at most
	largeDocument = 8 << 20
)

// unpacked returns the document, byte for byte; nil if there is none, or if it does not come from
// Pack.
func unpacked(p dropcap.Packed) json.RawMessage {
	if len(p) == 0 {
		return nil
	}
	var b bytes.Buffer
	if len(p) > largePacked { // measuring it costs less than a buffer that grows
		n, err := unpackTo(io.Discard, p)
		if err != nil {
			return nil
		}
		if n > largeDocument {
			runtime.GC() // the previous document is not needed any more
		}
		b.Grow(int(n) + bytes.MinRead)
	}
	if _, err := unpackTo(&b, p); err != nil {
		return nil
	}
	return b.Bytes()
}

func unpackTo(w io.Writer, p dropcap.Packed) (int64, error) {
	r := flate.NewReader(bytes.NewReader(p))
	defer r.Close()
	return io.Copy(w, io.LimitReader(r, MaxDocument+1))
}

// Raw returns the document as the host wrote it, packed or not.
func Raw(d dropcap.HostDocument) json.RawMessage {
	if len(d.Packed) > 0 {
		return unpacked(d.Packed)
	}
	return d.Document
}

// Take sets the host's newest receipt, and packs its document.
func Take(h *dropcap.FleetHost, r dropcap.Receipt) {
	h.Packed = Pack(r.Document)
	r.Document = nil
	h.Receipt = &r
}

// Document returns the document of the host's receipt, packed or not; nil if there is none.
func Document(h dropcap.FleetHost) json.RawMessage {
	switch {
	case len(h.Packed) > 0:
		return unpacked(h.Packed)
	case h.Receipt == nil || string(h.Receipt.Document) == "null":
		return nil
	}
	return h.Receipt.Document
}

// Unpacked returns the host with its document in the receipt, as it is written in JSON.
func Unpacked(h dropcap.FleetHost) dropcap.FleetHost {
	if h.Receipt != nil && len(h.Packed) > 0 {
		r := *h.Receipt
		r.Document = unpacked(h.Packed)
		h.Receipt, h.Packed = &r, nil
	}
	return h
}
