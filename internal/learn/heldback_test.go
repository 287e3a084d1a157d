package learn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"dropcap/caps"
)

// What a hold denies is asked for in vain, and may not be seen: nobody knows that it is not needed.
func TestNothingIsLearnedOfWhatAHoldDenies(t *testing.T) {
	s := newStage()
	held, other := s.add("held", 7), s.add("other", 8)
	var warned []string
	asked := 0
	q := Query{
		Warn: func(err error) { warned = append(warned, err.Error()) },
		HeldBack: func(context.Context) (map[string]caps.Set, error) {
			if asked++; asked == 1 {
				return nil, errors.New("the store is away")
			}
			return map[string]caps.Set{held: caps.Of(caps.NetRaw, caps.Chown)}, nil
		},
	}
	got := s.record(t, q, func() {
		s.count(7, caps.Chown, "/bin/app") // seen all the same, as where the hook is lsm/capable
		s.pass()
		s.pass()
	})
	w := got["docker:held"]
	if w.Required != caps.Of(caps.Chown) || w.Held.Has(caps.NetRaw) || w.Unused.Has(caps.NetRaw) ||
		!w.Unused.Has(caps.Mknod) {
		t.Errorf("held %s, required %s, unused %s", w.Held.Short(), w.Required.Short(),
			w.Unused.Short())
	}
	if w := got["docker:other"]; !w.Unused.Has(caps.NetRaw) {
		t.Errorf("%s: unused %s: no hold denies it anything", other[:12], w.Unused.Short())
	}
	if !slices.ContainsFunc(warned, func(s string) bool {
		return strings.Contains(s, "the store is away")
	}) {
		t.Errorf("warned of %q", warned)
	}
}
