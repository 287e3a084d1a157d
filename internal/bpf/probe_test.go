package bpf

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"

	"dropcap/internal/testenv"
)

func names(list []Hook) string {
	var n []string
	for _, h := range list {
		n = append(n, h.Name)
	}
	return strings.Join(n, " ")
}

const order = "fexit/cap_capable tp_btf/cap_capable raw_tp/cap_capable kprobe/cap_capable " +
	"fmod_ret/security_capable lsm/capable"

func TestProbeFindsAHookWhereThereIsBTF(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	list := Probe(t.Context())
	if names(list) != order {
		t.Errorf("hooks %q; want %q", names(list), order)
	}
	for _, h := range list {
		t.Logf("%+v", h)
		if h.OK == (h.Why != "") || strings.Contains(h.Why, "\n") {
			t.Errorf("%+v: want either OK or one clause why not", h)
		}
	}
	if !slices.ContainsFunc(list, func(h Hook) bool {
		return h.OK && strings.HasSuffix(h.Name, "/cap_capable")
	}) {
		t.Error("no hook works as root on a kernel with BTF")
	}
}

func TestProbeLeavesNothingOpen(t *testing.T) {
	testenv.Need(t, testenv.Root)
	Probe(t.Context()) // the library caches what it learns of the kernel
	before := openFiles(t)
	Probe(t.Context())
	if after := openFiles(t); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// The probe runs as a user without any rights: this program again, as nobody.
func TestProbeSaysWhyWithoutRoot(t *testing.T) {
	if os.Getenv("DROPCAP_BPF_TEST") != "" {
		for _, h := range Probe(t.Context()) {
			if h.OK || h.Why == "" {
				t.Errorf("%+v; want it refused with a reason", h)
			}
		}
		Facts()
		return
	}
	testenv.Need(t, testenv.Root)
	cmd := exec.Command("/proc/self/exe", "-test.run=TestProbeSaysWhyWithoutRoot", "-test.v")
	cmd.Env = append(os.Environ(), "DROPCAP_BPF_TEST=1")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestProbeStopsWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, h := range Probe(ctx) {
		if h.OK || h.Why != "not tried: context canceled" {
			t.Errorf("%+v", h)
		}
	}
}

func TestClauseIsOneShortLine(t *testing.T) {
	long := errors.New(strings.Repeat("é", 400) + "\nlog")
	if got := clause(long); len([]rune(got)) != 161 || strings.Contains(got, "log") {
		t.Errorf("clause = %q", got)
	}
	if got := clause(&ebpf.VerifierError{Cause: syscall.EPERM,
		Log: []string{"a", "b"}}); got != "operation not permitted" {
		t.Errorf("clause = %q", got)
	}
}

func TestLockdownIsTheWordInBrackets(t *testing.T) {
	for text, want := range map[string]string{"none [integrity] confidentiality\n": "integrity",
		"[none] integrity": "none", "": "", "[": ""} {
		if got := bracketed(text); got != want {
			t.Errorf("chosen(%q) = %q; want %q", text, got, want)
		}
	}
}
