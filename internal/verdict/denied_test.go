package verdict

import (
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// deniedCheck returns a check by a container's own program that had all that its container has.
func deniedCheck(c caps.Cap, syscall string, frames ...string) dropcap.KernelCheck {
	return dropcap.KernelCheck{
		Cap: c, OwnCred: true, Syscall: syscall, Frames: frames, Origin: dropcap.OriginInit,
		Exe: dropcap.Executable{Path: "/usr/bin/python3"}, Count: 2, First: time.Unix(100, 0),
	}
}

func TestOnlyWhatTheOldContainerWasGrantedCounts(t *testing.T) {
	override := deniedCheck(caps.DacOverride, "newfstatat", "generic_permission",
		"inode_permission")
	groups := deniedCheck(caps.Setgid, "setgroups", "may_setgroups")
	search := deniedCheck(caps.DacReadSearch, "openat", "generic_permission", "inode_permission")
	search.UID = 7 // user 0 could also use DAC_OVERRIDE
	with := func(c dropcap.KernelCheck, edit func(*dropcap.KernelCheck)) dropcap.KernelCheck {
		edit(&c)
		return c
	}
	served := with(search, func(c *dropcap.KernelCheck) {
		c.Cap, c.Granted = caps.DacOverride, true
	})
	never := func(dropcap.KernelCheck, string) bool { return false }
	dropped := caps.Of(caps.DacOverride, caps.Setgid, caps.DacReadSearch)
	for name, x := range map[string]struct {
		checks []dropcap.KernelCheck
		before func(dropcap.KernelCheck, string) bool
		want   caps.Cap
		none   bool
	}{
		"a worker that cannot become another user": {[]dropcap.KernelCheck{groups}, never,
			caps.Setgid, false},
		"a user that gave all up": {[]dropcap.KernelCheck{with(override,
			func(c *dropcap.KernelCheck) {
				c.Spent = true
			})}, never, 0, true},
		"both, the broken one later": {[]dropcap.KernelCheck{with(override,
			func(c *dropcap.KernelCheck) {
				c.Spent = true
			}),
			with(override, func(c *dropcap.KernelCheck) { c.First = time.Unix(200, 0) })}, never,
			caps.DacOverride, false},
		"the first of two": {[]dropcap.KernelCheck{override,
			with(groups, func(c *dropcap.KernelCheck) {
				c.First = time.Unix(1, 0)
			})}, never, caps.Setgid, false},
		"denied before as well": {[]dropcap.KernelCheck{override},
			func(c dropcap.KernelCheck, site string) bool {
				return c.Cap == caps.DacOverride && site == "generic_permission"
			}, 0, true},
		"kept": {[]dropcap.KernelCheck{deniedCheck(caps.Chown, "chown",
			"chown_ok")}, never, 0, true},
		"by docker exec": {[]dropcap.KernelCheck{with(groups, func(c *dropcap.KernelCheck) {
			c.Origin = dropcap.OriginExec
		})}, never, 0, true},
		"granted by another capability": {[]dropcap.KernelCheck{search, served}, never, 0, true},
		"granted by another capability once": {[]dropcap.KernelCheck{search,
			with(served, func(c *dropcap.KernelCheck) {
				c.Count = 1
			})},
			never, caps.DacReadSearch, false},
	} {
		got, found := Denied(x.checks, dropped, x.before)
		if found == x.none || found && got.Cap != x.want {
			t.Errorf("%s: %v %s", name, found, got.Cap)
		}
	}
}
