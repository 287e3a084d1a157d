package caps

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Set is a set of capabilities, one bit each, as in the masks of /proc/PID/status (proc(5)).
type Set uint64

// Of returns the set of the given members.
func Of(members ...Cap) Set {
	var s Set
	for _, c := range members {
		s |= 1 << c
	}
	return s
}

// UpTo returns the set of all capabilities up to and including last.
func UpTo(last Cap) Set {
	if last >= 63 {
		return ^Set(0)
	}
	return Set(1)<<(last+1) - 1
}

// ParseMask reads a mask as the kernel prints it: hexadecimal without 0x (fs/proc/array.c,
// render_cap_t).
func ParseMask(hex string) (Set, error) {
	v, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a capability mask", hex)
	}
	return Set(v), nil
}

// Mask returns the set as the kernel prints it: 16 hexadecimal digits.
func (s Set) Mask() string { return fmt.Sprintf("%016x", uint64(s)) }

// Has reports whether c is a member.
func (s Set) Has(c Cap) bool { return c < 64 && s>>c&1 == 1 }

// Minus returns the members of s that are not in t.
func (s Set) Minus(t Set) Set { return s &^ t }

// Len returns the number of members.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// Empty reports whether s has no members.
func (s Set) Empty() bool { return s == 0 }

// List returns the members in the kernel's order.
func (s Set) List() []Cap {
	l := make([]Cap, 0, s.Len())
	for r := uint64(s); r != 0; r &= r - 1 {
		l = append(l, Cap(bits.TrailingZeros64(r)))
	}
	return l
}

// Names returns the members' names ("CAP_CHOWN", …) in the kernel's order; never nil.
func (s Set) Names() []string {
	l := make([]string, 0, s.Len())
	for _, c := range s.List() {
		l = append(l, c.String())
	}
	return l
}

// Short returns the members' names without the prefix, separated by commas: "CHOWN,NET_RAW"; "none"
// for the empty set.
func (s Set) Short() string {
	if s == 0 {
		return "none"
	}
	l := make([]string, 0, s.Len())
	for _, c := range s.List() {
		l = append(l, c.Short())
	}
	return strings.Join(l, ",")
}

// String is the same as Short.
func (s Set) String() string { return s.Short() }

// MarshalJSON writes a list of names, the form used in documents.
func (s Set) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// UnmarshalJSON reads a list of names in every spelling that Parse accepts.
func (s *Set) UnmarshalJSON(b []byte) error {
	var l []string
	if err := json.Unmarshal(b, &l); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	t, err := ParseAll(l)
	if err != nil {
		return err
	}
	*s = t
	return nil
}

// ParseAll returns the set of the named capabilities. The error is about the first unknown name.
func ParseAll(list []string) (Set, error) {
	var s Set
	for _, n := range list {
		c, err := Parse(n)
		if err != nil {
			return 0, err
		}
		s |= 1 << c
	}
	return s, nil
}
