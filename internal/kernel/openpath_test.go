package kernel

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/testenv"
)

// mounted mounts something for a test.
func mounted(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s: %v", target, err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

func table(t *testing.T) *MountTable {
	t.Helper()
	k, err := New("/")
	if err != nil {
		t.Fatal(err)
	}
	m, err := k.MountTable(0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// last returns the last waypoint of a file's path.
func last(t *testing.T, m *MountTable, file string) dropcap.Waypoint {
	t.Helper()
	waypoints, f, err := m.OpenNoFollow(file)
	if err != nil {
		t.Fatal(err)
	}
	if f != nil {
		f.Close()
	}
	return waypoints[len(waypoints)-1]
}

func TestAllPathsToAFileLeadToOneSpot(t *testing.T) {
	testenv.Need(t, testenv.Root)
	dir := testenv.RootFolder(t)
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, d := range []string{"a/deep/shop", "low", "upper/shop", "work"} {
		if err := os.MkdirAll(in(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{in("a/deep/shop/c.yaml"), in("upper/shop/c.yaml")} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mounted(t, in("a/deep"), in("b c"), "", unix.MS_BIND, "")
	mounted(t, in("b c/shop"), in("d"), "", unix.MS_BIND, "")
	mounted(t, "overlay", in("o"), "overlay", 0, "lowerdir="+in("low")+",upperdir="+in("upper")+
		",workdir="+in("work"))
	mounted(t, "tmpfs", in("a/deep/shop/mem"), "tmpfs", 0, "")
	m := table(t)
	want := last(t, m, in("a/deep/shop/c.yaml")).Spots
	for _, p := range []string{"b c/shop/c.yaml", "d/c.yaml"} {
		if got := last(t, m, in(p)); !slices.Equal(got.Spots, want) || got.WhyNot != "" ||
			!got.Regular {
			t.Errorf("%s is at %+v, want %v", p, got, want)
		}
	}
	over := last(t, m, in("o/shop/c.yaml"))
	if upper := last(t, m, in("upper/shop/c.yaml")).Spots[0]; !slices.Contains(over.Spots, upper) ||
		over.WhyNot != "" {
		t.Errorf("on an overlay it is at %+v, want %v among them", over, upper)
	}
	reached, err := m.Reachable(in("a"))
	memory := last(t, m, in("a/deep/shop/mem")).Spots[0]
	if err != nil || !slices.Contains(reached, last(t, m, in("a")).Spots[0]) ||
		!slices.Contains(reached, memory) {
		t.Errorf("whoever mounts a reaches %v (%v), want what is mounted in it, too: %v", reached,
			err, memory)
	}
	seen, layers, err := m.reader.MountedBy(os.Getpid(), false)
	if err != nil || !slices.Contains(seen, memory) || !slices.Contains(layers, in("upper")) {
		t.Errorf("a process sees %v, %v, %v", seen, layers, err)
	}
}

// Only a regular file is opened, and no link is followed.
func TestOnTheWayNothingIsFollowed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(dir, filepath.Join(dir, "folder")), os.Symlink("f", filepath.Join(dir, "link")),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
		os.Link(file, filepath.Join(dir, "again")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m := table(t)
	for _, name := range []string{"folder/f", "link", "pipe"} {
		waypoints, f, err := m.OpenNoFollow(filepath.Join(dir, name))
		if err != nil || f != nil || waypoints[len(waypoints)-1].Regular {
			t.Errorf("%s: %v, %v, %+v", name, err, f, waypoints)
		}
	}
	waypoints, f, err := m.OpenNoFollow(file)
	if err != nil || f == nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := waypoints[len(waypoints)-1]; p.Path != file || p.Mode != 0o640 || p.Names != 2 ||
		int(p.UID) != os.Getuid() || waypoints[0].Path != "/" || !waypoints[0].Folder {
		t.Errorf("the waypoints is %+v", waypoints)
	}
	if _, _, err := m.OpenNoFollow(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("what is not there: %v", err)
	}
}

func TestLayersOfAnOverlay(t *testing.T) {
	for _, c := range []struct {
		options string
		want    []string
	}{
		{`rw,lowerdir=/a:/b\134:c,upperdir=/u,workdir=/w`, []string{"/a", "/b:c", "/u"}},
		{`rw,lowerdir+=/a,lowerdir+=/b,datadir+=/d`, []string{"/a", "/b", "/d"}},
		{`ro,lowerdir=1/fs::2/fs`, []string{"1/fs", "2/fs"}},
	} {
		list := parseMountinfo([]byte("30 23 0:26 / /o rw - overlay overlay " + c.options + "\n"))
		if got := list[0].layers(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.options, got, c.want)
		}
	}
}
