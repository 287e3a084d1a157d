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

// planted is a word that nobody would take for a secret: secrets are hidden by their place. A digit
// that identifies the place follows it.
const planted = "quietword"

// secretive has it in every place where people put secrets.
const secretive = `docker run -d --name web --env PLAIN=` + planted + `0 --env URL=http://` +
	planted + `1/x --label team=` + planted + `2 --label note=` + planted + `3 \
	--health-cmd 'wget -q -O- ` + planted + `4 || true' --health-interval 1s \
	--log-opt max-size=1m --log-opt 'tag=` + planted + `5' --entrypoint /bin/sh app:1 -c 'echo said ` + planted + `6; exec /serve "$@"' ` + planted + `7 -u ` + planted + `8`

// No secret of a container is in anything that dropcap prints or writes, except in the store, which
// is for root alone, and in what --reveal writes.
func TestSecretsStayInTheStore(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	s.shell(t, secretive)
	home := t.TempDir()
	s.env = append(s.env, "TMPDIR="+home, "HOME="+home, "XDG_CACHE_HOME="+home)
	plan := filepath.Join(home, "plan.json")
	type step struct {
		status int
		args   []string
	}
	list := []step{
		{dropcap.ExitFindings, []string{"plan", "web"}},
		{dropcap.ExitFindings, []string{"plan", "web", "--out", plan}},
		{dropcap.ExitFindings, []string{"plan", "web", "--format",
			"{{.Command}}{{.Backout}}{{.Source}}{{json .}}"}},
		{dropcap.ExitFindings, []string{"apply", "web", "--dry-run"}},
		{dropcap.ExitOK, []string{"learn", "web", "--for", "1s", "--format", "json"}},
		{dropcap.ExitOK, []string{"evidence", "--format", "json"}},
		{dropcap.ExitRolledBack, []string{"apply", "web", "--yes", "--soak", "0s", "--timeout",
			"300ms", "--probe", "false"}},
		{dropcap.ExitOK, []string{"history", "web"}},
		{dropcap.ExitOK, []string{"apply", plan, "--yes", "--soak", "0s", "--format", "json"}},
		{dropcap.ExitOK, []string{"history"}},
		{dropcap.ExitOK, []string{"history", "--format", "json"}},
		{dropcap.ExitOK, []string{"history", "web"}},
		{dropcap.ExitOK, []string{"backout", "web", "--yes"}},
		{dropcap.ExitOK, []string{"recover"}},
		{dropcap.ExitOK, []string{"prune", "--older-than", "0s", "--yes"}},
		{dropcap.ExitOK, []string{"explain", "web"}},
	}
	for _, format := range []string{"table", "wide", "json", "cis", "csv", "markdown", "junit",
		"sarif", "html", "{{json .}}"} {
		list = append(list, step{dropcap.ExitFindings, []string{"audit", "web", "--format",
			format}})
	}
	for _, c := range list {
		r := s.dropcap(t, c.args...)
		if r.status != c.status {
			t.Errorf("%v, want status %d", r, c.status)
		}
		if text := r.out + r.err; strings.Contains(text, planted) {
			at := strings.Index(text, planted)
			t.Errorf("what stands at place %.1s is printed by dropcap %s", text[at+len(planted):],
				strings.Join(c.args, " "))
		}
	}
	holds(t, home)
	closed(t, s.store)
	if r := s.dropcap(t, "plan", "web", "--reveal",
		filepath.Join(home, "web.env")); r.status != dropcap.ExitFindings {
		t.Error(r)
	}
	text, err := os.ReadFile(filepath.Join(home, "web.env"))
	for place := range 9 {
		if want := planted + string(rune('0'+place)); err != nil || !strings.Contains(string(text),
			want) {
			t.Errorf("%v: --reveal has not written %s:\n%s", err, want, text)
		}
	}
}

// An engine that cannot start a program names it, in the state of the container and in its answer.
// Neither is repeated.
func TestAnErrorOfTheEngineTellsNoArgument(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	s.shell(t, `docker run -d --name web -v tools:/tools app:1 sh -c 'cp /serve /tools/`+planted+
		`; exec /serve'
		docker exec web sh -c 'until [ -x /tools/`+planted+` ]; do sleep 0.1; done'
		docker rm -f web; docker run -d --name web -v tools:/tools --entrypoint /tools/`+planted+` app:1
		docker exec web rm /tools/`+planted)
	for _, args := range [][]string{
		{"apply", "web", "--yes", "--soak", "0s", "--call-timeout", "5s"}, {"history", "web"},
		{"history", "--format", "json"},
	} {
		r := s.dropcap(t, args...)
		if strings.Contains(r.out+r.err, planted) {
			t.Errorf("an argument is printed: %v", r)
		}
		if args[0] == "apply" && (r.status != dropcap.ExitPerson ||
			!strings.Contains(r.err, "no such file")) {
			t.Errorf("%v, want status %d, and the engine's reason", r, dropcap.ExitPerson)
		}
	}
}

// The last output of a new container that failed is kept, shown on request, and deleted by prune.
func TestTheLogOfAFailedContainerIsKept(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, c := range []struct{ name, options string }{{"framed", ""}, {"terminal", "-t"}} {
		s.shell(t, `docker run -d `+c.options+` --name `+c.name+
			` app:1 sh -c 'printf "last\033[1m words\n"; exec /serve'`)
		r := s.dropcap(t, "apply", c.name, "--yes", "--soak", "0s", "--timeout", "300ms", "--probe",
			"false")
		if r.status != dropcap.ExitRolledBack || !strings.Contains(r.err, "--log") {
			t.Errorf("%v, want status %d and a word about the log", r, dropcap.ExitRolledBack)
		}
		if r := s.dropcap(t, "history", c.name, "--log"); r.status != dropcap.ExitOK ||
			r.out != "last?[1m words\n" {
			t.Errorf("%v, want the last words", r)
		}
	}
	if r := s.dropcap(t, "prune", "--older-than", "0s", "--yes"); r.status != dropcap.ExitOK {
		t.Error(r)
	}
	if r := s.dropcap(t, "history", "framed", "--log"); r.status != dropcap.ExitError ||
		!strings.Contains(r.err, "cannot find a log") {
		t.Errorf("%v, want none after prune", r)
	}
}

// holds searches every remaining file, except the engine's and the store's own.
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

// closed checks that nobody else can read what the store must keep for a backout.
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
