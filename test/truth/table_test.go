package truth_test

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// workload is a line of the table: a program, what its life consists of, and the truth about it.
type workload struct {
	name    string
	image   string
	cmd     []string
	env     []string
	volumes map[string]any
	host    map[string]any // of its HostConfig
	add     caps.Set       // held beyond the engine's defaults while learning

	// needs is the truth, found by running it without each of the defaults in turn: without one of
	// these its life breaks. The class is what dropcap must report.
	needs truth
	// kept are those that dropcap cannot know to be unneeded, with the class that says so; they
	// count as excess.
	kept truth

	server bool
	// fresh returns the parts of HostConfig that each container must have for itself.
	fresh func() (map[string]any, error)
	life  func(*container) error // nil if nothing broke
}

type truth map[caps.Cap]dropcap.Class

func (t truth) set() (s caps.Set) {
	for c := range t {
		s |= caps.Of(c)
	}
	return s
}

// accompanied names those of our own programs that need another user's process beside them.
var accompanied = map[string]bool{"kill": true, "sys_ptrace": true, "probe_stat": true}

// own returns the line of one of our own programs.
func own(name string, add caps.Set, needs truth) workload {
	w := workload{name: name, image: oneImage, cmd: []string{"/one", name}, add: add, needs: needs}
	w.life = func(c *container) error {
		if err := c.start(); err != nil {
			return err
		}
		if accompanied[name] {
			if err := c.accompany("1000", "/one", "sleep"); err != nil {
				return err
			}
		}
		return c.exit()
	}
	return w
}

// needing returns the line of a program that needs one capability, of the defaults or beyond.
func needing(name string, c caps.Cap, class dropcap.Class) workload {
	return own(name, caps.Of(c).Minus(caps.DockerDefaults), truth{c: class})
}

func (w workload) on(key string, value any) workload {
	host := map[string]any{key: value}
	for k, v := range w.host {
		host[k] = v
	}
	w.host = host
	return w
}

// keeping adds a capability that is kept without need.
func (w workload) keeping(c caps.Cap, class dropcap.Class) workload {
	w.kept = truth{c: class}
	return w
}

const (
	decisive = dropcap.Decisive
	silent   = dropcap.Silent
)

func sysctl(name, value string) map[string]string { return map[string]string{name: value} }

// defaultPrograms are the programs of testdata/one that need one of the engine's defaults.
func defaultPrograms() []workload {
	return []workload{
		needing("chown", caps.Chown, decisive),
		needing("dac_override", caps.DacOverride, decisive),
		needing("dac_read", caps.DacOverride, dropcap.Alternative),
		needing("fowner", caps.Fowner, decisive),
		needing("fowner_utimes", caps.Fowner, decisive),
		needing("fsetid", caps.Fsetid, silent),
		needing("kill", caps.Kill, decisive),
		needing("setgid", caps.Setgid, decisive),
		needing("setgroups", caps.Setgid, decisive),
		needing("setuid", caps.Setuid, decisive),
		needing("setresuid", caps.Setuid, decisive),
		needing("setpcap", caps.Setpcap, decisive),
		needing("net_bind_service", caps.NetBindService, decisive).on("Sysctls",
			sysctl("net.ipv4.ip_unprivileged_port_start", "1024")),
		needing("net_raw", caps.NetRaw, decisive),
		needing("net_raw_packet", caps.NetRaw, decisive),
		needing("sys_chroot", caps.SysChroot, decisive),
		needing("mknod", caps.Mknod, decisive),
		needing("audit_write", caps.AuditWrite, decisive),
		needing("setfcap", caps.Setfcap, decisive),
	}
}

// addedPrograms need one beyond the defaults.
func addedPrograms() []workload {
	return []workload{
		needing("net_admin", caps.NetAdmin, decisive),
		needing("sys_admin", caps.SysAdmin, decisive),
		needing("sys_nice", caps.SysNice, decisive),
		needing("sys_ptrace", caps.SysPtrace, decisive),
		needing("sys_time", caps.SysTime, decisive),
		needing("ipc_lock", caps.IpcLock, decisive).on("Ulimits",
			[]map[string]any{{"Name": "memlock", "Soft": 65536, "Hard": 65536}}),
		needing("ipc_owner", caps.IpcOwner, decisive),
		needing("lease", caps.Lease, decisive),
		needing("linux_immutable", caps.LinuxImmutable, decisive),
		// which refuses name_to_handle_at
		needing("dac_read_search", caps.DacReadSearch, decisive).on("SecurityOpt",
			[]string{"seccomp=unconfined"}),
		needing("sys_rawio", caps.SysRawio, decisive),
		needing("sys_tty_config", caps.SysTtyConfig, decisive),
		needing("sys_pacct", caps.SysPacct, decisive),
		needing("sys_boot", caps.SysBoot, decisive),
		needing("syslog", caps.Syslog, decisive),
		needing("wake_alarm", caps.WakeAlarm, decisive),
		needing("audit_read", caps.AuditRead, decisive),
	}
}

// probes need nothing. What some of them hold beyond the defaults is what they ask for in vain.
func probes() []workload {
	everyone := sysctl("net.ipv4.ping_group_range", "0 2147483647")
	return []workload{
		own("probe_nothing", caps.Of(caps.SysAdmin), nil),
		own("probe_access", 0, nil).keeping(caps.DacOverride, silent),
		own("probe_own_ids", 0, nil),
		own("probe_memory", caps.Of(caps.SysAdmin), nil),
		own("probe_ping", 0, nil).on("Sysctls", everyone),
		own("probe_raw_ping", 0, nil).on("Sysctls", everyone).keeping(caps.NetRaw, decisive),
		own("probe_stat", caps.Of(caps.SysPtrace), nil),
		own("probe_chmod", 0, nil),
		own("probe_chown", 0, nil),
		own("probe_capset", 0, nil),
		own("probe_sysctl", caps.Of(caps.NetAdmin), nil).keeping(caps.NetAdmin,
			dropcap.UnknownNeed),
		own("probe_xattr", caps.Of(caps.SysAdmin), nil),
	}
}

// ownSets are programs whose needs no check shows, or only before they have given everything up.
func ownSets() []workload {
	low := sysctl("net.ipv4.ip_unprivileged_port_start", "1024")
	all := own("bounding", 0, truth{caps.Setpcap: decisive})
	all.life = func(c *container) error {
		if err := c.start(); err != nil {
			return err
		}
		gaveUp := func() error {
			if said := c.logs(); !strings.Contains(said, "gave up") {
				return errors.New("it has not given up what it has: " + said)
			}
			return nil
		}
		return errors.Join(c.eventually("giving up", gaveUp), c.stop())
	}
	return []workload{
		needing("ambient", caps.NetBindService, decisive),
		own("ambient_exec", 0, truth{caps.NetBindService: decisive, caps.Setuid: decisive}).
			on("Sysctls", low),
		all,
		needing("look", caps.NetRaw, dropcap.Inspected),
		own("probe_libcap", caps.Of(caps.MacOverride), nil),
	}
}

// buyers use NET_ADMIN through programs that are not the image's, or in a user namespace of their
// own: it must not be kept.
func buyers(tb testing.TB) []workload {
	admin := caps.Of(caps.NetAdmin)
	volume := own("bought_volume", admin, nil)
	volume.volumes = map[string]any{"/named": map[string]any{}}
	return []workload{
		own("bought_written", admin, nil), own("bought_dev", admin, nil),
		own("bought_memory", admin, nil), own("bought_replaced", admin, nil),
		own("bought_shm", admin, nil).on("Tmpfs", map[string]string{"/scratch": "exec"}),
		volume,
		own("bought_bind", admin, nil).on("Binds", []string{tb.TempDir() + ":/bound"}),
		own("bought_file", admin, nil).keeping(caps.Setfcap, decisive),
		own("bought_namespace", admin, truth{caps.Setfcap: decisive}).on("SecurityOpt",
			[]string{"seccomp=unconfined"}),
	}
}

// servers are Debian's, unchanged.
func servers(tb testing.TB, e *dockertest.Engine) []workload {
	key, public := sshKey(tb)
	server := func(name, script string, life func(*container) error, needs truth) workload {
		return workload{name: name, image: serversImage, cmd: []string{"sh", "-ec", script},
			life: life, needs: needs, server: true}
	}
	data := func(path string) map[string]any { return map[string]any{path: map[string]any{}} }
	gives := func(more truth) truth {
		t := truth{caps.Setgid: decisive, caps.Setuid: decisive}
		maps.Copy(t, more)
		return t
	}
	nginx := server("nginx", nginxScript, web("/etc/nginx", "answer", "return 200 second;\n"),
		gives(truth{caps.Chown: decisive}))
	redis := server("redis", redisScript, redisLife, gives(truth{caps.Chown: decisive}))
	redis.volumes = data("/data")
	folders := truth{caps.DacOverride: dropcap.Alternative, caps.Fowner: decisive,
		caps.Fsetid: silent}
	existing := server("postgresql-existing", postgresScript, postgresLife, gives(folders))
	folders = maps.Clone(folders)
	folders[caps.Chown] = decisive
	postgres := server("postgresql", postgresScript, postgresLife, gives(folders))
	golden := sync.OnceValue(func() string { return filled(tb, e, existing) })
	existing.fresh = func() (map[string]any, error) { return copied(tb, golden()) }
	postgres.volumes = data(postgresData)
	sshd := server("sshd", sshdScript, sshLife(key),
		gives(truth{caps.Chown: decisive, caps.SysChroot: decisive, caps.AuditWrite: decisive})).
		keeping(caps.Kill, decisive)
	sshd.env = []string{"KEY=" + public}
	apache := server("apache2", apacheScript, web("/etc/apache2/conf-enabled", "answer.conf",
		"Redirect /answer http://second/\n"), gives(nil)).keeping(caps.Kill, decisive)
	return []workload{nginx, redis, postgres, existing, sshd, apache}
}
