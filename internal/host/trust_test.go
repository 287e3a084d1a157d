package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/trust"
)

// A plan is taken from where nobody else can have put it, by whatever links it is named.
func TestPlansOfWhomAreTrusted(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"own": 0o755, "open": 0o777,
		"sticky": 0o777 | os.ModeSticky} {
		if err := errors.Join(os.Mkdir(in(name), 0o755), os.Chmod(in(name), mode),
			os.WriteFile(in(name+"/plan.json"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.WriteFile(in("own/open.json"), nil, 0o666), os.Chmod(in("own/open.json"), 0o666),
		os.Symlink("plan.json", in("own/link.json")),
		os.Symlink("../own/plan.json", in("open/link.json")), os.Symlink(in("open/link.json"),
			in("own/chain.json")),
		os.Symlink("own", in("folder")), os.Symlink("loop", in("loop")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"own/plan.json": "", "sticky/plan.json": "", "own/link.json": "", "folder/plan.json": "",
		"open/plan.json": "others may write the folder", "own/open.json": "others may write",
		"open/link.json": "others may write the folder",
		"own/chain.json": "others may write the folder", "own": "not a regular file",
	} {
		err := judgePlan(in(name))
		var un *trust.Untrusted
		if (err == nil) != (says == "") || err != nil && (!errors.As(err, &un) ||
			!strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	for _, name := range []string{"none.json", "loop"} {
		if err := judgePlan(in(name)); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}
