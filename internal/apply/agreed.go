package apply

import (
	"slices"

	"dropcap"
)

// Agreed returns the step that is applied for one that comes from a file: the one that was planned
// just now (found reports whether the container is there), or one that is refused. Only the reason
// for a refusal comes from the file.
func Agreed(saved, fresh dropcap.Step, found bool) dropcap.Step {
	refuse := func(why, hint string) dropcap.Step {
		out := fresh
		if !found {
			out = dropcap.Step{Container: dropcap.Target{ID: saved.Container.ID,
				Name: saved.Container.Name}, Retained: []dropcap.Retain{}, Warnings: []string{}}
		}
		out.Refused, out.Hint = why, hint
		return out
	}
	const again = "plan it again"
	switch {
	case saved.Refused != "":
		return refuse("the plan refuses it: "+saved.Refused, saved.Hint)
	case !found:
		return refuse("it is not there any more", again)
	case saved.Container.Fingerprint == "":
		return refuse("the plan was made without the store, so that nobody can tell whether the "+
			"container is the same", again)
	case saved.Container.Fingerprint != fresh.Container.Fingerprint:
		return refuse("it has been changed since the plan was made, or the plan is of another "+
			"host or store", again)
	case saved.Container.Name != fresh.Container.Name:
		return refuse("it has been renamed since the plan was made", again)
	case !saved.After.Holds.Minus(saved.Before.Holds).Empty() ||
		saved.After.Privileged && !saved.Before.Privileged:
		return refuse("the plan would grant something", again)
	case fresh.Refused != "":
		return fresh
	case !Equal(saved, fresh):
		return refuse("what is known of it has changed since the plan was made, so that another "+
			"change would come out", again)
	}
	return fresh
}

// Equal reports whether two steps make the same change of the same container.
func Equal(a, b dropcap.Step) bool {
	return a.Container.ID == b.Container.ID && a.Container.Name == b.Container.Name &&
		a.Container.Fingerprint == b.Container.Fingerprint &&
		a.Strategy == b.Strategy && a.Drop == b.Drop && sameGrant(a.Before, b.Before) &&
		sameGrant(a.After, b.After) &&
		(a.Refused == "") == (b.Refused == "")
}

func sameGrant(a, b dropcap.Grant) bool {
	return a.Privileged == b.Privileged && a.Holds == b.Holds && slices.Equal(a.CapAdd, b.CapAdd) &&
		slices.Equal(a.CapDrop, b.CapDrop)
}
