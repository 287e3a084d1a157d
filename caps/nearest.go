package caps

import (
	"slices"
	"strings"
)

// Nearest finds the known capability whose name is most like a misspelt one; case, separators and prefix do not count. False if none is
// like it, or several are as near.
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

// NearestWord finds the known word that is most like a misspelt one; case does not count. False if none is like it: more than one edit in
// three letters away, or as near to several. An edit is a letter too many, too few, wrong, or swapped with the next.
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

// letters reduces a name to what makes it one: people write net-raw, NetRaw and "net raw" for NET_RAW, and CAP-NET-RAW with its prefix.
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

// edits counts the edits between a and b, byte by byte: the optimal string alignment distance, in three rows.
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
