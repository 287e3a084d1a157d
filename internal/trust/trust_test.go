package trust

import (
	"errors"
	"slices"
	"testing"

	"dropcap"
)

const file = "/srv/shop/c.yaml"

// pathTo is the path of a file of user 1000, on one disk.
func pathTo(change func([]dropcap.Waypoint)) []dropcap.Waypoint {
	at := func(p string, uid, mode uint32) dropcap.Waypoint {
		return dropcap.Waypoint{Path: p, UID: uid, Mode: mode, Folder: true, Names: 2,
			Spots: []dropcap.Spot{{Device: "8:1", Path: p}}}
	}
	w := []dropcap.Waypoint{at("/", 0, 0o755), at("/srv", 0, 0o755), at("/srv/shop", 1000, 0o750),
		at(file, 1000, 0o640)}
	w[3].Folder, w[3].Regular, w[3].Names = false, true, 1
	if change != nil {
		change(w)
	}
	return w
}

func mounts(device string, paths ...string) []Mount {
	m := Mount{Container: "db"}
	for _, p := range paths {
		m.Spots = append(m.Spots, dropcap.Spot{Device: device, Path: p})
	}
	return []Mount{m}
}

func TestWhomAFileIsTrustedOf(t *testing.T) {
	both := []uint32{0, 1000}
	elsewhere := mounts("8:1", "/var/data")
	for name, c := range map[string]struct {
		change func([]dropcap.Waypoint)
		rule   Rule
		ok     bool
	}{
		"root's and the user's": {rule: Rule{Owners: both, Mounts: elsewhere}, ok: true},
		"another user's":        {rule: Rule{Owners: []uint32{0}}},
		"a group may write the file": {rule: Rule{Owners: both},
			change: func(w []dropcap.Waypoint) {
				w[3].Mode = 0o660
			}},
		"all may write a folder": {rule: Rule{Owners: both}, change: func(w []dropcap.Waypoint) {
			w[1].Mode = 0o777
		}},
		"a sticky folder": {rule: Rule{Owners: both}, change: func(w []dropcap.Waypoint) {
			w[1].Mode = 0o1777
		}},
		"a sticky folder is allowed": {rule: Rule{Owners: both, Sticky: true},
			change: func(w []dropcap.Waypoint) {
				w[1].Mode = 0o1777
			}, ok: true},
		"a sticky file is not": {rule: Rule{Owners: both, Sticky: true},
			change: func(w []dropcap.Waypoint) {
				w[3].Mode = 0o1666
			}},
		"a link on the way": {rule: Rule{Owners: both}, change: link},
		"a link is allowed": {rule: Rule{Owners: both, Links: true}, change: link,
			ok: true},
		"another's link is not": {rule: Rule{Owners: []uint32{0}, Links: true},
			change: link},
		"it is a pipe": {rule: Rule{Owners: both}, change: func(w []dropcap.Waypoint) {
			w[3].Regular = false
		}},
		"it has another name": {rule: Rule{Owners: both, Mounts: elsewhere},
			change: func(w []dropcap.Waypoint) {
				w[3].Names = 2
			}},
		"a container mounts the file": {rule: Rule{Owners: both, Mounts: mounts("8:1", file)}},
		"a container mounts the folder": {rule: Rule{Owners: both,
			Mounts: mounts("8:1", "/srv/shop")}},
		"a container mounts one above": {rule: Rule{Owners: both, Mounts: mounts("8:1", "/srv")}},
		"a container mounts the disk": {rule: Rule{Owners: both,
			Mounts: mounts("8:1", "/tmp", "/")}},
		"a container mounts one below": {rule: Rule{Owners: both,
			Mounts: mounts("8:1", "/srv/shop/data", "/srv/sho")}, ok: true},
		"a container mounts another's": {rule: Rule{Owners: both,
			Mounts: mounts("8:2", "/", file)}, ok: true},
		"a container mounts what is not": {rule: Rule{Owners: both,
			Mounts: []Mount{{Container: "db", Unknown: "its volume"}}}},
		"a bind mount of one below a mount": {rule: Rule{Owners: both,
			Mounts: mounts("8:2", "/pool")}, change: func(w []dropcap.Waypoint) {
			w[2].Spots, w[3].Spots = []dropcap.Spot{{Device: "8:2", Path: "/pool/deep"}},
				[]dropcap.Spot{{Device: "8:2", Path: "/pool/deep/c.yaml"}}
		}},
		"where the mount point is": {rule: Rule{Owners: both, Mounts: mounts("8:1", "/srv")},
			change: func(w []dropcap.Waypoint) {
				w[2].Spots, w[3].Spots = []dropcap.Spot{{Device: "8:2", Path: "/"}},
					[]dropcap.Spot{{Device: "8:2", Path: "/c.yaml"}}
			}},
		"a layer of an overlay": {rule: Rule{Owners: both, Mounts: mounts("8:2", "/upper/srv")},
			change: func(w []dropcap.Waypoint) {
				w[3].Spots = append(w[3].Spots, dropcap.Spot{Device: "8:2", Path: "/upper" + file})
			}},
		"nobody knows where it is kept": {rule: Rule{Owners: both, Mounts: elsewhere},
			change: func(w []dropcap.Waypoint) {
				w[2].WhyNot = "fuse"
			}},
	} {
		var un *Untrusted
		err := Judge(pathTo(c.change), c.rule)
		if (err == nil) != c.ok || err != nil && !errors.As(err, &un) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Judge(nil, Rule{}) == nil || Judge(slices.Clone(pathTo(nil))[:3],
		Rule{Owners: both}) == nil {
		t.Error("nothing, or a folder, is trusted")
	}
}

func link(w []dropcap.Waypoint) { w[2].Link, w[2].Folder, w[2].Mode = true, false, 0o777 }
