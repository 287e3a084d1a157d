package bpf

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dropcap"
	"dropcap/internal/testenv"
)

func TestOpenSaysWhatIsInTheWay(t *testing.T) {
	if os.Getenv("DROPCAP_BPF_TEST") != "" {
		_, err := Open(Options{})
		var e *dropcap.Error
		if !errors.As(err, &e) || e.Code != dropcap.CodeHost || e.Hint != "run dropcap as root" ||
			!strings.HasPrefix(e.Message, "cannot ") {
			t.Errorf("%#v", err)
		}
		return
	}
	_, err := Open(Options{Hook: "uprobe"})
	if dropcap.ExitOf(err) != dropcap.ExitUsage {
		t.Errorf("a hook that does not exist: %v", err)
	}
	testenv.Need(t, testenv.Root)
	cmd := exec.Command("/proc/self/exe", "-test.run=TestOpenSaysWhatIsInTheWay", "-test.v")
	cmd.Env, cmd.Dir = append(os.Environ(), "DROPCAP_BPF_TEST=1"), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func TestCloseLeavesNothingOpen(t *testing.T) {
	start(t, Options{}).Close() // the library caches what it learns of the kernel
	before := openFiles(t)
	start(t, Options{}).Close()
	if after := openFiles(t); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

const kallsyms = `ffffffff81000000 T _stext
ffffffff81000100 t chown_ok.isra.0
ffffffff81000200 D some_data
ffffffff81000300 T security_capable
ffffffff81000400 T cap_capable
ffffffff81000400 t an_alias
ffffffff81000500 T do_syscall_64
ffffffffc0000000 t nfs_thing	[nfs]
ffffffffc0001000 t bpf_prog_1234_tp_btf_cap_capable	[bpf]
`

func TestFramesBeginWithTheFunctionThatAsked(t *testing.T) {
	var s symbols
	if err := s.parse(strings.NewReader(kallsyms)); err != nil {
		t.Fatal(err)
	}
	got := s.frames([]uint64{0xffffffffc0001010, 0xffffffff81000401, 0xffffffff81000310,
		0xffffffff81000300, 0xffffffffc0000004, 0xffffffff81000505, 0, 7})
	if want := []string{"chown_ok", "nfs_thing"}; !slices.Equal(got, want) {
		t.Errorf("frames %q, want %q", got, want)
	}
	if got := s.name(5); got != "" {
		t.Errorf("an address below the kernel is in %q", got)
	}
}

func TestHiddenAddressesAreAnError(t *testing.T) {
	var s symbols
	err := s.parse(strings.NewReader("0000000000000000 T _stext\n0000000000000000 T cap_capable\n"))
	if err == nil || !strings.Contains(err.Error(), "kptr_restrict") {
		t.Errorf("%v", err)
	}
}

func FuzzSymbols(f *testing.F) {
	f.Add([]byte(kallsyms), uint64(0xffffffff81000101))
	f.Fuzz(func(t *testing.T, text []byte, address uint64) {
		var s symbols
		if s.parse(bytes.NewReader(text)) == nil {
			s.frames([]uint64{address, address + 1})
		}
	})
}

func TestSystemCallsHaveNames(t *testing.T) {
	for number, want := range map[int32]string{
		-1: "", syscall.SYS_SETUID: "setuid", syscall.SYS_CAPSET: "capset",
		syscall.SYS_PRLIMIT64: "prlimit64", 99999: "", compat + 99999: "",
	} {
		if got := syscallName(number); got != want {
			t.Errorf("system call %d is %q, want %q", number, got, want)
		}
	}
	if got := syscallName(compat + 23); got != "setuid" {
		t.Errorf("call 23 of the 32-bit table is %q, want setuid", got)
	}
}
