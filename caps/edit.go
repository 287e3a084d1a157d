package caps

import (
	"slices"
	"strings"
)

// Edit is a change of a declaration's lists.
type Edit struct {
	RemoveAdd Set  // names to take out of CapAdd
	AddDrop   Set  // names to put into CapDrop
	Only      *Set // instead of both: CapDrop ALL, and exactly this in CapAdd
}

// Without returns the shortest edit after which the engine no longer grants the set, of what it
// grants now. A name in CapAdd has to go from there, since an add wins over a drop; the rest is
// dropped by name, or everything is and the little that stays is added. Defaults and granted are
// nil where they are not known.
func Without(d Declared, defaults, granted *Set, set Set) Edit {
	var e Edit
	for _, c := range set.List() {
		if Listed(d.Add, c) {
			e.RemoveAdd |= Of(c)
		}
		dropAll := ListsAll(d.Drop) && !ListsAll(d.Add)
		if ListsAll(d.Add) || !dropAll && (defaults == nil || defaults.Has(c)) {
			e.AddDrop |= Of(c)
		}
	}
	if granted != nil {
		if stay := granted.Minus(set); stay.Len()+1 < e.RemoveAdd.Len()+e.AddDrop.Len() {
			return Edit{Only: &stay}
		}
	}
	return e
}

// Apply returns the declaration after the edit; names that stay keep their spelling.
func (e Edit) Apply(d Declared) Declared {
	out := Declared{Privileged: d.Privileged}
	if e.Only != nil {
		out.Drop = []string{All}
		for _, c := range e.Only.List() {
			out.Add = append(out.Add, c.Short())
		}
		return out
	}
	for _, n := range d.Add {
		if c, err := Parse(n); err == nil && e.RemoveAdd.Has(c) {
			continue
		}
		out.Add = append(out.Add, n)
	}
	out.Drop = append(out.Drop, d.Drop...)
	for _, c := range e.AddDrop.List() {
		if !Listed(d.Drop, c) {
			out.Drop = append(out.Drop, c.Short())
		}
	}
	return out
}

// Listed reports whether a list of a declaration names the capability, in any spelling.
func Listed(list []string, c Cap) bool {
	for _, n := range list {
		if p, err := Parse(n); err == nil && p == c {
			return true
		}
	}
	return false
}

// ListsAll reports whether a list of a declaration has ALL.
func ListsAll(list []string) bool {
	for _, n := range list {
		if strings.EqualFold(n, All) {
			return true
		}
	}
	return false
}

// ShortName returns a capability's name as files have it, so that names can be compared: "NET_RAW"
// for "cap_net_raw". What is no name stays.
func ShortName(name string) string {
	if strings.EqualFold(name, All) || strings.EqualFold(name, "CAP_ALL") {
		return All
	}
	if c, err := Parse(name); err == nil {
		return c.Short()
	}
	return name
}

// ShortNames returns each name of a list once, in its order and as files have it; never nil.
func ShortNames(list []string) []string {
	out := []string{}
	for _, n := range list {
		if s := ShortName(n); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
