package aws_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const bucketHeading = "A bucket for whole outputs"

// bucketPolicy is the part of the documented bucket policy that is used here.
type bucketPolicy struct {
	Version   string
	Statement []struct {
		Sid, Effect      string
		Principal        map[string]string
		Action, Resource list
		Condition        map[string]map[string]string
	}
}

// matchesPattern reports whether text matches an IAM pattern: * is any text, ? any one character.
func matchesPattern(pattern, text string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + quoted + "$").MatchString(text)
}

func (p bucketPolicy) lets(userid, action, key string) bool {
	for _, s := range p.Statement {
		if s.Effect == "Allow" && slices.Contains(s.Action, action) &&
			matchesPattern(s.Condition["StringLike"]["aws:userid"], userid) &&
			slices.ContainsFunc(s.Resource, func(r string) bool {
				return matchesPattern(r, "arn:aws:s3:::my-bucket/"+key)
			}) {
			return true
		}
	}
	return false
}

// The documented bucket policy lets a node write what its agent writes, and nothing of another
// node's.
func TestTheBucketPolicyLetsANodeWriteBelowItsOwnIDOnly(t *testing.T) {
	text, err := os.ReadFile("../../docs/fleet-iam.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+bucketHeading+"\n")
	_, block, _ := strings.Cut(section, "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var p bucketPolicy
	d := json.NewDecoder(strings.NewReader(block))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Version != "2012-10-17" || len(p.Statement) != 2 {
		t.Fatalf("%v: %+v", err, p)
	}
	const node, hybrid, other = "i-0123456789abcdef0", "mi-0123456789abcdef0", "i-0000000000000000b"
	at := func(id, rest string) string {
		return "dropcap/01234567-89ab-cdef-0123-456789abcdef/" + id + rest
	}
	const output = "/awsrunShellScript/dropcap/stdout"
	for _, c := range []struct {
		userid, key string
		may         bool
	}{
		{"AROAEXAMPLE:" + node, at(node, output), true},
		{"AROAEXAMPLE:" + node, at(node, "/awsrunShellScript/0.awsrunShellScript/stderr"), true},
		{"AROAEXAMPLE:" + hybrid, at(hybrid, output), true},
		{"AROAEXAMPLE:" + node, at(hybrid, output), false},
		{"AROAEXAMPLE:" + hybrid, at(node, output), false},
		{"AROAEXAMPLE:" + other, at(node, output), false},
		{"AROAEXAMPLE:" + other, at(other, output), false}, // no statement covers it
		{"AROAEXAMPLE:" + node, at(other, "/"+node+output), false},
		{"AROAEXAMPLE:" + node, at(other, "/awsrunShellScript/"+node+output), false},
		{"AROAEXAMPLE:" + node, "dropcap/x/" + node + output, false},
		{"AROAEXAMPLE:" + node, "other/01234567-89ab-cdef-0123-456789abcdef/" + node + output,
			false},
		{"AIDAEXAMPLE", at(node, output), false},
	} {
		if got := p.lets(c.userid, "s3:PutObject", c.key); got != c.may {
			t.Errorf("%s may write %s: %v", c.userid, c.key, got)
		}
		if p.lets(c.userid, "s3:GetObject", c.key) {
			t.Errorf("%s may read %s", c.userid, c.key)
		}
	}
}
