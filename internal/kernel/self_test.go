package kernel

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The engine binds /etc/hostname and its like into each container. A host has the same folder in
// its table as a place to mount things at, and so has a container that collects logs.
func TestInsideGoesByWhatIsMountedAndNotByWhere(t *testing.T) {
	const folder = "/var/lib/docker/containers/"
	shm := "600 25 0:55 / " + folder + idA + "/mounts/shm rw,nosuid - tmpfs shm rw,size=65536k\n"
	secrets := "601 25 0:56 / " + folder + idA + "/mounts/secrets ro - tmpfs tmpfs ro\n"
	logs := "602 25 8:1 " + folder[:len(folder)-1] + " /logs ro,relatime - ext4 /dev/sda1 rw\n"
	one := "603 25 8:1 " + folder + idA + " /one ro,relatime - ext4 /dev/sda1 rw\n"
	bound := "700 650 8:1 " + folder + idA + "/%[1]s /etc/%[1]s rw,relatime - ext4 /dev/sda1 rw\n"
	subvolume := "701 650 0:30 /@docker/containers/" + idA +
		"/hosts /etc/hosts rw - btrfs /dev/sda2 rw\n"
	for name, c := range map[string]struct {
		mounts string
		want   bool
	}{
		"a host with shareable IPC": {shm, false},
		"a host of a swarm":         {secrets, false},
		"a collector of logs":       {logs + shm, false},
		"another's folder":          {one, false},
		"within it":                 {fmt.Sprintf(bound, "hostname"), true},
		"with a resolv.conf only":   {fmt.Sprintf(bound, "resolv.conf"), true},
		"on btrfs":                  {subvolume, true},
		"within it, shareable":      {shm + fmt.Sprintf(bound, "hosts"), true},
	} {
		f := newTree(t, mountsV2)
		f.write(fmt.Sprintf("proc/%d/mountinfo", os.Getpid()), mountsV2+c.mounts)
		f.write(fmt.Sprintf("proc/%d/cgroup", os.Getpid()), "0::/\n")
		r, err := New(f.root)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Inside(idA); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if r.Inside(idB) || r.Inside(strings.Repeat("a", 12)) {
			t.Errorf("%s: it is taken for another container", name)
		}
	}
}
