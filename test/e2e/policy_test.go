package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv"
)

// A user in another user's folder is not judged by the policy there, and is told so; in his own
// folder his own policy applies, and he is told that, too.
func TestAStrangersPolicyDoesNotCount(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "web"})
	const me, stranger = 65534, 65533
	dir := t.TempDir()
	for path, mode := range map[string]os.FileMode{e.Socket: 0o666, filepath.Dir(e.Socket): 0o711,
		filepath.Dir(dir): 0o711, dir: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	file := write(t, filepath.Join(dir, "dropcap.yaml"),
		"keep:\n  - containers: {name: web}\n    capabilities: [NET_RAW]\n    reason: the "+
			"stranger says so\n")
	p := on(e)
	p.wrap = []string{publicCopy(t)}
	p.before = func(c *exec.Cmd) {
		c.Args = append(c.Args[:1], c.Args[2:]...)
		c.Dir = dir
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: me, Gid: me}}
	}
	for _, c := range []struct {
		owner  int
		status int
		says   string
	}{
		{stranger, 3, "dropcap: warning: the policy ./dropcap.yaml is ignored: it belongs to " +
			"user 65533\n"},
		{me, 0, "dropcap: the policy is ./dropcap.yaml\n"},
	} {
		for _, path := range []string{dir, file} {
			if err := os.Chown(path, c.owner, c.owner); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{{"audit"}, {"explain", "web"},
			{"plan", "--store", "/nonexistent"}} {
			r := p.run(t, args...)
			if args[0] == "audit" && r.status != c.status || strings.Count(r.err, c.says) != 1 {
				t.Errorf("%s with a policy of %d: status %d, want %d; %q", args[0], c.owner,
					r.status, c.status, r.err)
			}
		}
	}
}
