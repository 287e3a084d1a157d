package deny

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/caps"
	"dropcap/internal/testenv"
)

// box is a cgroup with a container's name. What runs in it runs as a container's processes do, in a
// mount namespace and a PID namespace of its own.
type box struct {
	t   testing.TB
	dir string
	id  uint64 // of the cgroup
}

const tree = "/sys/fs/cgroup/dropcap-deny-test"

func randomID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func newBox(t testing.TB) *box { return boxAt(t, tree, "docker-"+randomID()+".scope") }

func boxAt(t testing.TB, parent, name string) *box {
	t.Helper()
	b := &box{t: t, dir: filepath.Join(parent, name)}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(b.dir); err == nil {
			b.remove()
		}
	})
	var st unix.Stat_t
	if err := unix.Stat(b.dir, &st); err != nil {
		t.Fatal(err)
	}
	b.id = st.Ino
	return b
}

func (b *box) remove() {
	if !testenv.Within(10*time.Second, func() bool { return os.Remove(b.dir) == nil }) {
		b.t.Errorf("cannot remove cgroup %s", b.dir)
	}
}

// command returns an actor that starts in the box; of a nil box, outside.
func (b *box) command(path, acts string) *exec.Cmd {
	cmd := exec.Command(path)
	cmd.Env = []string{actsEnv + "=" + acts}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	if b == nil {
		return cmd
	}
	dir, err := os.Open(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { dir.Close() })
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	return cmd
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run performs acts in the box and returns what came of them.
func run(t testing.TB, b *box, acts string) string {
	t.Helper()
	return finish(t, b.command(self(t), acts))
}

func finish(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("actor: %v\n%s", err, stderr.String())
	}
	return strings.ReplaceAll(strings.TrimSpace(stdout.String()), "\n", ", ")
}

// expect performs acts in the box and compares what came of them.
func expect(t testing.TB, b *box, acts, want string) {
	t.Helper()
	if got := run(t, b, acts); got != want {
		t.Errorf("%s: %s, want %s (allowed, denied)", acts, got, want)
	}
}

// talker is an actor or denier that goes on until its input ends or it is killed.
type talker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func begin(t testing.TB, cmd *exec.Cmd) *talker {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &talker{cmd, in, bufio.NewReader(out)}
}

func (k *talker) line(t testing.TB) string {
	t.Helper()
	text, err := k.out.ReadString('\n')
	if err != nil {
		t.Fatalf("it said no more: %v", err)
	}
	return strings.TrimSpace(text)
}

func (k *talker) finish(t testing.TB) {
	t.Helper()
	k.in.Close()
	io.Copy(io.Discard, k.out)
	if err := k.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

const hookEnv = "DROPCAP_TEST_HOOK"

var (
	setgid = caps.Of(caps.Setgid)
	chroot = caps.Of(caps.SysChroot)
)

// open returns a denier at the hook that is tested.
func open(t testing.TB) *Denier {
	t.Helper()
	d, err := Open(Options{Hook: os.Getenv(hookEnv)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func denies(t testing.TB, d *Denier, b *box, s caps.Set) {
	t.Helper()
	if err := d.Deny(b.id, s); err != nil {
		t.Fatal(err)
	}
}

// recorded returns how many checks of a box are recorded as denied, after comparing that with the
// exact counts; lost is the number that were not recorded.
func recorded(t testing.TB, d *Denier, b *box) (n map[caps.Cap]uint64, lost uint64) {
	t.Helper()
	list, loss, err := d.Denials()
	if err != nil {
		t.Fatal(err)
	}
	counts, err := d.Counts()
	if err != nil {
		t.Fatal(err)
	}
	n, seen := map[caps.Cap]uint64{}, map[string]bool{}
	for _, c := range list {
		if c.Cgroup != b.id {
			continue
		}
		if c.Granted || !c.Trial || c.Spent || !c.OwnCred {
			t.Errorf("not a denial of ours: %+v", c)
		}
		key := fmt.Sprint(c.Cap, c.Syscall, c.Exe, c.Origin, c.Phase, c.Arg)
		if c.CountShared && seen[key] {
			continue
		}
		seen[key] = true
		n[c.Cap] += c.Count
	}
	all, exact := uint64(0), uint64(0)
	for _, m := range n {
		all += m
	}
	for _, m := range counts[b.id] {
		exact += m
	}
	lost = loss.UnrecordedOf[b.id]
	if all+lost != exact || loss.Uncounted != 0 {
		t.Errorf("recorded %v, lost %d, counted %v: %+v", n, lost, counts[b.id], loss)
	}
	return n, lost
}
