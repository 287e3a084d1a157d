package vm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap/caps"
	"dropcap/internal/verdict"
	"dropcap/test/install"
	"dropcap/test/vm"
)

// truth is a program of test/truth/testdata/one, run once with a capability really dropped and once
// with a trial in place of the drop.
type truth struct {
	program string
	cap     string
	flags   string // of docker create, beyond the usual ones
	// limit names what of verdict.Limits explains that the two differ; empty: they must not.
	limit string
	// beside is set if it needs another user's process beside it.
	beside bool
}

const (
	lowPorts = "--sysctl net.ipv4.ip_unprivileged_port_start=1024"
	anyCall  = "--security-opt seccomp=unconfined"
)

// allTruths are the needs of test/truth's table, and what its probes ask for.
func allTruths() []truth {
	var list []truth
	for _, line := range []string{
		"chown CHOWN", "fsetid FSETID", "dac_override DAC_OVERRIDE",
		"dac_read DAC_OVERRIDE", "fowner FOWNER", "fowner_utimes FOWNER",
		"setgid SETGID", "setgroups SETGID", "setuid SETUID",
		"setresuid SETUID", "setpcap SETPCAP", "net_raw NET_RAW", "net_raw_packet NET_RAW",
		"sys_chroot SYS_CHROOT", "mknod MKNOD", "audit_write AUDIT_WRITE", "setfcap SETFCAP",
		"net_bind_service NET_BIND_SERVICE " + lowPorts,
		"ambient_exec NET_BIND_SERVICE " + lowPorts, "ambient_exec SETUID " + lowPorts,
		"net_admin NET_ADMIN", "sys_admin SYS_ADMIN", "sys_nice SYS_NICE", "sys_time SYS_TIME",
		"ipc_lock IPC_LOCK --ulimit memlock=65536:65536", "ipc_owner IPC_OWNER", "lease LEASE",
		"linux_immutable LINUX_IMMUTABLE", "dac_read_search DAC_READ_SEARCH " + anyCall,
		"sys_rawio SYS_RAWIO", "sys_tty_config SYS_TTY_CONFIG", "sys_pacct SYS_PACCT",
		"sys_boot SYS_BOOT", "syslog SYSLOG", "wake_alarm WAKE_ALARM", "audit_read AUDIT_READ",
		"probe_nothing SYS_ADMIN", "probe_access DAC_OVERRIDE", "probe_own_ids SETUID",
		"probe_memory SYS_ADMIN", "probe_chmod FSETID", "probe_chown CHOWN",
		"probe_capset SETPCAP", "probe_sysctl NET_ADMIN", "probe_xattr SYS_ADMIN",
		"probe_libcap MAC_OVERRIDE",
	} {
		f := strings.SplitN(line+"  ", " ", 3)
		list = append(list, truth{program: f[0], cap: f[1], flags: strings.TrimSpace(f[2])})
	}
	return append(list,
		truth{program: "ambient", cap: "NET_BIND_SERVICE", limit: "passing-on"},
		truth{program: "look", cap: "NET_RAW", limit: "sets"},
		truth{program: "kill", cap: "KILL", beside: true},
		truth{program: "sys_ptrace", cap: "SYS_PTRACE", beside: true},
		truth{program: "probe_stat", cap: "SYS_PTRACE", beside: true})
}

// TestTrialAgainstRealDrops runs every program once without a capability and once with a trial of
// it: where the two differ, the table of limits has said so.
func TestTrialAgainstRealDrops(t *testing.T) {
	if !install.Full() {
		return // it takes some minutes
	}
	m := vm.Start(t, vm.Debian12Host)
	m.PutBinary(t, "./cmd/dropcap", program)
	compareTruths(t, m, allTruths())
}

// oneImage makes the image of test/truth in the machine.
func oneImage(t *testing.T, m *vm.Machine) {
	m.PutBinary(t, "./test/truth/testdata/one", "/tmp/one/one")
	m.Shell(t, `cd /tmp/one; mkdir -p etc tmp dev proc sys scratch data
		touch data/owned data/closed; mkdir data/grouped
		chmod 644 data/owned; chown 1000:1000 data/owned; chmod 0 data/closed
		chmod 755 data/grouped; chown 0:1000 data/grouped
		tar -c . | docker import - one:1`)
}

func compareTruths(t *testing.T, m *vm.Machine, list []truth) {
	oneImage(t, m)
	began := time.Now()
	byCap := map[string][]truth{}
	for _, x := range list {
		byCap[x.cap] = append(byCap[x.cap], x)
	}
	for c, group := range byCap {
		var names []string
		for _, x := range group {
			names = append(names, x.program+"-"+c)
		}
		said := m.Shell(t, "exec 2>/tmp/said\n"+script(group)+program+" trial -d --drop "+c+
			" --for 1h "+strings.Join(names, " ")+"\n"+runAll(group, "trial")+
			program+" trial --stop >/dev/null\ndocker rm -f "+strings.Join(names, " ")+
			" >/dev/null\n")
		for _, x := range group {
			x.compare(t, said)
		}
	}
	t.Logf("%d programs took %.0f s", len(list), time.Since(began).Seconds())
}

// compare compares the exit statuses that were said of a program.
func (x truth) compare(t *testing.T, said string) {
	t.Helper()
	status := map[string]string{}
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); len(f) == 3 {
			status[f[0]+" "+f[1]] = f[2]
		}
	}
	name := x.program + "-" + x.cap
	real, trial := status[name+" real"], status[name+" trial"]
	differ := (real == "0") != (trial == "0")
	t.Logf("%-40s dropped %-3s trial %s", name, real, trial)
	switch {
	case real == "" || trial == "":
		t.Errorf("%s did not run: %q", name, said)
	case differ && x.limit == "":
		t.Errorf("%s: exit %s with a real drop, %s under trial, and no limit says so", name, real,
			trial)
	case !differ && x.limit != "":
		t.Errorf("%s: exit %s with a real drop as under trial: limit %s does not show", name, real,
			x.limit)
	case differ:
		checkLimit(t, x)
	}
}

// script runs each program with the capability dropped, and makes its container for the trial.
func script(group []truth) string {
	var b strings.Builder
	for _, x := range group {
		add, c := "", x.cap
		if k, err := caps.Parse(c); err == nil && !caps.DockerDefaults.Has(k) {
			add = " --cap-add " + c
		}
		common := "docker create --network none --tmpfs /scratch " + x.flags
		name := x.program + "-" + c
		drop := " --cap-drop " + c
		if add != "" {
			drop = "" // it is not there unless it is added
		}
		fmt.Fprintf(&b, "%s%s --name real-%s one:1 /one %s >/dev/null\n", common, drop, name,
			x.program)
		fmt.Fprintf(&b, "%s%s --name %s one:1 /one %s >/dev/null\n", common, add, name, x.program)
	}
	b.WriteString(runAll(group, "real"))
	return b.String()
}

// runAll starts the containers and prints their exit statuses: "NAME HOW STATUS".
func runAll(group []truth, how string) string {
	var b strings.Builder
	for _, x := range group {
		name := x.program + "-" + x.cap
		container := name
		if how == "real" {
			container = "real-" + name
		}
		fmt.Fprintf(&b, "docker start %s >/dev/null\n", container)
		if x.beside {
			fmt.Fprintf(&b, "docker exec -d -u 1000 %s /one sleep\n", container)
		}
		fmt.Fprintf(&b, "echo %s %s $(docker wait %s)\n", name, how, container)
		if how == "real" {
			fmt.Fprintf(&b, "docker rm -f %s >/dev/null\n", container)
		}
	}
	return b.String()
}

func checkLimit(t *testing.T, x truth) {
	t.Helper()
	c, err := caps.Parse(x.cap)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(verdict.Limits, func(l verdict.Limit) bool {
		return l.Name == x.limit && l.Caps.Has(c)
	}) {
		t.Errorf("%s: the table has no limit %s of %s", x.program, x.limit, x.cap)
	}
}
