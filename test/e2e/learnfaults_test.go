package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// A user of the engine who is not root learns why in one clause, and not what each hook answered.
func TestLearnWithoutRoot(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := fake.Start(t, fake.Options{Kernel: release(t)})
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{e.Socket: 0o666, filepath.Dir(e.Socket): 0o711,
		filepath.Dir(dir): 0o711, dir: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(store, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	p := on(e)
	p.wrap = []string{publicCopy(t)}
	p.before = func(c *exec.Cmd) {
		c.Args = append(c.Args[:1], c.Args[2:]...)
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534,
			Gid: 65534}}
	}
	r := p.run(t, "learn", "--for", "1s", "--store", store)
	r.wantError(t, 6, "cannot watch capability checks: that takes root")
	if !strings.Contains(r.err, "hint: run dropcap with sudo") {
		t.Errorf("no remedy in %s", r.err)
	}
}

// On a host with both cgroup versions crun's containers cannot be told apart. dropcap reports that,
// stores nothing, and returns a status for it.
func TestLearnWhereContainersCannotBeToldApart(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	e := dockertest.Start(t, dockertest.Podman4)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	e.RunContainer(t, "blind", `{"Image":"app:1","Cmd":["sleep","100"]}`)
	r := program{env: []string{"DOCKER_HOST=" + e.Host}}.run(t, "learn", "--for", "2s", "--store",
		filepath.Join(t.TempDir(), "store"))
	if mounts, _ := os.ReadFile("/proc/self/mounts"); !strings.Contains(string(mounts),
		" cgroup ") {
		// one version: nothing is in the way
		if r.status != 0 || !strings.Contains(r.out, "blind") {
			t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
		}
		return
	}
	if r.status != 7 || !strings.Contains(r.err, "its capability checks could not be told apart") ||
		!strings.Contains(r.err, "Podman puts containers into version 1 only") {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
	}
	if strings.Contains(r.out, "blind") {
		t.Errorf("evidence of what was not seen:\n%s", r.out)
	}
}
