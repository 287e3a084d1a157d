package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// A known vulnerability of a module fails the lint, one of Go itself only on request; what the
// program imports and never calls fails nothing. A fake go reports them.
func TestKnownVulnerabilitiesFail(t *testing.T) {
	testenv.Need(t, testenv.Tool("jq", "jq"))
	const called = `{"finding":{"osv":"GO-1","fixed_version":"v1.2.4","trace":[{"module":"M","version":"v1.2.3","function":"Parse"}]}}`
	imported := strings.Replace(called, `,"function":"Parse"`, "", 1)
	std := strings.Replace(called, `"M"`, `"stdlib"`, 1)
	module := strings.Replace(called, `"M"`, `"example.org/m"`, 1)
	for name, c := range map[string]struct {
		finds, flag string
		fails       bool
		says        string
	}{
		"nothing":           {`{"config":{}}`, "", false, ""},
		"called":            {module, "", true, "example.org/m v1.2.3 GO-1, fixed in v1.2.4"},
		"only imported":     {imported, "--std", false, ""},
		"Go's":              {std, "", false, "build with a newer Go"},
		"Go's, asked for":   {std, "--std", true, "stdlib v1.2.3 GO-1"},
		"no answer at all":  {"not JSON", "", true, "cannot look"},
		"Go's and a module": {std + "\n" + module, "", true, "example.org/m"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fake := "#!/bin/sh\ncase $1 in mod) echo '{\"Dir\":\"/db\"}' ;; tool) cat <<'END'\n" +
				c.finds + "\nEND\n;; esac\n"
			if err := os.WriteFile(filepath.Join(dir, "go"), []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(testenv.RepoRoot(t), "tools/vulncheck"), c.flag)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != c.fails || !strings.Contains(string(out), c.says) ||
				c.says == "" && len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
