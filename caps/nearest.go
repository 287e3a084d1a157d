package caps

import (
	"slices"
	"strings"
)

// Nearest returns the known capability whose name is closest to a misspelt one, ignoring case,
// separators and the prefix. It returns false if none is close, or if several are equally close.
func Nearest(name string) (Cap, bool) {
	known := make([]string, 0, Last+1)
	for c := range Last + 1 {
		known = append(known, letters(c.Short()))
	}
	word, ok := NearestWord(letters(name), known)
	if !ok {
		return 0, false
	}
	return Cap(slices.Index(known, word)), true
}

// NearestWord returns the known word that is closest to a misspelt one, ignoring case. It returns
// false if each is more than one edit per three letters away, or if several are equally close. An
// edit is a missing, extra, wrong or swapped letter.
func NearestWord(word string, known []string) (string, bool) {
	const longest = 128 // a word may come from a hostile document
	if word == "" || len(word) > longest {
		return "", false
	}
	best, dist, tie := "", len(word)/3+1, true
	for _, k := range known {
		if len(k) > longest || len(k)-len(word) > dist || len(word)-len(k) > dist {
			continue
		}
		switch d := edits(strings.ToUpper(word), strings.ToUpper(k)); {
		case d < dist:
			best, dist, tie = k, d, false
		case d == dist && k != best:
			tie = true
		}
	}
	return best, !tie
}

// letters reduces a name to its letters and drops the prefix: people write net-raw, NetRaw, "net
// raw" and CAP-NET-RAW for NET_RAW.
func letters(name string) string {
	if len(name) > 64 {
		name = name[:64] // a name may come from a hostile document; no capability's is half as long
	}
	n := strings.ToUpper(name)
	for _, p := range []string{"CAP_", "CAP-", "CAP "} {
		n = strings.TrimPrefix(n, p)
	}
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, n)
}

// edits returns the number of edits between a and b, byte by byte: the optimal string alignment
// distance, in three rows.
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
