package audit

import (
	"fmt"
	"time"

	"dropcap"
	"dropcap/caps"
)

// byHold divides a set into what no hold denies to the container and what one does. Neither part is
// empty.
func (x subject) byHold(set caps.Set) (parts []caps.Set) {
	denied := caps.Set(0)
	if x.c.HeldBack != nil {
		denied = set & x.c.HeldBack.Caps
	}
	for _, part := range []caps.Set{set.Minus(denied), denied} {
		if !part.Empty() {
			parts = append(parts, part)
		}
	}
	return parts
}

// heldBack marks a finding if a hold denies all that it is about.
func (x subject) heldBack(f dropcap.Finding) dropcap.Finding {
	h := x.c.HeldBack
	if h == nil || f.Caps.Empty() || !f.Caps.Minus(h.Caps).Empty() {
		return f
	}
	f.HeldBack = h
	f.Because += fmt.Sprintf("; held back since %s, by hold %s", day(h.Since), plain(h.Hold))
	if h.Until != "" {
		f.Because += ", until " + day(h.Until)
	}
	return f
}

// day returns the minute of a time in RFC 3339, in UTC as documents have it.
func day(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return plain(at)
	}
	return t.UTC().Format("2006-01-02 15:04")
}
