package deny

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

// A host that lets no hook deny says so. Where DROPCAP_TEST_HOOK is set, a hook works.
func TestOpenSaysWhatIsInTheWay(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	_, err := Open(Options{Hook: "fexit/cap_capable"})
	if err == nil || dropcap.AsError(err).Code != dropcap.CodeUsage {
		t.Errorf("a hook that denies nothing: %v", err)
	}
	d, err := Open(Options{Hook: os.Getenv(hookEnv)})
	if err == nil {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	if os.Getenv(hookEnv) != "" || dropcap.AsError(err).Code != dropcap.CodeHost ||
		!strings.HasPrefix(err.Error(), "cannot deny") ||
		!strings.Contains(err.Error(), "fmod_ret/security_capable: ") ||
		!strings.Contains(err.Error(), "lsm/capable: ") || dropcap.AsError(err).Hint == "" {
		t.Errorf("got %v, hint %q", err, dropcap.AsError(err).Hint)
	}
}

func TestContainersAreNamedByTheirWholeID(t *testing.T) {
	for _, id := range []string{"", "web", randomID()[1:], strings.ToUpper(randomID()) + "G",
		strings.Repeat("g", 64), strings.Repeat("A", 64)} {
		if _, err := containerID(id); err == nil {
			t.Errorf("%q is taken for an id", id)
		}
	}
	if _, err := containerID(randomID()); err != nil {
		t.Error(err)
	}
}

// What is denied, and nothing else. It runs in the machines of test/vm, which set the hook; the
// hosts of this project's tests refuse such programs.
func TestDenial(t *testing.T) {
	if os.Getenv(hookEnv) == "" {
		return
	}
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"is exact", exact},
		{"reaches the cgroups below", below},
		{"leaves a user namespace of the container's own alone", ownNamespace},
		{"leaves the runtime alone", runtimes},
		{"is of the container and not of one that it plays", played},
		{"expects a container before it is there, and again", expected},
		{"ends by itself at its time", untilThen},
		{"says who did what where", described},
		{"wakes", wakes},
		{"counts what it cannot record", noRoom},
		{"takes effect at once", latency},
		{"forgets", forgets},
		{"ends with its process", dies},
		{"outlives its process where it is pinned", outlives},
		{"pins only where nobody else may write", pinsSafely},
		{"is released while it is used", releasedInUse},
	} {
		t.Run(c.name, c.test)
	}
}

const storming = 8

var full = os.Getenv("DROPCAP_TEST_FULL") == "1"

// Ten million denied checks under DROPCAP_TEST_FULL, and a quarter of a million else: none before,
// none after, none in the neighbour or on the host.
func exact(t *testing.T) {
	each := 30_000
	if full {
		each = 10_000_000 / storming
	}
	d, a, neighbour := open(t), newBox(t), newBox(t)
	expect(t, a, "setgroups:50 chroot:50", "setgroups 50 0, chroot 50 0")
	denies(t, d, a, setgid)
	began := time.Now()
	var all sync.WaitGroup
	for range storming {
		all.Go(func() {
			acts := fmt.Sprintf("setgroups:%d", each)
			expect(t, a, acts, fmt.Sprintf("setgroups 0 %d", each))
		})
	}
	all.Go(func() { expect(t, neighbour, "setgroups:2000", "setgroups 2000 0") })
	all.Go(func() { expect(t, nil, "setgroups:2000", "setgroups 2000 0") })
	all.Wait()
	t.Logf("%d denied checks in %v", storming*each, time.Since(began))
	expect(t, a, "chroot:50", "chroot 50 0")
	denies(t, d, a, 0)
	expect(t, a, "setgroups:50 chroot:50", "setgroups 50 0, chroot 50 0")
	n, lost := recorded(t, d, a)
	if n[caps.Setgid] != uint64(storming*each) || len(n) != 1 || lost != 0 {
		t.Errorf("recorded %v, lost %d", n, lost)
	}
	counts, err := d.Counts()
	_, loss, _ := d.Denials()
	if err != nil || len(counts) != 1 || loss.Missed != 0 {
		t.Errorf("counted %v, %v, loss %+v", counts, err, loss)
	}
}

func below(t *testing.T) {
	d, outer := open(t), newBox(t)
	inner := boxAt(t, outer.dir, "inner")
	expect(t, inner, "setgroups:3", "setgroups 3 0") // seen before it is denied
	denies(t, d, outer, setgid)
	expect(t, inner, "setgroups:3 chroot", "setgroups 0 3, chroot 1 0")
	later := boxAt(t, inner.dir, "later")
	expect(t, later, "setgroups:4", "setgroups 0 4")
	if n, _ := recorded(t, d, outer); n[caps.Setgid] != 7 {
		t.Errorf("recorded %v", n)
	}
	plain := boxAt(t, tree, "no-container")
	denies(t, d, plain, chroot)
	expect(t, boxAt(t, plain.dir, "inner"), "chroot:2 setgroups", "chroot 0 2, setgroups 1 0")
}

func ownNamespace(t *testing.T) {
	d, b := open(t), newBox(t)
	denies(t, d, b, chroot)
	expect(t, b, "chroot:2 nested", "chroot 0 2, chroot 4 0")
}

// The same program is the runtime's as long as it comes from the mounts outside.
func runtimes(t *testing.T) {
	d, b := open(t), newBox(t)
	denies(t, d, b, setgid)
	if got := finish(t, b.command("/proc/self/exe", "setgroups:5 exec")); got !=
		"setgroups 5 0, setgroups 0 3" {
		t.Error(got)
	}
	cmd := b.command(self(t), "setgroups:5")
	cmd.SysProcAttr.Cloneflags = 0 // before it has namespaces of its own
	if got := finish(t, cmd); got != "setgroups 5 0" {
		t.Error(got)
	}
}

// A container that names a cgroup of its own as another container draws nothing on that one, and
// escapes nothing.
func played(t *testing.T) {
	d, a, b := open(t), newBox(t), newBox(t)
	victim := randomID()
	if err := d.Expect(victim, chroot); err != nil {
		t.Fatal(err)
	}
	denies(t, d, a, setgid)
	inner := boxAt(t, a.dir, victim)
	expect(t, inner, "setgroups:2 chroot:2", "setgroups 0 2, chroot 2 0")
	expect(t, boxAt(t, b.dir, victim), "setgroups:2 chroot:2", "setgroups 2 0, chroot 2 0")
}

func expected(t *testing.T) {
	d := open(t)
	id := randomID()
	names := []string{id, "docker-" + id + ".scope", "libpod-" + id + ".scope"}
	if !full {
		names = names[1:2]
	}
	for _, name := range names {
		if err := d.Expect(id, setgid); err != nil {
			t.Fatal(err)
		}
		for range 2 { // again after a restart
			b := boxAt(t, tree, name)
			if got := finish(t, b.command("/proc/self/exe", "setgroups:5 exec")); got !=
				"setgroups 5 0, setgroups 0 3" {
				t.Errorf("%s: %s", name, got)
			}
			if err := d.Deny(b.id, chroot); err != nil { // beside it
				t.Fatal(err)
			}
			expect(t, b, "setgroups:3 chroot", "setgroups 0 3, chroot 0 1")
			b.remove()
		}
		b := boxAt(t, tree, name)
		expect(t, b, "setgroups", "setgroups 0 1")
		if err := d.Expect(id, 0); err != nil {
			t.Fatal(err)
		}
		expect(t, b, "setgroups:3", "setgroups 3 0")
		b.remove()
	}
	other := boxAt(t, tree, "docker-"+randomID()+".scope")
	expect(t, other, "setgroups:3", "setgroups 3 0")
}

func untilThen(t *testing.T) {
	d, b := open(t), newBox(t)
	id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(b.dir), "docker-"), ".scope")
	k := begin(t, b.command(self(t), "until"))
	k.line(t) // "allowed"
	if err := d.ExpectUntil(id, setgid, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if all, err := d.Expected(); err != nil || all[id] != setgid {
		t.Errorf("expected %v, %v", all, err)
	}
	began := time.Now()
	if line := k.line(t); !strings.HasPrefix(line, "denied ") {
		t.Error(line)
	}
	if line := k.line(t); !strings.HasPrefix(line, "allowed ") ||
		time.Since(began) < 500*time.Millisecond {
		t.Errorf("%s after %v", line, time.Since(began))
	}
	k.finish(t)
	if all, err := d.Expected(); err != nil || len(all) != 0 {
		t.Errorf("expected %v, %v", all, err)
	}
}

func described(t *testing.T) {
	d, b := open(t), newBox(t)
	denies(t, d, b, chroot|setgid)
	expect(t, b, "chroot:70 setgroups:2", "chroot 0 70, setgroups 0 2")
	list, _, err := d.Denials()
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, c := range list {
		if c.Cgroup != b.id || c.Cap != caps.SysChroot {
			continue
		}
		found = true
		if c.Syscall != "chroot" || c.Count != 70 || c.Origin != dropcap.OriginInit ||
			c.Phase != dropcap.PhaseStart || c.Reach != dropcap.ReachOwn || c.UID != 0 ||
			!strings.HasSuffix(c.Exe.Path, self(t)) || !c.Held.Has(caps.SysChroot) ||
			time.Since(c.Last) > time.Minute || len(c.Frames) == 0 ||
			!strings.Contains(c.Frames[0], "chroot") {
			t.Errorf("%+v", c)
		}
	}
	if !found {
		t.Errorf("not recorded: %+v", list)
	}
}

func wakes(t *testing.T) {
	d, b := open(t), newBox(t)
	denies(t, d, b, setgid|chroot)
	for _, act := range []string{"setgroups:500", "chroot:500"} {
		began := time.Now()
		k := begin(t, b.command(self(t), "await "+act+" await"))
		select {
		case <-d.Denied():
			t.Error("woken by nothing")
		case <-time.After(20 * time.Millisecond):
		}
		k.in.Write([]byte("\n"))
		select {
		case <-d.Denied():
			t.Logf("woken after %v with the actor's start", time.Since(began))
		case <-time.After(10 * time.Second):
			t.Errorf("%s: not woken", act)
		}
		k.line(t)
		for quiet := false; !quiet; { // a second call path, seen later, is new too
			select {
			case <-d.Denied():
			case <-time.After(100 * time.Millisecond):
				quiet = true
			}
		}
		k.finish(t)
	}
}

// Without room for another kind of denial the number of denials is exact all the same.
func noRoom(t *testing.T) {
	d, b := open(t), newBox(t)
	denies(t, d, b, setgid|chroot)
	full := make([]denialCheck, 0, 8192)
	for i := range cap(full) {
		full = append(full, denialCheck{Own: 1, Ino: uint64(i)})
	}
	for _, k := range full {
		if err := d.collection.Maps[denialMapChecks].Put(k, denialTally{Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, b, "setgroups:30 chroot:40", "setgroups 0 30, chroot 0 40")
	counts, err := d.Counts()
	_, lost := recorded(t, d, b)
	if err != nil || lost != 70 || !maps.Equal(counts[b.id], Counts{caps.Setgid: 30,
		caps.SysChroot: 40}) {
		t.Errorf("lost %d, counted %v, %v", lost, counts, err)
	}
	select {
	case <-d.Denied():
	case <-time.After(10 * time.Second):
		t.Error("not woken by what could not be recorded")
	}
}

// latency measures from the decision to the first denied check, from the first denied check to user
// space knowing of it, and from the decision to the first check that is allowed again.
func latency(t *testing.T) {
	d, b := open(t), newBox(t)
	k := begin(t, b.command(self(t), "until"))
	k.line(t) // "allowed"
	var toDeny, toLift, toKnow []time.Duration
	at := func(want string) int64 {
		t.Helper()
		var when int64
		if line := k.line(t); !strings.HasPrefix(line, want+" ") {
			t.Fatalf("got %q, want %s", line, want)
		} else if _, err := fmt.Sscan(line[len(want):], &when); err != nil {
			t.Fatal(err)
		}
		return when
	}
	for range 30 {
		decided := monotonic()
		denies(t, d, b, setgid)
		first := at("denied")
		toDeny = append(toDeny, time.Duration(first-decided))
		select {
		case <-d.Denied(): // only the first time it is news
			toKnow = append(toKnow, time.Duration(monotonic()-first))
		default:
		}
		decided = monotonic()
		denies(t, d, b, 0)
		toLift = append(toLift, time.Duration(at("allowed")-decided))
	}
	k.finish(t)
	median := func(list []time.Duration) time.Duration {
		slices.Sort(list)
		return list[len(list)/2]
	}
	t.Logf("median of 30: denied after %v, lifted after %v; the least %v and %v; known after %v",
		median(toDeny), median(toLift), slices.Min(toDeny), slices.Min(toLift), toKnow)
	// an emulated machine is some 20 times slower than a real one
	if median(toDeny) > 20*time.Millisecond || median(toLift) > 20*time.Millisecond {
		t.Errorf("slow: %v, %v", toDeny, toLift)
	}
}

func forgets(t *testing.T) {
	d, a, b := open(t), newBox(t), newBox(t)
	denies(t, d, a, setgid)
	denies(t, d, b, setgid)
	expect(t, a, "setgroups:3", "setgroups 0 3")
	expect(t, b, "setgroups:3", "setgroups 0 3")
	if err := d.Forget(a.id); err != nil {
		t.Fatal(err)
	}
	expect(t, a, "setgroups:3", "setgroups 3 0")
	if n, _ := recorded(t, d, a); len(n) != 0 {
		t.Errorf("of the forgotten: %v", n)
	}
	if n, _ := recorded(t, d, b); n[caps.Setgid] != 3 {
		t.Errorf("of the other: %v", n)
	}
}

func dies(t *testing.T) {
	b := newBox(t)
	k := startDenier(t, b, "")
	expect(t, b, "setgroups:3", "setgroups 0 3")
	k.cmd.Process.Signal(unix.SIGKILL)
	k.cmd.Wait()
	if !testenv.Within(5*time.Second, func() bool {
		return run(t, b, "setgroups:3") == "setgroups 3 0"
	}) {
		t.Error("it is still denied")
	}
}
