package kernel

import (
	"reflect"
	"strings"
	"testing"
)

func TestMountinfoUndoesTheKernelsEscapes(t *testing.T) {
	got := parseMountinfo([]byte(
		`30 23 0:26 /a\040b /sys/fs/c\134g\011x rw master:1 shared:4 - cgroup2 none rw,nsdelegate` +
			"\nnonsense\n"))
	want := []mount{{
		root: "/a b", point: "/sys/fs/c\\g\tx", kind: "cgroup2",
		options: []string{"rw", "nsdelegate"}, id: "30", device: "0:26", source: "none",
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCgroupPathsMayHoldColons(t *testing.T) {
	got := parseCgroup([]byte("0::/a:b\n12:cpu,cpuacct:/\nx\n1:a:relative\n"))
	want := []membership{{"", "/a:b"}, {"cpu,cpuacct", "/"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHostileGroupsDoNotHideTheMasks(t *testing.T) {
	f := newTree(t, mountsV2)
	p := proc{pid: 7, bounding: full}
	f.write("proc/7/status", strings.Replace(p.status(7), "Groups:\t0 1",
		"Groups:\t"+strings.Repeat("4294967294 ", 65536), 1))
	s, err := f.reader().status("7")
	if err != nil || s.masks.bounding.Mask() != full {
		t.Errorf("status = %+v, %v", s, err)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(proc{pid: 7, name: `a\nb\\`}.status(7)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStatus(text)
		if err == nil && (s.tgid < 0 || s.parent < 0 || s.threads < 0) {
			t.Errorf("negative numbers: %+v", s)
		}
	})
}

func FuzzCgroup(f *testing.F) {
	f.Add([]byte("0::/docker/"+idA+"/x\n4:pids:/"), idA)
	f.Fuzz(func(t *testing.T, text []byte, id string) {
		list := parseCgroup(text)
		if !isID(id) {
			return
		}
		h := cgroupsOf(list, id)
		for _, m := range h {
			if !strings.Contains(m.path, id) {
				t.Errorf("%q is home to %q", m.path, id)
			}
		}
		if len(h) > 0 && !h.contains(list) {
			t.Errorf("%v does not hold the process it was made of", h)
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add([]byte(mountsHybrid), "/docker/x")
	f.Fuzz(func(t *testing.T, text []byte, cgroup string) {
		for _, h := range hierarchies(parseMountinfo(text)) {
			dir, ok := h.dir(cgroup)
			if ok && !strings.HasPrefix(dir, h.point) {
				t.Errorf("%q is outside the mount at %q", dir, h.point)
			}
		}
	})
}
