package evidence

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

var update = flag.Bool("update", false, "write the golden files")

var at = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

var (
	chownPath = []string{"chown_ok", "setattr_prepare", "ext4_setattr", "notify_change",
		"chown_common"}
	permPath = []string{"generic_permission", "inode_permission", "may_open", "path_openat"}
	odd      = []string{"some_new_driver_ioctl", "__x64_sys_ioctl"}
)

// check returns a granted one, made by the image's own program.
func check(c caps.Cap, call string, count uint64, frames ...string) dropcap.KernelCheck {
	return dropcap.KernelCheck{
		Cgroup: 1, Cap: c, Granted: true, OwnCred: true, Syscall: call, Frames: frames,
		Count: count, Phase: dropcap.PhaseStart, Origin: dropcap.OriginInit,
		Exe:   dropcap.Executable{Path: "/usr/sbin/app", Dev: 1, Inode: 2, From: dropcap.FromImage},
		First: at, Last: at.Add(time.Minute),
	}
}

func denied(k dropcap.KernelCheck) dropcap.KernelCheck {
	k.Granted = false
	return k
}

func by(from, path string, k dropcap.KernelCheck) dropcap.KernelCheck {
	k.Exe = dropcap.Executable{Path: path, Dev: 1, Inode: 77, From: from}
	return k
}

func source(host string, container byte, since time.Time) dropcap.Source {
	s := dropcap.Source{
		Container: strings.Repeat(string("0123456789abcdef"[container%16]), 64),
		Since:     since.Format(time.RFC3339),
		Until:     since.Add(2 * time.Hour).Format(time.RFC3339), Seconds: 7200, StartsCold: 1,
		StartsWarm: 1, Stops: 1,
	}
	s.Host.ID = host
	return s
}

var identity = Identity{Workload: "docker:web", Revision: "sha256:" + strings.Repeat("1", 64),
	ImageID: "sha256:" + strings.Repeat("2", 64)}

func build(held caps.Set, checks ...dropcap.KernelCheck) dropcap.WorkloadEvidence {
	return Build(checks, nil, held, source("h1", 1, at), identity)
}

func TestRequiredIsWhatGrantedChecksSupport(t *testing.T) {
	chown := check(caps.Chown, "fchownat", 3, chownPath...)
	both := caps.Of(caps.DacOverride, caps.DacReadSearch)
	read := check(caps.DacReadSearch, "openat", 4, permPath...)
	write := check(caps.DacOverride, "openat", 4, permPath...)
	named := denied(check(caps.Setpcap, "capset", 1, "cap_capset", "security_capset"))
	named.Asked = caps.Of(caps.Setuid, caps.SysTime)
	everything := named
	everything.Asked = caps.DockerDefaults
	mark := check(caps.NetRaw, "setsockopt", 1, "sk_setsockopt")
	overlay := check(caps.Mknod, "openat", 2, "vfs_mknod", "ovl_create_real", "ovl_copy_up_one")
	overlay.OwnCred = false
	for _, x := range []struct {
		name   string
		held   caps.Set
		checks []dropcap.KernelCheck
		want   caps.Set
	}{
		{"nothing", caps.DockerDefaults, nil, 0},
		{"decisive", caps.DockerDefaults, []dropcap.KernelCheck{chown}, caps.Of(caps.Chown)},
		{"denied only", caps.DockerDefaults, []dropcap.KernelCheck{denied(chown)}, 0},
		{"never beyond what is held", caps.Of(caps.Kill), []dropcap.KernelCheck{chown}, 0},
		{"overcommit", caps.UpTo(caps.Last),
			[]dropcap.KernelCheck{check(caps.SysAdmin, "mmap", 900, "security_vm_enough_memory_mm",
				"mmap_region")}, 0},
		{"overlayfs", caps.DockerDefaults, []dropcap.KernelCheck{overlay}, 0},
		{"unknown is kept", caps.UpTo(caps.Last),
			[]dropcap.KernelCheck{check(caps.NetAdmin, "ioctl", 1, odd...)},
			caps.Of(caps.NetAdmin)},
		{"the weaker of two", both, []dropcap.KernelCheck{read}, caps.Of(caps.DacOverride)},
		{"the weaker is not held", caps.Of(caps.DacReadSearch), []dropcap.KernelCheck{read},
			caps.Of(caps.DacReadSearch)},
		{"what would do is not held", caps.Of(caps.DacOverride),
			[]dropcap.KernelCheck{write, denied(read)}, caps.Of(caps.DacOverride)},
		{"the other is needed anyway", both, []dropcap.KernelCheck{read, write},
			caps.Of(caps.DacOverride)},
		{"the other was denied to it", both, []dropcap.KernelCheck{read, denied(write)},
			caps.Of(caps.DacReadSearch)},
		{"the stronger is needed anyway", caps.Of(caps.NetRaw, caps.NetAdmin),
			[]dropcap.KernelCheck{mark, check(caps.NetAdmin, "ioctl", 1, "dev_ioctl")},
			caps.Of(caps.NetAdmin)},
		{"either would do", caps.Of(caps.NetRaw, caps.NetAdmin), []dropcap.KernelCheck{mark},
			caps.Of(caps.NetRaw)},
		{"named in its own sets", caps.DockerDefaults, []dropcap.KernelCheck{named},
			caps.Of(caps.Setuid)},
		{"all that it has, so none named", caps.DockerDefaults, []dropcap.KernelCheck{everything},
			0},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := build(x.held, x.checks...)
			if w.Required != x.want || w.Unused != x.held.Minus(x.want) {
				t.Errorf("required %s, unused %s; want %s of %s", w.Required, w.Unused, x.want,
					x.held)
			}
			if got := strings.Join(w.Recommended.CapAdd, " "); got != strings.Join(x.want.Names(),
				" ") || strings.Join(w.Recommended.CapDrop, " ") != caps.All {
				t.Errorf("recommended %+v", w.Recommended)
			}
		})
	}
}

func TestStaticNeedsAreKept(t *testing.T) {
	static := []dropcap.Need{{Cap: caps.NetBindService, Outcome: dropcap.Granted,
		Class: dropcap.Static, Because: "exec of /usr/bin/caddy fails with EPERM"}}
	w := Build(nil, static, caps.DockerDefaults, source("h", 1, at), identity)
	if w.Required != caps.Of(caps.NetBindService) || w.Needs[0].Sources != 1 {
		t.Errorf("required %s of needs %+v", w.Required, w.Needs)
	}
}

func TestWhatAPlantedProgramShowsKeepsNothingBeyondDefaults(t *testing.T) {
	planted := by(dropcap.FromWritten, "/tmp/x", check(caps.SysAdmin, "mount", 5, "path_mount"))
	memory := check(caps.SysTime, "clock_settime", 1, "cap_settime")
	memory.Exe.From = dropcap.FromMemory
	ordinary := by(dropcap.FromWritten, "/tmp/x", check(caps.Chown, "chown", 1, chownPath...))
	held := caps.UpTo(caps.Last)
	w := build(held, planted, memory, ordinary)
	if w.Required != caps.Of(caps.Chown) {
		t.Errorf("required %s, want CHOWN alone: it is a default", w.Required)
	}
	for _, n := range w.Needs {
		if !n.Flagged {
			t.Errorf("%s is not flagged", n.Cap)
		}
	}
	if w.Confidence.Level == dropcap.ConfidenceHigh ||
		!strings.Contains(strings.Join(w.Confidence.Because, "\n"), "SYS_ADMIN,SYS_TIME") {
		t.Errorf("confidence does not speak of flagged needs: %+v", w.Confidence)
	}
	w.Needs[2].Approved = true
	if approved := Conclude(w); approved.Required != caps.Of(caps.Chown, w.Needs[2].Cap) {
		t.Errorf("with %s approved, required is %s", w.Needs[2].Cap, approved.Required)
	}
	if both := build(held, planted, check(caps.SysAdmin, "mount", 1,
		"path_mount")); !both.Required.Has(caps.SysAdmin) || both.Needs[0].Flagged {
		t.Error("the image's own program shows the need too, and yet it is flagged")
	}
}

func TestCountsOfAKeyAreNotAddedForEachPath(t *testing.T) {
	a, b := check(caps.DacOverride, "openat", 100, permPath...), check(caps.DacOverride, "openat",
		100, "generic_permission", "link_path_walk")
	a.CountShared, b.CountShared = true, true
	if w := build(caps.DockerDefaults, a, b); len(w.Needs) != 1 || w.Needs[0].Count != 100 {
		t.Errorf("needs %+v, want one of 100", w.Needs)
	}
	a.CountShared, b.CountShared = false, false
	if w := build(caps.DockerDefaults, a, b); w.Needs[0].Count != 200 || len(w.Needs[0].By) != 1 ||
		w.Needs[0].By[0].Count != 200 {
		t.Errorf("needs %+v, want one of 200 by one entry", w.Needs)
	}
}

func TestByIsBounded(t *testing.T) {
	var checks []dropcap.KernelCheck
	for i := range 200 {
		checks = append(checks, by(dropcap.FromImage, fmt.Sprintf("/bin/%03d", i),
			check(caps.Chown, "chown", uint64(i+1), chownPath...)))
	}
	n := build(caps.DockerDefaults, checks...).Needs[0]
	total := uint64(0)
	for _, b := range n.By {
		total += b.Count
	}
	if len(n.By) != MostBy+1 || n.By[MostBy].Site != OtherSites || n.By[0].Exe != "/bin/199" ||
		total != n.Count || n.Count != 200*201/2 {
		t.Errorf("%d entries, first %+v, last %+v, %d of %d counted", len(n.By), n.By[0],
			n.By[len(n.By)-1], total, n.Count)
	}
}

// The document of a small server, as people and programs read it.
func TestDocumentOfAServer(t *testing.T) {
	read := check(caps.DacReadSearch, "openat", 2, permPath...)
	setuid := check(caps.Setuid, "setuid", 2, "__sys_setuid")
	setuid.Arg = dropcap.ArgForeign
	w := Build([]dropcap.KernelCheck{
		check(caps.Chown, "fchownat", 3, chownPath...), setuid, check(caps.Setgid, "setgroups", 2,
			"may_setgroups"), denied(read),
		check(caps.DacOverride, "openat", 2, permPath...),
		denied(check(caps.SysAdmin, "mmap", 40, "security_vm_enough_memory_mm")),
	}, nil, caps.DockerDefaults, source("h1", 1, at), identity)
	got, err := json.MarshalIndent(dropcap.Evidence{Schema: dropcap.SchemaEvidence,
		Workloads: []dropcap.WorkloadEvidence{w}}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/server.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != string(got)+"\n" {
		t.Errorf("%v; got %s", err, got)
	}
}
