package recreate_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/recreate"
)

func layer(t *testing.T, s stage) {
	s.run("writer", "--init", "-w", "/not/there", "-v", "/etc/hostname:/opt/made/for/it", "--tmpfs",
		"/opt/memory", "-v", "/var/kept", "app:1")
	s.docker("exec", "writer", "sh", "-c",
		"mkdir -p /run/x; touch /run/x/pid /tmp/file /var/kept/file /opt/memory/file; mkdir -p "+
			"/var/run; touch /var/run/y")
	if r := refused(t, s.original("writer"), recreate.Options{}); len(r.Layer()) > 0 {
		t.Errorf("nobody's loss: %q", r.Layer())
	}
	s.docker("exec", "writer", "sh", "-c",
		"echo root2:x:0:0:: >> /etc/passwd; mkdir -p /srv/deep; touch /srv/deep/file; rm "+
			"/etc/group; chmod 711 /root")
	r := refused(t, s.original("writer"), recreate.Options{}, "layer")
	if want := []string{"/etc/group", "/etc/passwd", "/root", "/srv", "/srv/deep",
		"/srv/deep/file"}; !slices.Equal(r.Layer(), want) {
		t.Errorf("lost would be %q, want %q", r.Layer(), want)
	}
	refused(t, s.original("writer"), recreate.Options{DiscardLayer: true})
	refused(t, s.original("writer"), recreate.Options{Strategy: dropcap.StrategyInPlace})
	blind := s.original("writer")
	blind.Changes = nil
	refused(t, blind, recreate.Options{}, "layer")
}

// notRecursive makes read-only binds as an older client does: what is mounted inside of them stays
// writable.
func notRecursive(t *testing.T, s stage) {
	if s.Kind == dockertest.Docker20 {
		return // it knows nothing else
	}
	dir := t.TempDir()
	binds := fmt.Sprintf(
		`{"Image":"app:1","HostConfig":{"Binds":["/dev:/outer:ro","%s:/empty:ro"]}}`, dir)
	for api, want := range map[string]string{"1.43": "1.43", s.api: ""} {
		t.Cleanup(func() { s.CLI("rm", "-f", "binds") })
		s.post("/v"+api+"/containers/create?name=binds", []byte(binds))
		s.post("/containers/binds/start", nil)
		o := s.original("binds")
		pid := s.docker("inspect", "-f", "{{.State.Pid}}", "binds")
		var err error
		if o.MountInfo, err = os.ReadFile("/proc/" + pid + "/mountinfo"); err != nil {
			t.Fatal(err)
		}
		c, err := recipe(t, o).Exact("binds-new")
		if err != nil {
			t.Fatal(err)
		}
		recursive := !writable(o.MountInfo, "/outer/shm")
		if c.API != want || recursive != (want == "") {
			t.Errorf("made under %s: made again under %q, recursive %v\n%s", api, c.API, recursive,
				o.MountInfo)
		}
		id := s.second(o)
		s.post("/containers/"+id+"/start", nil)
		again, err := os.ReadFile("/proc/" + s.docker("inspect", "-f", "{{.State.Pid}}", id) +
			"/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		if is := !writable(again, "/outer/shm"); is != recursive {
			t.Errorf("made under %s: recursive %v, the new one %v", api, recursive, is)
		}
		s.docker("rm", "-f", "binds", id)
	}
}

// writable reports whether a mount point in a mountinfo is.
func writable(mountinfo []byte, point string) bool {
	for line := range strings.Lines(string(mountinfo)) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == point {
			return slices.Contains(strings.Split(f[5], ","), "rw")
		}
	}
	return false
}

// hostnameKept makes one again twice: the name of the first stays.
func hostnameKept(t *testing.T, s stage) {
	s.run("rabbit", "--network", "third", "app:1")
	first := s.docker("exec", "rabbit", "hostname")
	id := s.second(s.original("rabbit"))
	s.post("/containers/"+id+"/start", nil)
	third, err := recipe(t, s.original(id)).Exact("rabbit-third")
	if err != nil {
		t.Fatal(err)
	}
	last := s.create(third)
	s.post("/containers/"+last+"/start", nil)
	if now := s.docker("exec", last, "hostname"); now != first {
		t.Errorf("the host name was %s and is %s", first, now)
	}
	if strings.Contains(string(third.Body), id[:12]) {
		t.Error("the id of the second is a name of the third")
	}
}
