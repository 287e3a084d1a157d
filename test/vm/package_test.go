package vm_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/test/install"
	"dropcap/test/vm"
)

// dpkg installs the .deb on a whole host, where it is used, updated over itself and by a newer one,
// removed and purged.
func TestPackage(t *testing.T) {
	if !install.Full() {
		t.Log("only with DROPCAP_TEST_FULL: it builds two packages and boots twice")
		return
	}
	m := vm.Start(t, vm.Debian12Host, vm.BootTimeout(15*time.Minute))
	for _, version := range []string{"1.0.0", "1.0.1"} {
		deb, _ := install.Build(t, "amd64", "VERSION="+version)
		data, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		m.Put(t, "/root/"+version+".deb", data, 0o600)
	}
	m.Put(t, "/tmp/busybox.tar", busyboxImage(t), 0o600)
	m.Shell(t, "docker import /tmp/busybox.tar busybox:test; docker run -d --stop-timeout 1 "+
		"--name web busybox:test sleep 1000")
	for _, step := range []struct {
		name string
		test func(*testing.T, *vm.Machine)
	}{
		{"is installed, and nothing runs", installed},
		{"audits and learns", used},
		{"learns as a service", learns},
		{"recovers, and has nothing to do where nothing was changed", recovers},
		{"is updated: what runs goes on, what was decided stays", updated},
		{"starts at boot", boots},
		{"does not fail without an engine", withoutEngine},
		{"is removed: evidence and settings stay", removed},
		{"is purged: nothing stays", purged},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, m) }) {
			return // each depends on those before
		}
	}
}

// dpkg installs without anybody to ask: a question is an error.
func dpkg(t *testing.T, m *vm.Machine, version string) {
	t.Helper()
	m.Shell(t, "DEBIAN_FRONTEND=noninteractive dpkg -i /root/"+version+".deb </dev/null 2>&1")
	is(t, m, "dpkg-query -W -f '${Version} ${Status}' dropcap", version+" install ok installed")
	is(t, m, "dropcap --version", "dropcap "+version)
	is(t, m, "dpkg --verify dropcap | grep -v policy.yaml || true", "")
}

// is compares a script's output, ignoring its exit status.
func is(t *testing.T, m *vm.Machine, script, want string) {
	t.Helper()
	out, stderr, _, err := m.Run(t.Context(), "sh", "-c", script)
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%s: %q, want %q (%v %s)", script, got, want, err, stderr)
	}
}

func states(t *testing.T, m *vm.Machine, unit, enabled, active string) {
	t.Helper()
	is(t, m, "systemctl is-enabled "+unit, enabled)
	is(t, m, "systemctl is-active "+unit, active)
}

func installed(t *testing.T, m *vm.Machine) {
	dpkg(t, m, "1.0.0")
	states(t, m, "dropcap-recover", "enabled", "inactive")
	states(t, m, "dropcap-learn", "disabled", "inactive")
	is(t, m, "stat -c '%a %U:%G' /etc/dropcap /etc/dropcap/policy.yaml /var/lib/dropcap | xargs",
		"755 root:root 644 root:root 700 root:root")
	is(t, m, "find /etc/systemd/system -name 'dropcap-[lr]*' | sort | xargs",
		"/etc/systemd/system/docker.service.wants/dropcap-recover.service "+
			"/etc/systemd/system/multi-user.target.wants/dropcap-recover.service")
	// Machine images are built with packages in them, and their first boot applies presets, which
	// without ours enable everything.
	m.Shell(t, "systemctl preset dropcap-learn dropcap-recover")
	states(t, m, "dropcap-recover", "enabled", "inactive")
	states(t, m, "dropcap-learn", "disabled", "inactive")
	is(t, m, "systemd-analyze verify --man=no dropcap-learn.service dropcap-hold.service dropcap-recover.service 2>&1 "+
		"| grep dropcap", "")
	is(t, m, "bash -nc 'source /usr/share/bash-completion/completions/dropcap' && echo ok", "ok")
	is(t, m, "systemctl list-units --failed --no-legend", "")
}

func used(t *testing.T, m *vm.Machine) {
	out, stderr, exit := run(t, m, "dropcap", "audit", "--format", "json")
	var a dropcap.Audit
	if err := json.Unmarshal([]byte(out), &a); err != nil || exit != dropcap.ExitFindings ||
		len(a.Containers) != 1 || a.Containers[0].Verdict != dropcap.Fail {
		t.Errorf("audit: exit %d, %v: %s%s", exit, err, stderr, out)
	}
	out, stderr, exit = run(t, m, "dropcap", "learn", "--for", "3s", "--format", "json")
	if exit != dropcap.ExitOK || !strings.Contains(out, `"docker:web"`) {
		t.Errorf("learn: exit %d: %s%s", exit, stderr, out)
	}
	is(t, m, "stat -c '%a' /var/lib/dropcap/store.db", "600")
}

// chowns creates a container that needs CHOWN, under a name of its own.
func chowns(t *testing.T, m *vm.Machine, name string) {
	t.Helper()
	m.Shell(t, "docker run --name "+name+" busybox:test /bin/busybox chown 5 /bin; docker rm "+name)
}

// knows waits until the evidence of a workload names CHOWN as required.
func knows(t *testing.T, m *vm.Machine, name string) {
	t.Helper()
	out, stderr, exit := run(t, m, "dropcap", "evidence", name, "--format", "json")
	var e dropcap.Evidence
	if err := json.Unmarshal([]byte(out), &e); err != nil || exit != dropcap.ExitOK ||
		len(e.Workloads) != 1 ||
		!strings.Contains(strings.Join(e.Workloads[0].Required.Names(), " "), "CAP_CHOWN") {
		t.Errorf("evidence of %s: exit %d, %v: %s%s", name, exit, err, stderr, out)
	}
}

func learns(t *testing.T, m *vm.Machine) {
	m.Shell(t, "systemctl start dropcap-learn") // of Type=notify: it records once this returns
	chowns(t, m, "first")
	m.Shell(t, "systemctl stop dropcap-learn")
	is(t, m, "systemctl show -P Result dropcap-learn", "success")
	knows(t, m, "first")
}

func recovers(t *testing.T, m *vm.Machine) {
	m.Shell(t, "systemctl start dropcap-recover")
	is(t, m,
		"systemctl show -P Result -P ExecMainStatus -P ConditionResult dropcap-recover | xargs",
		"success 0 yes")
	is(t, m, "journalctl -b -o cat -u dropcap-recover | grep -c '^nothing to recover$'", "1")
	// Where dropcap was never used there is no store, and none is created.
	m.Shell(t, "mv /var/lib/dropcap/store.db /root/; systemctl start dropcap-recover")
	is(t, m, "systemctl show -P ConditionResult dropcap-recover", "no")
	is(t, m, "test -e /var/lib/dropcap/store.db || echo none", "none")
	m.Shell(t, "mv /root/store.db /var/lib/dropcap/")
	interrupted(t, m)
}

// interrupted kills an apply in its gate, after the new container has taken over. The unit,
// confined as it is, completes the change.
func interrupted(t *testing.T, m *vm.Machine) {
	m.Shell(t, `docker run -d --stop-timeout 1 --name shop busybox:test sleep 1000
		dropcap apply shop --yes --soak 30s >/root/apply.log 2>&1 & pid=$!
		for i in $(seq 600); do
			! docker inspect -f '{{.State.Running}} {{.HostConfig.CapDrop}}' shop 2>/dev/null | grep -q '^true.*NET_RAW' || break
			kill -0 $pid || { cat /root/apply.log; exit 1; }
			sleep 0.2
		done
		kill -9 $pid`)
	m.Shell(t, "systemctl start dropcap-recover")
	is(t, m, "systemctl show -P Result dropcap-recover", "success")
	is(t, m, "docker ps --filter name=shop --format '{{.Names}}'", "shop")
	out, stderr, exit := run(t, m, "dropcap", "history", "--format", "json")
	var h dropcap.Changes
	if err := json.Unmarshal([]byte(out), &h); err != nil || exit != dropcap.ExitOK ||
		len(h.Changes) != 1 ||
		h.Changes[0].State != dropcap.Applied && h.Changes[0].State != dropcap.RolledBack {
		t.Errorf("history: exit %d, %v: %s%s", exit, err, stderr, out)
	}
}

func updated(t *testing.T, m *vm.Machine) {
	dpkg(t, m, "1.0.0")
	m.Shell(t, "echo 'level: least' >/etc/dropcap/policy.yaml; systemctl enable --now "+
		"dropcap-learn; systemctl disable dropcap-recover")
	dpkg(t, m, "1.0.1")
	states(t, m, "dropcap-learn", "enabled", "active")
	states(t, m, "dropcap-recover", "disabled", "inactive")
	is(t, m, "cat /etc/dropcap/policy.yaml", "level: least")
	// not the deleted one
	is(t, m, "readlink /proc/$(systemctl show -P MainPID dropcap-learn)/exe", "/usr/bin/dropcap")
	chowns(t, m, "second")
	m.Shell(t, "systemctl stop dropcap-learn")
	knows(t, m, "second")
	knows(t, m, "first")
	m.Shell(t, "systemctl disable dropcap-learn; systemctl enable dropcap-recover")
	dpkg(t, m, "1.0.1")
	states(t, m, "dropcap-learn", "disabled", "inactive")
	states(t, m, "dropcap-recover", "enabled", "inactive")
}

func boots(t *testing.T, m *vm.Machine) {
	m.Shell(t, "systemctl enable dropcap-learn; sync")
	m.PowerCut()
	m.Boot(t) // fails if a unit has failed
	states(t, m, "dropcap-learn", "enabled", "active")
	is(t, m, "systemctl show -P Result -P ConditionResult dropcap-recover | xargs", "success yes")
	is(t, m, "journalctl -b -o cat -u dropcap-recover | grep -c 'nothing to recover'", "1")
	// A restarted engine wants it again.
	m.Shell(t, "systemctl restart docker")
	is(t, m, "for i in $(seq 150); do n=$(journalctl -b -o cat -u dropcap-recover | grep -c "+
		"'nothing to recover'); [ $n -lt 2 ] || break; sleep 0.2; done; echo $n", "2")
}

func withoutEngine(t *testing.T, m *vm.Machine) {
	m.Shell(t, "systemctl stop dropcap-learn docker.socket docker; systemctl mask docker "+
		"docker.socket; systemctl start dropcap-recover")
	is(t, m, "systemctl show -P Result -P ExecMainStatus dropcap-recover | xargs", "success 6")
	m.Shell(t, "systemctl unmask docker docker.socket; systemctl start docker dropcap-learn")
}

func removed(t *testing.T, m *vm.Machine) {
	states(t, m, "dropcap-learn", "enabled", "active")
	m.Shell(t, "dpkg -r dropcap 2>&1")
	is(t, m, "pgrep -x dropcap; ls /usr/bin/dropcap /usr/lib/systemd/system/dropcap* "+
		"/usr/share/man/man1/dropcap* 2>/dev/null", "")
	is(t, m, "systemctl is-active dropcap-learn", "inactive")
	is(t, m, "systemctl list-units --failed --no-legend", "")
	is(t, m, "ls /etc/dropcap /var/lib/dropcap/store.db | xargs",
		"/var/lib/dropcap/store.db /etc/dropcap: policy.yaml")
	dpkg(t, m, "1.0.1")
	states(t, m, "dropcap-learn", "enabled", "inactive") // as the administrator had decided
	states(t, m, "dropcap-recover", "enabled", "inactive")
	is(t, m, "cat /etc/dropcap/policy.yaml", "level: least")
	knows(t, m, "second")
}

func purged(t *testing.T, m *vm.Machine) {
	m.Shell(t, "dpkg --purge dropcap 2>&1")
	nothing := func() {
		t.Helper()
		is(t, m, "ls -d /etc/dropcap /var/lib/dropcap /usr/share/doc/dropcap 2>/dev/null", "")
		is(t, m, "find /etc/systemd /var/lib/systemd/deb-systemd-helper* -name 'dropcap-[lr]*' | "+
			"xargs", "")
		is(t, m, "dpkg-query -W dropcap 2>/dev/null", "")
	}
	nothing()
	// A store in another place is not the package's to remove.
	dpkg(t, m, "1.0.0")
	states(t, m, "dropcap-learn", "disabled", "inactive") // the earlier decision is forgotten
	m.Shell(t, "mv /var/lib/dropcap /srv/kept; ln -s /srv/kept /var/lib/dropcap; echo 1 "+
		">/srv/kept/store.db; dpkg --purge dropcap 2>&1")
	nothing()
	is(t, m, "cat /srv/kept/store.db", "1")
	is(t, m, "systemctl is-system-running", "running")
}
