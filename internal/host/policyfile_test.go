package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/testenv"
)

// The policy of the working folder counts only if nobody but its user, and root, can have written
// it.
func TestAPolicyOfAStrangerIsIgnored(t *testing.T) {
	testenv.Need(t, testenv.Root) // to make files of others
	const me, stranger = 1000, 1001
	for name, c := range map[string]struct {
		prepare func(dir, file string) error
		euid    int
		ignored string // why; "-" if there is none
	}{
		"mine":            {func(dir, file string) error { return own(me, dir, file) }, me, ""},
		"root's":          {func(string, string) error { return nil }, me, ""},
		"root takes none": {func(string, string) error { return nil }, 0, "-"},
		"none":            {func(_, file string) error { return os.Remove(file) }, me, "-"},
		"a stranger's": {func(dir, file string) error {
			return own(stranger, dir, file)
		}, me, "it belongs to user 1001"},
		"a stranger's file": {func(_, file string) error {
			return own(stranger, file)
		}, me, "it belongs to user 1001"},
		"a stranger's folder": {func(dir, file string) error {
			if err := own(me, file); err != nil {
				return err
			}
			return own(stranger, dir)
		}, me, "its folder belongs to user 1001"},
		"anybody's file": {func(_, file string) error {
			return os.Chmod(file, 0o646)
		}, me, "it can be written by its group or others"},
		"a group's file": {func(_, file string) error {
			return os.Chmod(file, 0o664)
		}, me, "it can be written by its group or others"},
		"anybody's folder": {func(dir, _ string) error {
			return os.Chmod(dir, 0o777|os.ModeSticky)
		}, me, "its folder can be written"},
		"a link": {func(_, file string) error {
			if err := os.Rename(file, file+".real"); err != nil {
				return err
			}
			return os.Symlink(file+".real", file)
		}, me, "a link"},
		"a pipe": {func(_, file string) error {
			if err := os.Remove(file); err != nil {
				return err
			}
			return unix.Mkfifo(file, 0o644)
		}, me, "a pipe"},
		"a large one": {func(_, file string) error {
			return os.Truncate(file, 1<<40)
		}, me, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			file := filepath.Join(dir, "dropcap.yaml")
			if err := os.WriteFile(file, []byte("level: least\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := c.prepare(dir, file); err != nil {
				t.Fatal(err)
			}
			type found struct {
				p   PolicyFile
				err error
			}
			ended := make(chan found, 1)
			go func() {
				p, err := findPolicy(filepath.Join(dir, "none/policy.yaml"), "dropcap.yaml", c.euid)
				ended <- found{p, err}
			}()
			select {
			case f := <-ended:
				taken := f.p.Path == "./dropcap.yaml" && string(f.p.Text) == "level: least\n"
				why := "-"
				if f.p.Ignored != nil {
					why = f.p.Ignored.Error()
				}
				if f.err != nil || taken != (c.ignored == "") ||
					c.ignored != "" && (!strings.Contains(why, c.ignored) || f.p.Path != "") {
					t.Errorf("got %+v (%s), %v", f.p, why, f.err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
		})
	}
}

func TestASystemPolicyThatOthersMayWriteIsAnError(t *testing.T) {
	testenv.Need(t, testenv.Root)
	for name, prepare := range map[string]func(dir, file string) error{
		"the file":   func(_, file string) error { return os.Chmod(file, 0o666) },
		"its folder": func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"another's":  func(_, file string) error { return own(1000, file) },
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "policy.yaml")
		if err := os.WriteFile(file, []byte("level: least\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if p, err := findPolicy(file, "dropcap.yaml", 0); err != nil || p.Path != file {
			t.Errorf("%s: before, %+v, %v", name, p, err)
		}
		if err := prepare(dir, file); err != nil {
			t.Fatal(err)
		}
		for _, euid := range []int{0, 1000} {
			if p, err := findPolicy(file, "dropcap.yaml", euid); err == nil ||
				!strings.Contains(err.Error(), "cannot trust the policy") {
				t.Errorf("%s: got %+v, %v", name, p, err)
			}
		}
	}
}

func own(uid int, paths ...string) error {
	for _, p := range paths {
		if err := os.Chown(p, uid, -1); err != nil {
			return err
		}
	}
	return nil
}
