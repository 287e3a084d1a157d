package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// healthy is a host where everything works.
func healthy() Deps {
	return Deps{
		Now: func() time.Time {
			return time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
		},
		Root: true,
		Engine: func(context.Context) (dropcap.Host, error) {
			return dropcap.Host{Cgroup: "v2", LSM: []string{"apparmor"},
				Engine: dropcap.Engine{Name: "docker", Version: "26.1.5", API: "1.45"}}, nil
		},
		Socket: func() (string, error) { return "unix:///run/docker.sock", nil },
		Local:  func(h *dropcap.Host) { h.ID, h.LSM = "0123", []string{"lockdown", "bpf"} },
		Running: func(context.Context) ([]dropcap.Container, error) {
			return []dropcap.Container{running("web", ""), running("db", ""),
				{Name: "old", State: "exited"}}, nil
		},
		LiveRestore: func(context.Context) (bool, error) { return true, nil },
		Tracing: func(context.Context) Tracing {
			return Tracing{BTF: true, Lockdown: "none", Hooks: []Hook{
				{Name: "fexit/cap_capable", Why: "operation not permitted", Usable: true},
				{Name: "tp_btf/cap_capable", OK: true, Usable: true},
				{Name: "fmod_ret/security_capable", OK: true, Denies: true}}}
		},
		Disk: func(string) (Disk, error) { return Disk{Folder: "/var/lib", Free: 40 << 30}, nil },
	}
}

func running(name, whyNot string) dropcap.Container {
	return dropcap.Container{Name: name, State: "running",
		Kernel: dropcap.Kernel{Visible: whyNot == "", WhyNot: whyNot}}
}

func text(r dropcap.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s %s: %s [%s] %s\n", c.Status, c.Name, c.Detail, c.Remedy,
			strings.Join(c.Needed, " "))
	}
	return b.String()
}

func TestAHealthyHostIsOKThroughout(t *testing.T) {
	r := Examine(t.Context(), healthy())
	want := `ok engine: docker 26.1.5, API 1.45 [] audit learn apply
ok permission: may talk to unix:///run/docker.sock [] audit learn apply
ok root: runs as root [] learn apply
ok processes: /proc shows the processes of all 2 running containers [] audit learn apply
ok cgroup: v2 [] learn
ok BTF: /sys/kernel/btf/vmlinux [] learn
ok eBPF: tp_btf/cap_capable will be used [] learn
ok trial: capabilities can be denied at fmod_ret/security_capable [] trial hold
warning hook fexit/cap_capable: operation not permitted [] 
ok hook tp_btf/cap_capable: loads and attaches [] 
ok hook fmod_ret/security_capable: loads and attaches [] 
ok LSM: lockdown,bpf [] 
ok live-restore: on: containers outlive a restart of the daemon [] apply
ok store: 40 GiB free for /var/lib/dropcap (not there yet; measured at /var/lib) [] learn apply
ok clock: 2026-05-01T11:00:00Z [] audit learn apply
`
	if got := text(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r.Schema != dropcap.SchemaDoctor || r.Created != "2026-05-01T11:00:00Z" ||
		r.Host.ID != "0123" {
		t.Errorf("report %+v", r)
	}
}

func TestWhatIsMissingIsSaidWithItsRemedyAndTheVerbsThatNeedIt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Deps)
		want   string // a line of the report
		blocks string // the verbs that do not work
	}{
		{"no engine", func(d *Deps) {
			d.Engine = func(context.Context) (dropcap.Host, error) {
				return dropcap.Host{}, &dropcap.Error{Message: "cannot reach the engine",
					Hint: "start it"}
			}
		}, "missing engine: cannot reach the engine [start it] audit learn apply",
			"audit learn apply"},
		{"old engine", func(d *Deps) {
			d.Engine = func(context.Context) (dropcap.Host, error) {
				return dropcap.Host{Engine: dropcap.Engine{Name: "docker", Version: "18.09",
					API: "1.39"}}, nil
			}
		}, "missing engine: docker 18.09, API 1.39 [upgrade the engine: dropcap needs API 1.40, " +
			"Docker 19.03 or newer] audit learn apply",
			"audit learn apply"},
		{"no permission", func(d *Deps) {
			d.Engine = func(context.Context) (dropcap.Host, error) {
				return dropcap.Host{}, errors.New("cannot reach it")
			}
			d.Socket = func() (string, error) {
				return "unix:///s", &fs.PathError{Err: fs.ErrPermission}
			}
		}, "missing permission: may not talk to unix:///s [run as root, or as a member of the " +
			"socket's group (which is as good as root)] audit learn apply",
			"audit learn apply"},
		{"not root", func(d *Deps) {
			d.Root = false
		}, "missing root: does not run as root", "learn apply"},
		{"nothing visible", func(d *Deps) {
			d.Running = func(context.Context) ([]dropcap.Container, error) {
				return []dropcap.Container{running("web", "it is elsewhere")}, nil
			}
		}, "missing processes: /proc shows the processes of none of 1 running containers; web: " +
			"it is elsewhere [run dropcap on the engine's own host", "audit learn apply"},
		{"partly visible", func(d *Deps) {
			d.Running = func(context.Context) ([]dropcap.Container, error) {
				return []dropcap.Container{running("web", ""),
					running("vm", "runtime runsc (gVisor) keeps its own kernel")}, nil
			}
		}, "warning processes: /proc shows the processes of 1 of 2 running containers; vm: " +
			"runtime runsc (gVisor) keeps its own kernel", ""},
		{"no BTF, no hook", func(d *Deps) {
			d.Tracing = func(context.Context) Tracing {
				return Tracing{Hooks: []Hook{{Name: "lsm/capable", OK: true, Denies: true}}}
			}
		}, "missing eBPF: no program that sees capability checks loads [boot a kernel with BTF " +
			"or with kprobes] learn", "learn"},
		{"no hook that denies", func(d *Deps) {
			d.Tracing = func(context.Context) Tracing {
				return Tracing{BTF: true, Hooks: []Hook{
					{Name: "tp_btf/cap_capable", OK: true, Usable: true},
					{Name: "lsm/capable", Why: "never called", Denies: true}}}
			}
		}, "missing trial: no capability can be denied: lsm/capable: never called [use a kernel " +
			"that lets fmod_ret programs attach, or add \"bpf\"", "trial hold"},
		{"no live-restore", func(d *Deps) {
			d.LiveRestore = func(context.Context) (bool, error) { return false, nil }
		}, "warning live-restore: off: a restart of the daemon stops every container", ""},
		{"full disk", func(d *Deps) {
			d.Disk = func(string) (Disk, error) {
				return Disk{Folder: "/var/lib/dropcap", Free: 3 << 20}, nil
			}
		}, "missing store: 3 MiB free for /var/lib/dropcap [make room, at least 256 MiB] learn " +
			"apply", "learn apply"},
		{"read-only disk", func(d *Deps) {
			d.Disk = func(string) (Disk, error) {
				return Disk{Folder: "/", Free: 1 << 40, ReadOnly: true}, nil
			}
		}, "missing store: / is on a read-only file system", "learn apply"},
		{"clock", func(d *Deps) {
			d.Now = func() time.Time { return time.Unix(60, 0) }
		}, "warning clock: 1970-01-01T00:01:00Z is in the past", ""},
		{"no LSM list", func(d *Deps) { d.Local = func(h *dropcap.Host) { h.LSM = nil } },
			"warning LSM: the list of security modules cannot be read [mount -t securityfs " +
				"securityfs /sys/kernel/security]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := healthy()
			tt.change(&d)
			r := Examine(t.Context(), d)
			if !strings.Contains(text(r), "\n"+tt.want) && !strings.HasPrefix(text(r), tt.want) {
				t.Errorf("got\n%s\nwant a line %q", text(r), tt.want)
			}
			var blocked []string
			for _, v := range []string{verbAudit, verbLearn, verbApply, verbTrial, verbHold} {
				if r.Blocks(v) {
					blocked = append(blocked, v)
				}
			}
			if got := strings.Join(blocked, " "); got != tt.blocks {
				t.Errorf("blocks %q; want %q", got, tt.blocks)
			}
		})
	}
}

func TestAnUnreachableEngineIsNotAskedFurther(t *testing.T) {
	d := healthy()
	d.Engine = func(context.Context) (dropcap.Host, error) {
		return dropcap.Host{}, errors.New("cannot reach it")
	}
	d.Running = func(context.Context) ([]dropcap.Container, error) {
		t.Error("asked for containers")
		return nil, nil
	}
	d.LiveRestore = func(context.Context) (bool, error) {
		t.Error("asked for live-restore")
		return false, nil
	}
	if r := Examine(t.Context(), d); r.Host.ID != "0123" {
		t.Errorf("host %+v; want what this machine says all the same", r.Host)
	}
}

func TestEverythingMissingIsLeftOutWithoutAPanic(t *testing.T) {
	r := Examine(t.Context(), Deps{})
	if r.Blocks(verbAudit) || !r.Blocks(verbLearn) {
		t.Errorf("got\n%s", text(r))
	}
}

func TestWhereContainersCannotBeToldApart(t *testing.T) {
	for _, c := range []struct {
		engine, cgroup string
		apart          bool
	}{{"docker", "v2", true}, {"docker", "hybrid", true}, {"docker", "v1", false},
		{"podman", "v2", true}, {"podman", "hybrid", false}, {"podman", "v1", false}} {
		if why := Untraceable(c.engine, c.cgroup); (why == "") != c.apart {
			t.Errorf("%s on %s: %q", c.engine, c.cgroup, why)
		}
		d := healthy()
		d.Local = func(h *dropcap.Host) { h.Cgroup, h.Engine.Name = c.cgroup, c.engine }
		r := Examine(t.Context(), d)
		i := slices.IndexFunc(r.Checks, func(c dropcap.Check) bool { return c.Name == "cgroup" })
		if ok := r.Checks[i].Status == dropcap.CheckOK; ok != c.apart {
			t.Errorf("%s on %s: %+v", c.engine, c.cgroup, r.Checks[i])
		}
	}
}
