package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// left checks that a folder contains these files and nothing else, such as a temporary one.
func left(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", dir, names, want)
	}
}

// TestFilesAreWholeAndPrivate: a file is replaced, not overwritten, so that readers of the old one
// keep it.
func TestFilesAreWholeAndPrivate(t *testing.T) {
	dir := t.TempDir()
	file, snap := filepath.Join(dir, "a.json"), filepath.Join(dir, "s.json")
	write(t, file, "old")
	old, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	r := on(pair(t)).run(t, "audit", "--format", "json="+file, "--snapshot", snap)
	r.want(t, 3)
	if !strings.HasPrefix(r.out, "NAME") {
		t.Errorf("stdout has no table: %.100q", r.out)
	}
	for path, schema := range map[string]string{file: "dropcap.audit/v1",
		snap: "dropcap.snapshot/v1"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		text, _ := os.ReadFile(path)
		var doc struct{ Schema string }
		if err := json.Unmarshal(text, &doc); err != nil || doc.Schema != schema {
			t.Errorf("%s: %q, %v", path, doc.Schema, err)
		}
	}
	text := make([]byte, 10)
	if n, _ := old.Read(text); string(text[:n]) != "old" {
		t.Errorf("the old file was written into: %q", text)
	}
	left(t, dir, "a.json", "s.json")
}

// TestFullDisk: the existing file stays as it was, and nothing is left beside it.
func TestFullDisk(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Tool("unshare", "util-linux"))
	dir, kept := t.TempDir(), t.TempDir()
	// A mount namespace of its own: nothing stays mounted, however the test ends.
	script :=
		`mount -t tmpfs -o size=8k none "$DIR" && echo old >"$DIR/a" && head -c 4096 /dev/zero >"$DIR/fill"; "$@"; s=$?; ls -A "$DIR" >"$KEPT/ls"; cat "$DIR/a" >"$KEPT/a"; exit $s`
	p := on(pair(t)).with("DIR="+dir, "KEPT="+kept)
	p.wrap = []string{"unshare", "--mount", "sh", "-c", script, "sh"}
	for _, flag := range [][]string{{"--format", "json=" + dir + "/a"},
		{"--format", "html=" + dir + "/a"}, {"--snapshot", dir + "/a"}} {
		r := p.run(t, append([]string{"audit"}, flag...)...)
		r.wantError(t, 1, "cannot write "+dir+"/a: no space left on device")
		ls, _ := os.ReadFile(filepath.Join(kept, "ls"))
		old, _ := os.ReadFile(filepath.Join(kept, "a"))
		if string(ls) != "a\nfill\n" || string(old) != "old\n" {
			t.Errorf("%v leaves %q, and the file holds %q", flag, ls, old)
		}
	}
}

func TestFilesThatCannotBeWritten(t *testing.T) {
	p, dir := on(pair(t)), t.TempDir()
	for _, path := range []string{"/dev/full", dir, "/nonexistent/x", "/proc/x",
		write(t, dir+"/file", "") + "/x"} {
		p.run(t, "audit", "--format", "json="+path).wantError(t, 1, "cannot write "+path+": ")
		p.run(t, "audit", "--snapshot", path).wantError(t, 1, "cannot write "+path+": ")
	}
	left(t, dir, "file")
	p.wrap = []string{"sh", "-c", `"$@" >/dev/full`, "sh"}
	p.run(t, "audit").wantError(t, 1, "no space left")
	p.run(t, "audit", "--format", "json").wantError(t, 1, "no space left")
	p.run(t, "explain", "kill").wantError(t, 1, "no space left")
}

func TestOneFileForTwoDocuments(t *testing.T) {
	p, dir := on(pair(t)), t.TempDir()
	for _, args := range [][]string{
		{"--format", "json=" + dir + "/a", "--format", "csv=" + dir + "/./a"},
		{"--format", "json=" + dir + "/a", "--snapshot", dir + "/a"},
		{"--format", "json=-", "--format", "csv"},
	} {
		p.run(t, append([]string{"audit"}, args...)...).wantError(t, 2, "give")
	}
	left(t, dir)
}

// TestStandardOutputByName: a redirected standard output is a file, and its name in /dev must not
// be replaced by one.
func TestStandardOutputByName(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "stdout")
	for _, name := range []string{"/dev/stdout", "-"} {
		p := on(pair(t))
		p.wrap = []string{"sh", "-c", `echo before >"$0"; "$@" >>"$0"`, link}
		p.run(t, "audit", "--format", "json="+name).want(t, 3)
		text, _ := os.ReadFile(link)
		if !strings.HasPrefix(string(text), "before\n{") || !strings.HasSuffix(string(text),
			"}\n") {
			t.Errorf("%s: %.200q", name, text)
		}
	}
	p := on(pair(t))
	p.wrap = []string{"sh", "-c", `"$@" 3>"$0"`, link}
	p.run(t, "audit", "--format", "json=/dev/fd/3").want(t, 3)
	if text, _ := os.ReadFile(link); !strings.HasPrefix(string(text), "{") {
		t.Errorf("fd 3: %.200q", text)
	}
	if target, err := os.Readlink("/dev/stdout"); err != nil || target != "/proc/self/fd/1" {
		t.Fatalf("/dev/stdout is %q, %v", target, err)
	}
}

// TestQuietAndFormat: as in docker ps, ids win on standard output, with a warning; files get the
// requested format.
func TestQuietAndFormat(t *testing.T) {
	p := on(pair(t))
	ids := p.run(t, "audit", "-q").out
	if strings.Count(ids, "\n") != 2 || len(ids) != 26 {
		t.Fatalf("-q prints %q", ids)
	}
	for _, format := range []string{"json", "csv", "{{.Name}}", "table {{.Name}}"} {
		r := p.run(t, "audit", "-q", "--format", format)
		if r.out != ids || r.err != "dropcap: warning: --quiet prints ids only, so --format "+
			format+" is not used\n" {
			t.Errorf("%s: %q, %q", format, r.out, r.err)
		}
	}
	file := filepath.Join(t.TempDir(), "a.csv")
	r := p.run(t, "audit", "-q", "--format", "csv="+file, "--format", "wide")
	r.want(t, 3)
	if text, _ := os.ReadFile(file); r.out != ids || !strings.HasPrefix(string(text), "host,") {
		t.Errorf("%q and %.60q", r.out, text)
	}
}

// TestTemplateJSON: one line of JSON for each container, as in the document.
func TestTemplateJSON(t *testing.T) {
	p := on(pair(t))
	lines := strings.Split(strings.TrimSpace(p.run(t, "audit", "--format", "{{json .}}").out), "\n")
	var whole struct{ Containers []json.RawMessage }
	if err := json.Unmarshal([]byte(p.run(t, "audit", "--format", "json").out),
		&whole); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || len(whole.Containers) != 2 {
		t.Fatalf("%d lines, %d containers", len(lines), len(whole.Containers))
	}
	for i, l := range lines {
		var a, b any
		if json.Unmarshal([]byte(l), &a) != nil || json.Unmarshal(whole.Containers[i], &b) != nil {
			t.Fatalf("no JSON: %q", l)
		}
		one, _ := json.Marshal(a)
		two, _ := json.Marshal(b)
		if string(one) != string(two) {
			t.Errorf("%s\n%s", one, two)
		}
	}
}

func TestFilters(t *testing.T) {
	p := on(pair(t))
	for filters, want := range map[string]string{
		"verdict=fail": "web", "verdict=pass": "hard", "verdict=fail verdict=pass": "hard web",
		"verdict=fail name=hard": "", "rule=net-raw": "web",
		"cap=net_raw": "web", "owner=docker name=w": "web", "status=running": "",
		"cap=CAP_SYS_ADMIN": "",
	} {
		args := []string{"audit", "--format", "{{.Name}}"}
		for _, f := range strings.Fields(filters) {
			args = append(args, "--filter", f)
		}
		r := p.run(t, args...)
		status := 0
		if strings.Contains(want, "web") {
			status = 3
		}
		if got := strings.Join(strings.Fields(r.out), " "); got != want || r.err != "" ||
			r.status != status {
			t.Errorf("%s: %q, status %d, %q", filters, got, r.status, r.err)
		}
	}
	p.run(t, "audit", "--filter", "nonsense=1").wantError(t, 2, "nonsense")
}

// TestUsageErrorIsJSONToo: as far as the command line was understood.
func TestUsageErrorIsJSONToo(t *testing.T) {
	for _, args := range [][]string{
		{"audit", "--format", "json", "--level", "none"}, {"audit", "--format", "json", "--bogus"},
		{"explain", "--format", "json", "CAP_NONE\u202e"},
		{"doctor", "--format", "json", "extra"}, {"audit", "--format", "json", "--from",
			"/nonexistent\u202e"},
	} {
		r := program{}.run(t, args...)
		var doc struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil ||
			!strings.HasPrefix(doc.Error.Message, "cannot ") || doc.Error.Code == "" {
			t.Errorf("%v: %q, %v", args, r.out, err)
		}
	}
}
