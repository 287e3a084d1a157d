package bpf

import (
	"testing"

	"dropcap/caps"
)

// A process that has given up rights by itself would be denied with any bounding set; one that has
// all that its bounding set allows would not.
func TestADeniedCheckTellsWhetherRightsWereGivenUp(t *testing.T) {
	tr := start(t, Options{})
	for _, c := range []struct {
		name, acts string
		spent      bool
	}{
		{"root without this one", "lose-chown again chown", false},
		{"root without any", "lose-all again chown", false},
		{"root that still has what it lost", "lose-chown keep-sys-chroot chown", true},
		{"another user", "lose-chown again user chown", true},
		{"another user, and nothing was there to give up", "lose-all user chown", true},
		{"another user that means to keep its capabilities", "lose-all keep-caps user chown",
			false},
		{"effectively another user", "lose-chown again euid-foreign chown", true},
		{"another user for files", "lose-chown again fsuser chown", true},
		{"another user for files, about something else", "lose-chroot again fsuser chroot", false},
		{"root that has dropped all", "drop-all chown", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			b.run(c.acts)
			_, list := b.counts(tr)
			denied := 0
			for _, k := range append(find(list, caps.Chown, "fchownat"),
				find(list, caps.SysChroot, "chroot")...) {
				if k.Granted {
					continue
				}
				if denied++; k.Spent != c.spent {
					t.Errorf("%s %s: spent is %v", k.Cap, k.Syscall, k.Spent)
				}
			}
			if denied != 1 {
				t.Errorf("%d denied checks: %+v", denied, list)
			}
		})
	}
}
