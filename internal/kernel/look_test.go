package kernel

import (
	"errors"
	"strings"
	"testing"

	"dropcap"
)

func TestLookFindsTheContainersProcessesInEveryLayout(t *testing.T) {
	for _, tt := range []struct {
		name, mounts string
		cgroup       string   // of all its processes
		child        []string // the folders that list the child
		first        []string // the folders that list the first process
	}{
		{"v2 systemd", mountsV2, "0::/system.slice/docker-" + idA + ".scope\n",
			[]string{"system.slice/docker-" + idA + ".scope"},
			[]string{"system.slice/docker-" + idA + ".scope"}},
		{"v2 cgroupfs, nested", mountsV2, "0::/docker/" + idA + "/init\n",
			[]string{"docker/" + idA + "/a/b"}, []string{"docker/" + idA + "/init"}},
		{"v1 cgroupfs", mountsV1, "5:cpu,cpuacct:/docker/" + idA + "\n4:pids:/docker/" + idA +
			"\n1:name=systemd:/docker/" + idA + "\n",
			[]string{"pids/docker/" + idA}, []string{"pids/docker/" + idA, "cpu,cpuacct/docker/" +
				idA, "systemd/docker/" + idA}},
		{"v1, the child has left one hierarchy", mountsV1, "5:cpu,cpuacct:/docker/" + idA +
			"\n4:pids:/\n",
			[]string{"cpu,cpuacct/docker/" + idA}, []string{"cpu,cpuacct/docker/" + idA}},
		{"hybrid, only in v2", mountsHybrid, "5:cpu,cpuacct:/\n4:pids:/\n0::/docker/" + idA + "\n",
			[]string{"unified/docker/" + idA}, []string{"unified/docker/" + idA}},
		{"podman", mountsV2, "0::/machine.slice/libpod-" + idA + ".scope/container\n",
			[]string{"machine.slice/libpod-" + idA + ".scope/container"},
			[]string{"machine.slice/libpod-" + idA + ".scope/container"}},
		{"no cgroup mounted", "22 27 0:21 / /proc rw - proc proc rw\n", "0::/docker/" + idA + "\n",
			nil, nil},
		{"in another cgroup namespace", mountsV2, "0::/../../docker/" + idA + "\n", nil, nil},
		{"part of the tree mounted", strings.Replace(mountsV2, " / /sys/fs", " /docker /sys/fs", 1),
			"0::/docker/" + idA + "\n",
			[]string{idA}, []string{idA}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newTree(t, tt.mounts)
			f.add(proc{pid: 40, parent: 9, cgroup: tt.cgroup, listed: tt.first, name: "tini"},
				proc{pid: 41, parent: 40, cgroup: tt.cgroup, listed: tt.child},
				proc{pid: 42, parent: 9, cgroup: "0::/\n"},
				proc{pid: 9, parent: 1, cgroup: "0::/\n"})
			k := f.mustLook(dropcap.Container{ID: idA, PID: 40})
			equal(t, brief(k), "init [40] \"tini\" a80425fb\nchild [41] \"sh\" a80425fb\n")
		})
	}
}

func TestLookTellsOriginsApart(t *testing.T) {
	f := newTree(t, mountsV2)
	cg := "0::/docker/" + idA + "\n"
	in := []string{"docker/" + idA}
	f.add(proc{pid: 9, parent: 1, name: "containerd-shim", cgroup: "0::/\n"},
		proc{pid: 40, parent: 9, cgroup: cg, listed: in},
		proc{pid: 41, parent: 40, cgroup: cg, listed: in},
		proc{pid: 43, parent: 41, cgroup: cg, listed: in},
		proc{pid: 50, parent: 9, cgroup: cg, listed: in},
		proc{pid: 51, parent: 50, cgroup: cg, listed: in, effective: none},
		proc{pid: 60, parent: 9, cgroup: cg, listed: in, bounding: full, effective: full},
		proc{pid: 61, parent: 60, cgroup: cg, listed: in, bounding: full, effective: full},
		proc{pid: 70, parent: 9, cgroup: cg, listed: in, name: "nsenter"})
	k := f.mustLook(dropcap.Container{ID: idA, PID: 40, Execs: []dropcap.Exec{{PID: 50},
		{PID: 60, Privileged: true}, {PID: 0}}})
	equal(t, brief(k), `init [40] "sh" a80425fb
child [41 43] "sh" a80425fb
exec [50 70] "sh" a80425fb
exec [51] "sh" a80425fb
exec-privileged [60 61] "sh" 1ffffffffff
`)
	equal(t, k.Bounding.Mask()+" "+k.Effective.Mask()+" "+k.Permitted.Mask(), full+" "+full+" "+
		full)
}

func TestLookReadsEveryThread(t *testing.T) {
	f := newTree(t, mountsV2)
	f.add(proc{pid: 40, parent: 1, cgroup: "0::/docker/" + idA + "\n",
		listed: []string{"docker/" + idA}, noNewPrivs: 1, tasks: []proc{
			{pid: 44, noNewPrivs: 1}, {pid: 45, name: "strong", bounding: full, noNewPrivs: 1},
			{pid: 46, bounding: full, state: "Z (zombie)"}}})
	k := f.mustLook(dropcap.Container{ID: idA, PID: 40})
	equal(t, brief(k), "init [40] \"sh\" a80425fb\ninit [45] \"strong\" 1ffffffffff\n")
	if !k.NoNewPrivs {
		t.Error("NoNewPrivs = false, though every live thread has it")
	}
}

func TestLookTakesTheThreadsOfAProcessWhoseFirstThreadEnded(t *testing.T) {
	f := newTree(t, mountsV2)
	f.add(proc{pid: 40, parent: 1, cgroup: "0::/docker/" + idA + "\n",
		listed: []string{"docker/" + idA}, state: "Z (zombie)", bounding: full,
		tasks: []proc{{pid: 44}}})
	equal(t, brief(f.mustLook(dropcap.Container{ID: idA, PID: 40})), "init [44] \"sh\" a80425fb\n")
}

func TestLookIgnoresZombiesAndTheVanished(t *testing.T) {
	f := newTree(t, mountsV2)
	cg, in := "0::/docker/"+idA+"\n", []string{"docker/" + idA}
	f.add(proc{pid: 40, parent: 1, cgroup: cg, listed: in},
		proc{pid: 41, parent: 40, cgroup: cg, listed: in, state: "Z (zombie)", bounding: full})
	f.list("docker/"+idA, "99")
	equal(t, brief(f.mustLook(dropcap.Container{ID: idA, PID: 40})), "init [40] \"sh\" a80425fb\n")
}

func TestLookLeavesOutAStrangerWithARecycledNumber(t *testing.T) {
	f := newTree(t, mountsV2)
	in := []string{"docker/" + idA}
	f.add(proc{pid: 40, parent: 1, cgroup: "0::/docker/" + idA + "\n", listed: in},
		proc{pid: 41, parent: 1, cgroup: "0::/user.slice\n", listed: in, bounding: full})
	equal(t, brief(f.mustLook(dropcap.Container{ID: idA, PID: 40})), "init [40] \"sh\" a80425fb\n")
}

func TestLookIsNotFooledByACgroupNamedLikeAnother(t *testing.T) {
	f := newTree(t, mountsV2)
	a := "docker/" + idA
	f.add(proc{pid: 40, parent: 1, cgroup: "0::/" + a + "\n", listed: []string{a}},
		proc{pid: 41, parent: 40, cgroup: "0::/" + a + "/" + idB + "\n",
			listed: []string{a + "/" + idB}, bounding: full},
		proc{pid: 50, parent: 1, cgroup: "0::/docker/" + idB + "\n",
			listed: []string{"docker/" + idB}})
	equal(t, brief(f.mustLook(dropcap.Container{ID: idB, PID: 50})), "init [50] \"sh\" a80425fb\n")
	equal(t, brief(f.mustLook(dropcap.Container{ID: idA, PID: 40})),
		"init [40] \"sh\" a80425fb\nchild [41] \"sh\" 1ffffffffff\n")
}

// A capability in any of the five sets is held; here each process has another set filled.
func TestLookHoldsWhatAnySetHas(t *testing.T) {
	f := newTree(t, mountsV2)
	base := proc{parent: 1, cgroup: "0::/docker/" + idA + "\n", listed: []string{"docker/" + idA},
		bounding: none, effective: none, permitted: none, inheritable: none, ambient: none}
	for i, change := range []func(*proc){
		func(p *proc) {
			p.bounding = "1"
		}, func(p *proc) {
			p.permitted = "2"
		}, func(p *proc) { p.permitted, p.effective = "4", "4" },
		func(p *proc) {
			p.inheritable = "8"
		}, func(p *proc) { p.inheritable, p.permitted, p.ambient = "10", "10", "10" },
		func(p *proc) {
			p.tasks = []proc{{pid: 99, bounding: none, permitted: "20", effective: "20"}}
		},
	} {
		p := base
		p.pid = 40 + i
		change(&p)
		f.add(p)
	}
	k := f.mustLook(dropcap.Container{ID: idA, PID: 40})
	if k.Held == nil || *k.Held != 0x3f || *k.Bounding != 1 || k.Nested != nil {
		t.Errorf("held %v, bounding %v, nested %v; want CHOWN to KILL, CHOWN alone and none",
			k.Held, k.Bounding, k.Nested)
	}
}

// Only what is certainly confined to a user namespace within the container's own does not count,
// and it is reported.
func TestLookCountsEveryUserNamespaceButThoseWithin(t *testing.T) {
	const own, within = "user:[4026533000]", "user:[4026533999]"
	for _, tt := range []struct {
		name, ns string
		outer    []string
		want     string
		counts   bool
	}{
		{"made within", within, []string{own, "user:[4026531837]"}, dropcap.UserNSNested, false},
		{"made deep within", within, []string{"user:[4026533555]", own, "user:[4026531837]"},
			dropcap.UserNSNested, false},
		{"the host's", "user:[4026531837]", nil, dropcap.UserNSHost, true},
		{"one that the first process left", within, []string{"user:[4026531837]"},
			dropcap.UserNSOther, true},
		{"one of which nothing is known", within, nil, dropcap.UserNSOther, true},
		{"its own", own, []string{"user:[4026531837]"}, dropcap.UserNSOwn, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newTree(t, mountsV2)
			f.outer[tt.ns] = tt.outer
			cg, in := "0::/docker/"+idA+"\n", []string{"docker/" + idA}
			f.add(proc{pid: 40, parent: 1, cgroup: cg, listed: in, userNS: own},
				proc{pid: 41, parent: 40, cgroup: cg, listed: in, userNS: tt.ns, bounding: full,
					effective: "1"})
			k := f.mustLook(dropcap.Container{ID: idA, PID: 40})
			if k.UserNS != dropcap.UserNSOwn || k.Processes[1].UserNS != tt.want {
				t.Errorf("user namespaces %q and %q, want own and %s", k.UserNS,
					k.Processes[1].UserNS, tt.want)
			}
			held, nested := full, "-"
			if !tt.counts {
				held, nested = defaults, full
			}
			got := "-"
			if k.Nested != nil {
				got = k.Nested.Mask()
			}
			equal(t, k.Held.Mask()+" "+k.Bounding.Mask()+" "+got, held+" "+held+" "+nested)
		})
	}
}

func TestLookShowsAHostileNameAsItIs(t *testing.T) {
	f := newTree(t, mountsV2)
	f.add(proc{pid: 40, parent: 1, cgroup: "0::/docker/" + idA + "\n",
		listed: []string{"docker/" + idA},
		name:   "x\\nCapBnd:\\t0\\\\n\x1b[2J:"})
	equal(t, f.mustLook(dropcap.Container{ID: idA, PID: 40}).Processes[0].Comm,
		"x\nCapBnd:\\t0\\n\x1b[2J:")
}

func TestLookSaysWhatCannotBeSeen(t *testing.T) {
	mine := "0::/docker/" + idA + "\n"
	for _, tt := range []struct {
		name   string
		change func(tree)
		c      dropcap.Container
		want   string
		gone   bool
	}{
		{"stopped", nil, dropcap.Container{ID: idA, State: "exited"}, "not running", false},
		{"no pid", nil, dropcap.Container{ID: idA}, "the engine names no process of it", false},
		{"short id", nil, dropcap.Container{ID: "aa", PID: 40},
			"the engine's id for it is not 64 hexadecimal digits", false},
		{"gVisor", nil, dropcap.Container{ID: idA, PID: 40, Runtime: "runsc"},
			"runtime runsc (gVisor) keeps its own kernel", false},
		{"Kata", nil, dropcap.Container{ID: idA, PID: 40, Runtime: "io.containerd.kata-qemu.v2"},
			"runtime io.containerd.kata-qemu.v2 (Kata Containers) keeps its own kernel", false},
		{"foreign", func(f tree) {
			f.add(proc{pid: 40, cgroup: "0::/user.slice\n"})
		}, dropcap.Container{ID: idA, PID: 40},
			"process 40 is not in this container's cgroup: the engine runs on another machine, " +
				"in a VM or in another PID namespace", false},
		{"gone", nil, dropcap.Container{ID: idA, PID: 40},
			"process 40 does not exist here: the engine runs on another machine, in a VM or in " +
				"another PID namespace", true},
		{"hidden", func(f tree) {
			f.write("proc/self/mountinfo", strings.Replace(mountsV2, "proc proc rw",
				"proc proc rw,hidepid=invisible", 1))
		}, dropcap.Container{ID: idA, PID: 40},
			"process 40 is hidden: /proc is mounted with hidepid", false},
		{"processes of another PID namespace", func(f tree) {
			f.add(proc{pid: 40, cgroup: mine, listed: []string{"docker/" + idA}})
			f.list("docker/"+idA, "0")
		}, dropcap.Container{ID: idA, PID: 40},
			"its cgroup holds processes of a PID namespace that cannot be seen from here", false},
		{"first process is a zombie", func(f tree) {
			f.add(proc{pid: 40, cgroup: mine, listed: []string{"docker/" + idA},
				state: "Z (zombie)"})
		}, dropcap.Container{ID: idA, PID: 40},
			"process 40 does not exist here: the engine runs on another machine, in a VM or in " +
				"another PID namespace", true},
		{"no masks", func(f tree) {
			f.add(proc{pid: 40, cgroup: mine, listed: []string{"docker/" + idA}})
			f.write("proc/40/status", "Name:\tsh\nTgid:\t40\n")
		}, dropcap.Container{ID: idA, PID: 40}, "the kernel's status file has no capability sets",
			false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newTree(t, mountsV2)
			if tt.change != nil {
				tt.change(f)
			}
			k, err := f.look(tt.c)
			if k.Visible || k.WhyNot != tt.want || k.Bounding != nil || k.Processes == nil {
				t.Errorf("Look = %+v; want not visible because %q", k, tt.want)
			}
			if errors.Is(err, dropcap.ErrGone) != tt.gone || err != nil && !tt.gone {
				t.Errorf("error %v; want gone: %v", err, tt.gone)
			}
		})
	}
}

func TestHostNamesTheLayout(t *testing.T) {
	for mounts, want := range map[string]string{mountsV1: "v1", mountsV2: "v2",
		mountsHybrid: "hybrid", "": ""} {
		f := newTree(t, mounts)
		f.write("etc/machine-id", "uninitialized\n")
		f.write("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
		f.write("proc/sys/kernel/osrelease", "5.8.0-1\n")
		f.write("sys/kernel/security/lsm", "lockdown,capability,bpf")
		h := f.reader().Host()
		if h.Cgroup != want || h.ID != "0123456789abcdef0123456789abcdef" || h.LastCap != 39 ||
			strings.Join(h.LSM, " ") != "lockdown capability bpf" {
			t.Errorf("Host = %+v; want cgroup %q", h, want)
		}
	}
}
