package flag

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dropcap"
)

// size is a flag's value in bytes: "512MiB", "2g", in powers of 1024 as docker takes them.
type size int64

var _ pflag.Value = (*size)(nil)

// Set reads it.
func (s *size) Set(text string) error {
	word := strings.ToLower(strings.TrimSpace(text))
	word = strings.TrimSuffix(strings.TrimSuffix(word, "b"), "i")
	unit := float64(1)
	if i := strings.IndexAny("kmgt", lastLetter(word)); i >= 0 {
		word, unit = word[:len(word)-1], math.Pow(1024, float64(i+1))
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
	if v := n * unit; err != nil || !(v >= 1 && v < math.MaxInt64) {
		return dropcap.Errorf(dropcap.CodeUsage, "for example 500MiB or 20GiB",
			"cannot read the size %q", text)
	}
	*s = size(n * unit)
	return nil
}

// lastLetter is the last letter of a word, or something that no unit begins with.
func lastLetter(word string) string {
	if word == "" {
		return "?"
	}
	return word[len(word)-1:]
}

// String writes it as it may be read.
func (s *size) String() string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := size(1) << (10 * (4 - i)); *s >= n && *s%n == 0 {
			return strconv.FormatInt(int64(*s/n), 10) + unit
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is what the help calls it.
func (s *size) Type() string { return "size" }
