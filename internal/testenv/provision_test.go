package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// provisioner is a copy of test/hosts/provision with the test's own components and an empty cache.
type provisioner struct {
	t          *testing.T
	dir, cache string
}

func newProvisioner(t *testing.T, components map[string]string) provisioner {
	t.Helper()
	Need(t, Root)
	p := provisioner{t: t, dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache")}
	for _, name := range []string{"provision", "lib/debian"} {
		text, err := os.ReadFile(filepath.Join(RepoRoot(t), "test/hosts", name))
		if err != nil {
			t.Fatal(err)
		}
		p.write(name, string(text))
	}
	for name, text := range components {
		p.write("provision.d/"+name, text)
	}
	return p
}

func (p provisioner) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	os.MkdirAll(filepath.Dir(file), 0o755)
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p provisioner) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.dir, "provision"), args...)
	cmd.Env = append(os.Environ(), "DROPCAP_TEST_CACHE="+p.cache)
	return cmd
}

func (p provisioner) run(args ...string) (string, error) {
	out, err := p.command(args...).CombinedOutput()
	return string(out), err
}

func (p provisioner) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(p.cache, name))
	return string(text)
}

func (p provisioner) names() string {
	entries, _ := os.ReadDir(p.cache)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

const counting = "version=1\nbuild() { echo built >>\"$cache/../log\"; echo content " +
	">\"$1/file\"; sleep 0.3; }\n"

func TestProvisionBuildsOnceEvenWhenCalledTwiceAtOnce(t *testing.T) {
	p := newProvisioner(t, map[string]string{"one": counting,
		"two": "version=1\nafter=one\nbuild() { :; }\n"})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if out, err := p.run("two"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	both.Wait()
	if log := p.read("../log"); log != "built\n" {
		t.Errorf("component was built %q", log)
	}
	if p.read("one/file") != "content\n" {
		t.Error("component is not in place")
	}
}

// Components that compile and components that wait for the network are made in parallel, what both
// need once and first.
func TestProvisionMakesComponentsSideBySide(t *testing.T) {
	const meets = `version=1
after=both
build() {
	[[ $(<"$cache/both/file") == content ]]
	touch "$cache/../$component"
	for i in {1..600}; do [[ ! -f $cache/../left || ! -f $cache/../right ]] || return 0; sleep 0.1; done
	return 1
}
`
	p := newProvisioner(t, map[string]string{"both": counting, "left": meets, "right": meets})
	if out, err := p.run("left", "right", "both"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if log := p.read("../log"); log != "built\n" {
		t.Errorf("what both need was built %q", log)
	}
}

func TestProvisionFailsWithAnyComponent(t *testing.T) {
	p := newProvisioner(t, map[string]string{"bad": "version=1\nbuild() { false; }\n",
		"one": counting, "two": counting, "three": counting})
	if out, err := p.run("bad", "one", "two", "three"); err == nil {
		t.Errorf("it calls that a success: %s", out)
	}
	if names := p.names(); strings.Contains(names, "bad") {
		t.Errorf("the cache holds %q", names)
	}
}

func TestProvisionIsQuickWhenAllIsThere(t *testing.T) {
	p := newProvisioner(t, map[string]string{"one": counting})
	if out, err := p.run(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	began := time.Now()
	out, err := p.run()
	if took := time.Since(began); err != nil || out != "" || took > 10*time.Second {
		t.Errorf("the second call took %v, said %q, %v", took, out, err)
	}
}

func TestProvisionBuildsAgainAtANewVersion(t *testing.T) {
	p := newProvisioner(t, map[string]string{"one": counting})
	p.run("one")
	p.write("provision.d/one", strings.Replace(counting, "version=1", "version=2", 1))
	if out, err := p.run("one"); err != nil || p.read("../log") != "built\nbuilt\n" ||
		p.read("one/.stamp") != "2\n" {
		t.Errorf("log %q, stamp %q, %v\n%s", p.read("../log"), p.read("one/.stamp"), err, out)
	}
}

func TestProvisionLeavesNoHalfComponent(t *testing.T) {
	for name, tc := range map[string]struct {
		build string
		kill  bool
	}{
		"failed": {"echo half >\"$1/file\"; false; echo not reached >\"$1/file\"", false},
		"killed": {"echo half >\"$1/file\"; sleep 60", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvisioner(t, map[string]string{"one": "version=1\nbuild() { " + tc.build +
				"; }\n", "two": counting})
			cmd := p.command("one")
			// The whole group is killed, as a power cut would.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if tc.kill {
				Eventually(t, time.Minute, "half a component", func() bool {
					half, _ := filepath.Glob(p.cache + "/.building-one-*/file")
					return len(half) == 1
				})
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("an unfinished build is called a success")
			}
			if out, err := p.run("two"); err != nil {
				t.Errorf("the next call: %v\n%s", err, out)
			}
			if names := p.names(); names != ".lock two" {
				t.Errorf("the cache holds %q", names)
			}
		})
	}
}

func TestProvisionSaysWhatIsWrong(t *testing.T) {
	p := newProvisioner(t, map[string]string{"one": counting})
	if out, err := p.run("../one"); err == nil ||
		!strings.Contains(out, "no such component; choose from: one") {
		t.Errorf("unknown component: %v, %q", err, out)
	}
	for dir := p.dir; dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
		if filepath.Dir(dir) == os.TempDir() {
			break
		}
	}
	cmd := p.command("one")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "run it as root") {
		t.Errorf("not root: %v, %q", err, out)
	}
}
