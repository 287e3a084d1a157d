// Package repo_test polices the repository itself: who imports whom, how large things grow, and
// what no file may contain.
package repo_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

func TestImportsKeepTheRule(t *testing.T) {
	list := packages(t)
	if len(list) < 10 {
		t.Fatalf("go list gives %d packages only", len(list))
	}
	for _, v := range violations(list) {
		t.Error(v)
	}
}

// packages lists this module's packages; -e since a package that does not compile is reported
// elsewhere.
func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e",
		"-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Dir, cmd.Stderr = testenv.RepoRoot(t), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// The program uses the test foundations only through the lab, and without package testing.
func TestTheProgramHoldsNoTesting(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/dropcap")
	cmd.Dir, cmd.Stderr = testenv.RepoRoot(t), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if _, room := place(path); path == "testing" ||
			rooms[room] == stand && !slices.Contains(labStands, path) {
			t.Errorf("%s is in the program", path)
		}
	}
}

// A checker that never complains keeps no rule: it must find each kind of violation, and accept
// what is allowed.
func TestTheCheckerFindsEachViolation(t *testing.T) {
	const in = "dropcap/internal/"
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{"dropcap/caps", "strings", false},
		{"dropcap/caps", "os", true},
		{"dropcap/caps", "dropcap", true},
		{"dropcap/caps", "golang.org/x/sys/unix", true},
		{"dropcap", "dropcap/caps", false},
		{"dropcap", "net/netip", false},
		{"dropcap", "os", true},
		{"dropcap", "os/exec", true},
		{"dropcap", "net", true},
		{"dropcap", "net/http", true},
		{"dropcap", "github.com/a/b", true},
		{"dropcap", in + "audit", true},
		{in + "audit", in + "policy", false},
		{in + "audit", "dropcap", false},
		{in + "audit", "os", true},
		{in + "audit", in + "apply", true},
		{in + "audit", in + "docker", true},
		{in + "apply", in + "audit", false},
		{in + "apply", "os", false},
		{in + "apply", in + "store", true},
		{in + "snapshot", in + "kernel", true},
		{in + "docker", "github.com/moby/moby/client", false},
		{in + "docker/deep", in + "docker", false},
		{in + "docker/deep", in + "kernel", true},
		{in + "docker", in + "kernel", true},
		{in + "docker", in + "audit", true},
		{in + "kernel", "github.com/moby/moby/client", true},
		{in + "kernel", "github.com/moby/mobyx", false},
		{in + "learn", "github.com/cilium/ebpf/link", true},
		{in + "learn", "github.com/cilium/ebpf", true},
		{in + "fleet", "github.com/aws/aws-sdk-go-v2/service/ssm", true},
		{in + "aws", "github.com/aws/aws-sdk-go-v2/service/ssm", false},
		{in + "lab/cloud", "github.com/aws/aws-sdk-go-v2/aws/signer/v4", false},
		{in + "lab/cloud", "github.com/aws/aws-sdk-go-v2/service/ssm", true},
		{in + "audit", in + "cli", true},
		{in + "audit", in + "render", true},
		{in + "render", "dropcap", false},
		{in + "render", in + "audit", true},
		{in + "cli", in + "audit", false},
		{in + "cli", in + "docker", false},
		{in + "cli", in + "render", false},
		{in + "docker", in + "printable", false},
		{in + "render", in + "printable", false},
		{in + "printable", in + "audit", true},
		{"dropcap", in + "printable", true},
		{"dropcap", in + "foreign", true},
		{in + "foreign", "dropcap", false},
		{in + "foreign", "os", true},
		{in + "foreign", in + "evidence", true},
		{in + "foreign", in + "store", true},
		{in + "evidence", in + "foreign", false},
		{in + "render", in + "owner", false},
		{in + "owner", in + "source", true},
		{in + "owner", "os", true},
		{in + "wire", in + "foreign", false},
		{in + "foreign", in + "wire", true},
		{in + "wire", in + "audit", true},
		{in + "wire", "os", true},
		{in + "fleet", in + "wire", false},
		{in + "render", in + "wire", false},
		{in + "render", in + "foreign", false},
		{in + "store", in + "foreign", false},
		{in + "lab", in + "foreign", true},
		{in + "cli", in + "host", false},
		{in + "cli", in + "node", false},
		{in + "host", in + "apply", false},
		{in + "host", in + "docker", false},
		{in + "host", in + "render", true},
		{in + "host", in + "cli", true},
		{in + "host", in + "node", true},
		{in + "host", "github.com/spf13/cobra", true},
		{in + "node", in + "host", false},
		{in + "node", in + "store", false},
		{in + "node", in + "docker", true},
		{in + "node", in + "kernel", true},
		{in + "node", in + "render", true},
		{in + "audit", in + "host", true},
		{in + "docker", in + "host", true},
		{in + "fleet", in + "node", true},
		{in + "cli", in + "testenv", true},
		{in + "docker", in + "dockertest", true},
		{in + "dockertest", in + "testenv", false},
		{in + "cli", in + "lab", false},
		{in + "lab", in + "lab/cloud", false},
		{in + "lab", in + "dockertest/supervise", false},
		{in + "lab", in + "dockertest", true},
		{in + "lab", in + "testenv", true},
		{in + "lab", in + "docker", true},
		{in + "fleet", in + "lab", true},
		{"dropcap/cmd/dropcap", in + "lab", true},
		{"dropcap/cmd/dropcap", in + "cli", false},
		{"dropcap/cmd/dropcap", in + "audit", true},
		{"dropcap/test/bench", in + "dockertest", false},
		{in + "unheard", "strings", true},
		{"dropcap/internal/kernel/utils", "strings", true},
		{"dropcap/stray", "strings", true},
	} {
		got := violations([]goPackage{{ImportPath: c.from, Imports: []string{c.to}}})
		if (len(got) > 0) != c.bad {
			t.Errorf("%s imports %s: found %q, want a violation: %v", c.from, c.to, got, c.bad)
		}
	}
	if got := violations([]goPackage{{ImportPath: in + "kernel", Name: "helpers"}}); len(got) != 1 {
		t.Errorf("a package called helpers passes: %q", got)
	}
}

func TestTheCheckerReadsTestsToo(t *testing.T) {
	const in = "dropcap/internal/"
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{in + "apply", in + "docker", false},
		{in + "docker", in + "dockertest", false},
		{in + "kernel", "github.com/moby/moby/client", true},
		{in + "audit", in + "cli", true},
		{in + "cli", in + "cli", false},
		{"dropcap/test/e2e", in + "cli", false},
		{in + "cli", "dropcap/cmd/dropcap", true},
	} {
		for _, p := range []goPackage{{ImportPath: c.from, TestImports: []string{c.to}},
			{ImportPath: c.from, XTestImports: []string{c.to}}} {
			if got := violations([]goPackage{p}); (len(got) > 0) != c.bad {
				t.Errorf("tests of %s import %s: found %q, want a violation: %v", c.from, c.to, got,
					c.bad)
			}
		}
	}
}

// The linter keeps the same rule for editors and for make lint. A room that it does not know has no
// rule there.
func TestTheLinterKnowsEveryRoom(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), ".depguard.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for room, l := range rooms {
		if l == stand {
			continue // they are only ever forbidden
		}
		if !regexp.MustCompile(`files:.*[{,/]` + room + `[},/]`).Match(text) {
			t.Errorf(".depguard.yml says nothing about dropcap/internal/%s", room)
		}
	}
	for prefix := range fences {
		if !strings.Contains(string(text), prefix) {
			t.Errorf(".depguard.yml does not fence %s", prefix)
		}
	}
}
