package bpf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap/caps"
	"dropcap/internal/testenv"
)

// The shipped unit's bounding set suffices for a recorder, even if the kernel hides addresses and
// restricts performance events to the capable. DROPCAP_TEST_UNIT is the path of the unit, for
// machines without a checkout.
func TestTheServicesCapabilitiesSuffice(t *testing.T) {
	if cgroup := os.Getenv("DROPCAP_TEST_RECORD"); cgroup != "" {
		record(t, cgroup)
		return
	}
	testenv.Need(t, testenv.Root, testenv.BTF)
	b := newBox(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestTheServicesCapabilitiesSuffice$",
		"-test.v")
	cmd.Env = append(os.Environ(), "DROPCAP_TEST_RECORD="+strconv.FormatUint(b.id, 10))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := startWithin(cmd, boundingOf(t, unitFile(t))); err != nil {
		t.Fatal(err)
	}
	output := bufio.NewReader(stdout)
	for line := ""; !strings.HasPrefix(line, "recording "); {
		if line, err = output.ReadString('\n'); err != nil {
			t.Errorf("it does not record: %v", err)
			break
		}
		t.Log(strings.TrimSpace(line))
	}
	b.run("chown:7")
	stdin.Close()
	rest, _ := io.ReadAll(output)
	// The place in the kernel depends on what was inlined; a name proves that addresses were
	// readable.
	want := regexp.MustCompile("CHOWN fchownat granted, 7 times, by " + filepath.Base(self(t)) +
		" at [a-z]+")
	if err := cmd.Wait(); err != nil || !want.Match(rest) {
		t.Errorf("%v: no %s in %s", err, want, rest)
	}
}

// record is the recorder: it reports when it records, and at the end of its input what it saw.
func record(t *testing.T, cgroup string) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, held, _ := strings.Cut(string(status), "CapBnd:\t")
	tr := start(t, Options{})
	fmt.Printf("recording through %s with %s\n", tr.Hook(), strings.Fields(held)[0])
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseUint(cgroup, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	b := box{t: t, id: id}
	_, list := b.counts(tr)
	for _, c := range find(list, caps.Chown, "fchownat") {
		at := ""
		if len(c.Frames) > 0 {
			at = c.Frames[0]
		}
		fmt.Printf("%s, %d times, by %s at %s\n", kind(c), c.Count, filepath.Base(c.Exe.Path), at)
	}
}

func unitFile(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("DROPCAP_TEST_UNIT"); file != "" {
		return file
	}
	return filepath.Join(testenv.RepoRoot(t), "packaging/systemd/dropcap-learn.service")
}

func boundingOf(t *testing.T, unit string) caps.Set {
	t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	_, names, ok := strings.Cut(string(text), "\nCapabilityBoundingSet=")
	names, _, _ = strings.Cut(names, "\n")
	set, err := caps.ParseAll(strings.Fields(names))
	if !ok || err != nil || set.Empty() {
		t.Fatalf("%s bounds %q: %v", unit, names, err)
	}
	return set
}

// startWithin starts a program whose bounding set is limited to the set. A bounding set belongs to
// a thread, so the thread that loses it is not reused: its goroutine ends with it.
func startWithin(cmd *exec.Cmd, set caps.Set) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		for c := range caps.Cap(64) {
			if set.Has(c) {
				continue
			}
			// Above the kernel's last capability there is nothing to drop (EINVAL).
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil &&
				err != unix.EINVAL {
				done <- err
				return
			}
		}
		done <- cmd.Start()
	}()
	return <-done
}
