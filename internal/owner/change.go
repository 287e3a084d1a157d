package owner

import (
	"slices"

	"dropcap"
	"dropcap/caps"
)

// Fix describes an edit of the container's lists in its owner's terms.
func Fix(c dropcap.Container, e caps.Edit) string {
	if k := Of(c.Owner.Kind); k.fix != nil {
		return k.fix(c, e)
	}
	return docker.fix(c, e)
}

// FixPrivileged says how the container's owner re-creates it without privileged.
func FixPrivileged(c dropcap.Container) string {
	if k := Of(c.Owner.Kind); k.privileged != nil {
		return k.privileged(c)
	}
	return docker.privileged(c)
}

// Restart returns the command that restarts the container.
func Restart(c dropcap.Container) string {
	if k := Of(c.Owner.Kind); k.restart != nil {
		return k.restart(c)
	}
	return docker.restart(c)
}

// Text returns all that a person needs to change the container at its source; empty if its owner
// has none, or if that depends on the source's text.
func Text(c dropcap.Container, is dropcap.Grant) string {
	if k := Of(c.Owner.Kind); k.text != nil {
		return k.text(c, is)
	}
	return ""
}

// Strategy returns how to change a container of this kind: as requested if that is possible, else
// by the owner's preferred strategy.
func (k Kind) Strategy(asked dropcap.Strategy) dropcap.Strategy {
	switch {
	case len(k.strategies) == 0:
		return dropcap.StrategyManual
	case slices.Contains(k.strategies, asked):
		return asked
	}
	return k.strategies[0]
}

// ComesUndone warns of a change by that strategy that the owner reverts when it re-creates the
// container; empty if it does not.
func (k Kind) ComesUndone(by dropcap.Strategy) string {
	if by == dropcap.StrategyManual || by == k.Strategy("") {
		return ""
	}
	return k.comesUndone
}

// Retains reports whether an old container may be kept beside the new one.
func (k Kind) Retains() bool { return !k.counts }

// EditsFiles reports whether dropcap edits files that a container's labels name.
func (k Kind) EditsFiles() bool { return k.Source == SourceCompose }

// Recommended formats a recommended declaration in the terms of each owner that has lists, each
// with its title.
func Recommended(r dropcap.Recommendation) [][2]string {
	var list [][2]string
	drop, add := shortNames(r.CapDrop), shortNames(r.CapAdd)
	for _, k := range slices.Backward(kinds) {
		if k.lists != nil {
			list = append(list, [2]string{k.title, k.lists(drop, add)})
		}
	}
	return list
}

// RunFlags formats the same as flags of docker run.
func RunFlags(r dropcap.Recommendation) string {
	return docker.lists(shortNames(r.CapDrop), shortNames(r.CapAdd))
}
