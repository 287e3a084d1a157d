package repo_test

import (
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// A test waits for an event or a condition (testenv.Within): a sleep is too short on a busy host
// and too long on all others. If time itself is under test, the line above says so.
func TestSleepsSayThatTimeIsUnderTest(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			for _, v := range sleeps(s) {
				t.Error(v)
			}
		}
	}
}

// says is the beginning of a comment that allows a sleep.
const says = "// Time is under test"

func sleeps(s source) (found []string) {
	lines := strings.Split(string(s.text), "\n")
	s.calls(func(c *ast.CallExpr, receiver, name string) {
		line := s.line(c.Pos())
		if receiver == "time" && name == "Sleep" &&
			!strings.HasPrefix(strings.TrimSpace(lines[line-2]), says) {
			found = append(found, s.path+": a sleep in line "+lines[line-1]+
				": wait with testenv.Within, or say why time is under test")
		}
	})
	return found
}

// A script of commands waits by polling; a line that only sleeps hopes.
func TestScriptsDoNotSleep(t *testing.T) {
	hopes := regexp.MustCompile(`(?m)^(?:exec )?sleep [0-9.]+ *$|; *sleep [0-9.]+ *['"]?$`)
	root := testenv.RepoRoot(t)
	scripts, err := filepath.Glob(filepath.Join(root, "test/e2e/testdata/*/*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%v, %v", scripts, err)
	}
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range hopes.FindAllString(string(text), -1) {
			t.Errorf("%s: %q waits for nothing", filepath.Base(file), line)
		}
	}
}

// CI's run fails if tests leave files in the folder for temporary files, and removes them.
func TestCIFailsWhereFilesStay(t *testing.T) {
	for name, c := range map[string]struct{ test, says string }{
		"clean": {`:`, ""},
		"left":  {`touch "$TMPDIR/left"`, "left"},
		"fails": {`exit 3`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			where := filepath.Join(dir, "where")
			fake := "#!/bin/sh\necho \"$TMPDIR\" >" + where + "\n" + c.test + "\n"
			if err := os.WriteFile(filepath.Join(dir, "make"), []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(testenv.RepoRoot(t), ".ci/run"))
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CI_LEFT_FOR=0")
			out, err := cmd.CombinedOutput()
			if (err == nil) != (name == "clean") || !strings.Contains(string(out), c.says) {
				t.Errorf("%v: %s", err, out)
			}
			own, _ := os.ReadFile(where)
			if _, err := os.Stat(strings.TrimSpace(string(own))); len(own) < 5 ||
				!os.IsNotExist(err) {
				t.Errorf("%q is still there", own)
			}
		})
	}
}
