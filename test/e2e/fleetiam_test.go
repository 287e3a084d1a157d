package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

// statement is a statement of a documented policy, as far as it concerns objects.
type statement struct {
	Sid              string
	Action, Resource any // a text, or several
}

// statementsOf reads the policy below a heading of docs/fleet-iam.md.
func statementsOf(t *testing.T, heading string) []statement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.RepoRoot(t), "docs/fleet-iam.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	_, block, _ := strings.Cut(section, "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var p struct{ Statement []statement }
	if err := json.Unmarshal([]byte(block), &p); err != nil {
		t.Fatalf("%s: %v", heading, err)
	}
	return p.Statement
}

// patterns returns the objects of my-bucket that a policy allows any action on, with IAM's
// matching: * is any text.
func patterns(list []statement) (out []*regexp.Regexp) {
	for _, s := range list {
		key, ok := strings.CutPrefix(strings.Join(several(s.Resource), ""),
			"arn:aws:s3:::my-bucket/")
		if ok {
			out = append(out, regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(key), `\*`,
				".*")+"$"))
		}
	}
	return out
}

func several(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			out = append(out, item.(string))
		}
	}
	return out
}

// The documented policies name the objects that are really used, and none covers another one's.
func TestThePoliciesNameTheObjectsThatAreUsed(t *testing.T) {
	long := strings.Repeat(strings.Repeat("0", 64)+": CapAdd=<no value> CapDrop=<no value>\n", 400)
	node := &actor{id: nodeA, lines: func(string) (string, string, int) { return long, "", 0 }}
	d := startDouble(t, node)
	d.cloud.Bucket(cloud.DefaultAccount, "us-east-1", "my-bucket")
	used := map[string][]string{}
	doing := ""
	d.seen = func(r *http.Request) {
		if key, ok := strings.CutPrefix(r.URL.Path, "/my-bucket/"); ok && doing != "" {
			used[doing] = append(used[doing], key)
		}
	}
	self := "amd64=" + testenv.Binary(t)
	for _, run := range []struct {
		heading string
		status  int
		args    []string
	}{
		{"Looking", 7, []string{"audit", "--agentless", "--s3-bucket", "my-bucket", "--targets",
			nodeA}},
		{"Installing", 0, []string{"install", "--bucket", "my-bucket", "--bin", self, "--targets",
			nodeA, "--yes"}},
		{"Installing by Distributor", 1, []string{"install", "--distributor", "dropcap", "--bucket",
			"my-bucket", "--bin", self, "--targets", nodeA, "--yes"}},
	} {
		doing = run.heading
		d.ends(run.status, append([]string{"fleet"}, run.args...)...)
	}
	for heading, keys := range used {
		allowed := patterns(statementsOf(t, heading))
		for _, key := range keys {
			if len(allowed) != 1 || !allowed[0].MatchString(key) {
				t.Errorf("%s: %s is used, and allowed is %v", heading, key, allowed)
			}
		}
		for other, theirs := range used {
			for _, key := range theirs {
				if other != heading && allowed[0].MatchString(key) {
					t.Errorf("%s allows %s, which is %s", heading, key, other)
				}
			}
		}
	}
	if len(used) != 3 {
		t.Errorf("used was %q", used)
	}
	if changing := patterns(statementsOf(t, "Changing")); len(changing) != 1 ||
		changing[0].String() != patterns(statementsOf(t, "Looking"))[0].String() {
		t.Errorf("Changing reads other outputs than Looking: %v", changing)
	}
}
