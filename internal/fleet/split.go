package fleet

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"dropcap"
)

// Split divides hosts into waves. Each size is a number of hosts or a percentage of all, of those
// that are in the waves so far and this one; a last wave has the rest. No sizes make one wave.
// Hosts of different places take turns, so that an early wave has some of each.
func Split(hosts []string, sizes []string) ([]dropcap.Wave, error) {
	hosts = takeTurns(hosts)
	waves := []dropcap.Wave{}
	add := func(upTo int) {
		from := 0
		for _, w := range waves {
			from += len(w.Hosts)
		}
		if upTo = min(upTo, len(hosts)); upTo > from {
			waves = append(waves, dropcap.Wave{Hosts: hosts[from:upTo], State: dropcap.WaveWaiting})
		}
	}
	for _, s := range sizes {
		n, err := size(s, len(hosts))
		if err != nil {
			return nil, err
		}
		add(n)
	}
	add(len(hosts))
	return waves, nil
}

// ParseWaves reads "1,10%,100%"; empty is one wave. Sizes count from the first host on, so a
// smaller one after a larger one is a mistake.
func ParseWaves(s string) ([]string, error) {
	if s == "" {
		return []string{}, nil
	}
	sizes, largest := strings.Split(s, ","), map[bool]int{}
	for i, word := range sizes {
		percent := strings.Contains(word, "%")
		n, err := size(word, 100)
		if err != nil {
			return nil, err
		}
		if n < largest[percent] || !percent && largest[true] == 100 {
			return nil, dropcap.Errorf(dropcap.CodeUsage,
				"each number counts all hosts until then: 1,10%,100%",
				"cannot make a wave of %q after %q", word, sizes[i-1])
		}
		largest[percent] = n
	}
	return sizes, nil
}

// size reads "5" or "10%" of all; a percentage is at least one host.
func size(s string, all int) (int, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 || percent && n > 100 {
		return 0, dropcap.Errorf(dropcap.CodeUsage, "for example --waves 1,10%,100%",
			"cannot make a wave of %q", s)
	}
	if percent {
		return max(1, (all*n+99)/100), nil
	}
	return n, nil
}

func takeTurns(hosts []string) []string {
	byPlace, order := map[string][]string{}, []string{}
	for _, h := range hosts {
		place := h[:strings.LastIndexByte(h, '/')+1]
		if byPlace[place] == nil {
			order = append(order, place)
		}
		byPlace[place] = append(byPlace[place], h)
	}
	slices.Sort(order)
	out := make([]string, 0, len(hosts))
	for i := 0; len(out) < len(hosts); i++ {
		for _, p := range order {
			if i < len(byPlace[p]) {
				out = append(out, byPlace[p][i])
			}
		}
	}
	return out
}

// Window is a time of day in which waves may begin; it may span midnight. The zero value is any
// time.
type Window struct{ from, to time.Duration }

// ParseWindow reads "22:00-04:00"; empty is any time.
func ParseWindow(s string) (Window, error) {
	if s == "" {
		return Window{}, nil
	}
	bad := dropcap.Errorf(dropcap.CodeUsage, "for example --window 22:00-04:00",
		"cannot read the window %q", s)
	a, b, ok := strings.Cut(s, "-")
	from, err1 := time.Parse("15:04", strings.TrimSpace(a))
	to, err2 := time.Parse("15:04", strings.TrimSpace(b))
	if !ok || err1 != nil || err2 != nil || from.Equal(to) {
		return Window{}, bad
	}
	day := func(t time.Time) time.Duration {
		return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return Window{day(from), day(to)}, nil
}

// Wait returns how long it takes until the window opens; 0 within it.
func (w Window) Wait(now time.Time) time.Duration {
	if w == (Window{}) {
		return 0
	}
	at := time.Duration(now.Hour())*time.Hour + time.Duration(
		now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	inside := at >= w.from && at < w.to
	if w.from > w.to {
		inside = at >= w.from || at < w.to
	}
	if inside {
		return 0
	}
	return (w.from - at + 24*time.Hour) % (24 * time.Hour)
}
