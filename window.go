package dropcap

import (
	"fmt"
	"strings"
	"time"
)

// Window is a time of the day at which containers may be restarted or changed, in a host's local
// time. The zero value is always open.
type Window struct {
	from, until int // minutes of the day; equal: always
}

// ParseWindow reads "02:00-05:00". One that ends before it begins goes over midnight; an empty text
// means always. The error has CodeUsage.
func ParseWindow(text string) (Window, error) {
	if text == "" {
		return Window{}, nil
	}
	if len(text) > 20 {
		text = text[:20] + "…"
	}
	bad := Errorf(CodeUsage, "for example 02:00-05:00, or 22:30-01:00 over midnight",
		"cannot read the window %q", text)
	a, b, ok := strings.Cut(text, "-")
	from, err := time.Parse("15:04", a)
	until, err2 := time.Parse("15:04", b)
	if !ok || err != nil || err2 != nil || len(a) != 5 || len(b) != 5 || a == b {
		return Window{}, bad
	}
	return Window{from.Hour()*60 + from.Minute(), until.Hour()*60 + until.Minute()}, nil
}

// Always reports whether it never closes.
func (w Window) Always() bool { return w.from == w.until }

// String is "02:00-05:00"; "at any time" if it never closes.
func (w Window) String() string {
	if w.Always() {
		return "at any time"
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.from/60, w.from%60, w.until/60, w.until%60)
}

// Open reports whether the window is open at t, in t's location. The last minutes count as closed:
// what begins in the window should end in it.
func (w Window) Open(t time.Time) bool {
	if w.Always() {
		return true
	}
	long := (w.until - w.from + 24*60) % (24 * 60)
	into := (t.Hour()*60 + t.Minute() - w.from + 24*60) % (24 * 60)
	return into < max(long-lastMinutes, (long+1)/2)
}

// lastMinutes of a window are too late to begin something.
const lastMinutes = 5

// Next returns the first full minute from t on at which the window is open, in t's location. On a
// day on which clocks skip the whole window, that is the next day's.
func (w Window) Next(t time.Time) time.Time {
	if w.Open(t) {
		return t
	}
	t = t.Truncate(time.Minute)
	for range 3 * 24 * 60 { // a day that has no such hour is followed by one that does
		if t = t.Add(time.Minute); w.Open(t) {
			return t
		}
	}
	return t
}
