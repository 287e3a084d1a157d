package change_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

const planted = "cAnArY5ecret"

// secretive has the planted wherever a container may hold a secret.
const secretive = `docker run -d --name web --env PASSWORD=` + planted + ` --env DATABASE_URL=postgres://u:` + planted + `@db/x --label api-token=` + planted + `x \
	--label 'note=password=` + planted + `' --health-cmd 'wget -q --header "Authorization: Bearer ` + planted + `" -O- http://127.0.0.1/ || true' --health-interval 1s \
	--log-opt max-size=1m --log-opt env=PASSWORD --log-opt 'tag=token=` + planted + `' app:1 sh -c 'echo said ` + planted + `; exec /serve --password ` + planted + ` --token=` + planted + `'`

// No secret of a container is in anything that dropcap prints or writes, but the store, which is for root alone.
func TestSecretsStayInTheStore(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	s.shell(t, secretive)
	home := t.TempDir()
	s.env = append(s.env, "TMPDIR="+home, "HOME="+home, "XDG_CACHE_HOME="+home)
	plan := filepath.Join(home, "plan.json")
	for _, c := range []struct {
		status int
		args   []string
	}{
		{dropcap.ExitFindings, []string{"plan", "web"}},
		{dropcap.ExitFindings, []string{"plan", "web", "--out", plan}},
		{dropcap.ExitFindings, []string{"apply", "web", "--dry-run"}},
		{dropcap.ExitRolledBack, []string{"apply", "web", "--yes", "--soak", "0s", "--timeout", "300ms", "--probe", "false"}},
		{dropcap.ExitOK, []string{"history", "web"}},
		{dropcap.ExitOK, []string{"apply", plan, "--yes", "--soak", "0s", "--format", "json"}},
		{dropcap.ExitOK, []string{"history"}},
		{dropcap.ExitOK, []string{"history", "--format", "json"}},
		{dropcap.ExitOK, []string{"history", "web"}},
		{dropcap.ExitOK, []string{"backout", "web", "--yes"}},
		{dropcap.ExitOK, []string{"recover"}},
		{dropcap.ExitOK, []string{"prune", "--older-than", "0s", "--yes"}},
	} {
		r := s.dropcap(t, c.args...)
		if r.status != c.status {
			t.Errorf("%v, want status %d", r, c.status)
		}
		if strings.Contains(r.out+r.err, planted) {
			t.Errorf("a secret is printed by dropcap %s", strings.Join(c.args, " "))
		}
	}
	holds(t, home)
	closed(t, s.store)
}

// What a new container that failed printed last is kept, shown to whoever asks for it, and forgotten by prune.
func TestTheLogOfAFailedContainerIsKept(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, c := range []struct{ name, options string }{{"framed", ""}, {"terminal", "-t"}} {
		s.shell(t, `docker run -d `+c.options+` --name `+c.name+` app:1 sh -c 'printf "last\033[1m words\n"; exec /serve'`)
		r := s.dropcap(t, "apply", c.name, "--yes", "--soak", "0s", "--timeout", "300ms", "--probe", "false")
		if r.status != dropcap.ExitRolledBack || !strings.Contains(r.err, "--log") {
			t.Errorf("%v, want status %d and a word about the log", r, dropcap.ExitRolledBack)
		}
		if r := s.dropcap(t, "history", c.name, "--log"); r.status != dropcap.ExitOK || r.out != "last?[1m words\n" {
			t.Errorf("%v, want the last words", r)
		}
	}
	if r := s.dropcap(t, "prune", "--older-than", "0s", "--yes"); r.status != dropcap.ExitOK {
		t.Error(r)
	}
	if r := s.dropcap(t, "history", "framed", "--log"); r.status != dropcap.ExitError || !strings.Contains(r.err, "cannot find a log") {
		t.Errorf("%v, want none after prune", r)
	}
}

// holds looks through every file that is left, the engine's and the store's own aside.
func holds(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), planted) {
			t.Errorf("a secret is in %s", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

// closed: what the store must keep for a backout, nobody else may read.
func closed(t *testing.T, store string) {
	t.Helper()
	err := filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
