package vm_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/frame"
	"dropcap/test/install"
	"dropcap/test/vm"
)

// The agent that asked for a change is a service of systemd. When it is stopped, everything in its
// control group is killed, and the change continues in a unit of its own. This takes a boot, so it
// needs DROPCAP_TEST_FULL.
func TestNodeOutlivesTheServiceOfItsAgent(t *testing.T) {
	if !install.Full() {
		return
	}
	m := vm.Start(t, vm.Debian12Host, vm.CPUs(1), vm.BootTimeout(15*time.Minute))
	m.PutBinary(t, "./cmd/dropcap", program)
	m.Put(t, "/root/serve.tar", servingImage(t), 0o600)
	old := strings.TrimSpace(m.Shell(t,
		`docker import --change 'CMD ["/serve"]' /root/serve.tar serve:1 >&2; docker run -d --name web serve:1`))
	r := node(t, m, "plan", "--request="+strings.Repeat("1", 32), "--container=web")
	var p dropcap.Plan
	if err := json.Unmarshal(r.Document, &p); err != nil || r.Status != 3 {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	id := strings.Repeat("2", 32)
	scope := "dropcap-" + id + ".scope"
	m.Shell(t, fmt.Sprintf("systemd-run --unit=agent %s node apply --request=%s --plans=%s:%x "+
		"--soak=30s --deadline=600", program, id, p.ID, sha256.Sum256(r.Document)))
	defer func() { t.Log(m.Shell(t, "journalctl --no-pager -b -u agent -u "+scope)) }()
	// The worker and the command that it runs. The stop comes at once, so that it interrupts the
	// change on fast machines too: the soak outlasts it.
	m.Shell(t, `procs=/sys/fs/cgroup/system.slice/`+scope+`/cgroup.procs
		for i in $(seq 2000); do
			n=0; [ ! -e $procs ] || while read -r pid; do n=$((n + 1)); done <$procs
			[ $n != 2 ] || exit 0
			sleep 0.1
		done
		exit 1`)
	amid := m.Shell(t, "systemctl is-active agent "+scope+
		"; systemctl stop agent; systemctl is-active agent "+scope+
		" || true; wc -l </sys/fs/cgroup/system.slice/"+scope+"/cgroup.procs")
	if strings.Join(strings.Fields(amid), " ") != "active active failed active 2" {
		// interrupted: dropcap's exit status is 130
		t.Errorf("the agent and the work before and after the stop, and how many processes: %s",
			amid)
	}
	if r := node(t, m, "receipt", "--of="+id, "--deadline=0"); r.State != dropcap.ReceiptRunning {
		t.Errorf("just after the stop: %s", r.State)
	}
	r = node(t, m, "receipt", "--of="+id, "--deadline=900")
	var h dropcap.Changes
	if err := json.Unmarshal(r.Document, &h); err != nil || r.State != dropcap.ReceiptDone ||
		r.Status != 0 || len(h.Changes) != 1 || h.Changes[0].State != dropcap.Applied {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	if now := strings.TrimSpace(m.Shell(t,
		"docker inspect --format '{{.Id}} {{.State.Running}}' web")); now != h.Changes[0].After+
		" true" || h.Changes[0].Before != old {
		t.Errorf("web was %s and is %s; %+v", old, now, h.Changes[0])
	}
	t.Run("all killed", func(t *testing.T) { recoversByItself(t, m) })
	if left := m.Shell(t, "for i in $(seq 20); do left=$(systemctl list-units --all --no-legend "+
		"'dropcap-*.scope'); [ -n \"$left\" ] || exit 0; sleep 0.5; done; echo $left"); left != "" {
		t.Errorf("left over: %s", left)
	}
}

// recoversByItself: dropcap, its worker, the watcher and the agent are all killed during a change.
// systemd restarts the watch, which ends the change without any request.
func recoversByItself(t *testing.T, m *vm.Machine) {
	m.Shell(t, "docker run -d --name two serve:1")
	r := node(t, m, "plan", "--request="+strings.Repeat("3", 32), "--container=two")
	var p dropcap.Plan
	if err := json.Unmarshal(r.Document, &p); err != nil || r.Status != 3 {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	id := strings.Repeat("4", 32)
	m.Shell(t, fmt.Sprintf("systemd-run --unit=agent-two %s node apply --request=%s "+
		"--plans=%s:%x --soak=30m --deadline=600", program, id, p.ID, sha256.Sum256(r.Document)))
	defer func() {
		t.Log(m.Shell(t, "journalctl --no-pager -b -u agent-two -u 'dropcap-watch-*'"))
	}()
	m.Shell(t, `for i in $(seq 6000); do
			[ -z "$(docker ps -aq --filter name=two-dropcap-)" ] || exit 0
			sleep 0.1
		done
		exit 1`)
	took := m.Shell(t,
		`systemctl list-units --no-legend 'dropcap-watch-*.service' | grep -q running || echo nobody watches
		systemctl kill --signal=KILL agent-two 'dropcap-*.scope' || true
		pkill -KILL -x dropcap || true
		began=$(cut -d. -f1 /proc/uptime)
		for i in $(seq 600); do
			if [ -n "$(docker ps -q --filter name='^two$')" ] && [ -z "$(systemctl list-units --no-legend 'dropcap-watch-*')" ]; then break; fi
			sleep 0.5
		done
		echo $(($(cut -d. -f1 /proc/uptime) - began))`)
	t.Logf("two ran again, and nobody watched any more, %s s after everything was killed",
		strings.TrimSpace(took))
	if seconds, err := strconv.Atoi(strings.TrimSpace(took)); err != nil || seconds > 120 {
		// emulated: ten times slower than a real machine
		t.Errorf("%q: %v", took, err)
	}
	if r := node(t, m, "receipt", "--of="+id,
		"--deadline=0"); r.State != dropcap.ReceiptInterrupted {
		t.Errorf("%+v", r)
	}
}

// node runs a request in the machine and returns its receipt.
func node(t *testing.T, m *vm.Machine, args ...string) (r dropcap.Receipt) {
	t.Helper()
	stdout, stderr, exit := run(t, m, append([]string{program, "node"}, args...)...)
	p, err := frame.Find(stdout)
	if err != nil || exit != dropcap.ExitOK {
		t.Fatalf("exit %d, %v: %s%s", exit, err, stdout, stderr)
	}
	text, err := p.Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return r
}
