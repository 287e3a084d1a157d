package aws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

// list is a text or a list of texts, as in policies.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		*l = make(list, 1)
		return json.Unmarshal(data, &(*l)[0])
	}
	return json.Unmarshal(data, (*[]string)(l))
}

type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect      string
		Action, Resource list
	}
}

// documented reads the policies of docs/fleet-iam.md, by heading.
func documented(t *testing.T) map[string]policy {
	t.Helper()
	text, err := os.ReadFile("../../docs/fleet-iam.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]policy{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, _, _ := strings.Cut(section, "\n")
		_, block, ok := strings.Cut(section, "```json\n")
		if !ok || heading == bucketHeading { // that one is a bucket's
			continue
		}
		block, _, _ = strings.Cut(block, "```")
		var p policy
		d := json.NewDecoder(strings.NewReader(block))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%s: %v", heading, err)
		}
		out[heading] = p
	}
	return out
}

func (p policy) actions() (out []string) {
	for _, s := range p.Statement {
		for _, a := range s.Action {
			if !slices.Contains(byResourceGroups, a) {
				out = append(out, a)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// documents returns the documents that a policy allows to send.
func (p policy) documents() (out []string) {
	for _, s := range p.Statement {
		if !slices.Contains(s.Action, "ssm:SendCommand") {
			continue
		}
		for _, r := range s.Resource {
			if strings.Contains(r, ":document/") {
				out = append(out, path.Base(r))
			}
		}
	}
	return out
}

// byResourceGroups lists the requests that the service makes in the caller's name (its user guide,
// "ListGroupResources": minimum permissions).
var byResourceGroups = []string{"tag:GetResources", "cloudformation:DescribeStacks",
	"cloudformation:ListStackResources"}

// apis maps operations to the names that IAM uses for them.
var apis = map[string]string{"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket"}

// called returns the actions requested of a cloud, as named in IAM. GetCallerIdentity needs no
// permission.
func called(double *cloud.Cloud) []string {
	seen := map[string]bool{}
	for api := range double.Calls() {
		if other, ok := apis[api]; ok {
			api = other
		}
		seen[api] = true
	}
	delete(seen, "sts:GetCallerIdentity")
	return slices.Sorted(maps.Keys(seen))
}

// duty is what the commands of a policy do.
type duty struct {
	documents []string
	options   aws.Options
	do        func(*testing.T, *cloud.Cloud, *aws.Client) error
}

var duties = map[string]duty{
	"Looking": {documents: []string{"dropcap-look"},
		do: asksAndSends("dropcap-look")},
	"Changing": {documents: []string{"dropcap-look", "dropcap-change"},
		do: asksAndSends("dropcap-look", "dropcap-change")},
	"Installing": {documents: []string{"AWS-RunShellScript"}, do: installs},
	"Installing by Distributor": {documents: []string{"AWS-ConfigureAWSPackage", "dropcap-look"},
		do: distributesAndAsks},
	"Auditing without dropcap on the hosts": {documents: []string{"AWS-RunShellScript"},
		do: func(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
			return findsAndSends(t, c, dropcap.Targets{Nodes: []string{one},
				Tags: map[string][]string{"role": {"web"}}}, script(one))
		}},
	"Exporting to Security Hub": {do: func(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
		_, err := c.ActiveFindings(t.Context(), here, "dropcap")
		_, err2 := c.ImportFindings(t.Context(), here, []json.RawMessage{finding(1, "ACTIVE", "")})
		return errors.Join(err, err2)
	}},
	"Exporting to SSM Compliance": {do: func(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
		return c.PutCompliance(t.Context(), here, one, nil, "")
	}},
	"AWS's console: looking":     {documents: lookForms, do: sendsForms(lookForms)},
	"AWS's console: changing":    {documents: allForms, do: sendsForms(allForms)},
	"AWS's console: runbooks":    {documents: allForms, do: runsBooks},
	"AWS's console: daily audit": {do: auditsDaily},
	"Several accounts": {options: aws.Options{Roles: []string{"arn:aws:iam::" +
		cloud.DefaultAccount + ":role/dropcap-fleet"}},
		do: func(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
			return c.DeleteObject(t.Context(), here, "lab", "x") // whatever the role may do
		}},
}

func findsAndSends(t *testing.T, c *aws.Client, targets dropcap.Targets,
	commands ...dropcap.NodeCommand) error {
	if _, _, err := c.Find(t.Context(), targets); err != nil {
		return err
	}
	for _, cmd := range commands {
		sent, err := c.Send(t.Context(), cmd)
		if err != nil {
			return err
		}
		if _, err := c.Poll(t.Context(), here, sent); err != nil {
			return err
		}
		if _, err := c.Output(t.Context(), cmd, sent, one); err != nil {
			return err
		}
	}
	return nil
}

// asksAndSends finds nodes by every kind of target and sends by the documents. The outputs are too
// long for Run Command, and not where they should be.
func asksAndSends(documents ...string) func(*testing.T, *cloud.Cloud, *aws.Client) error {
	return func(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
		var commands []dropcap.NodeCommand
		for _, name := range documents {
			commands = append(commands, dropcap.NodeCommand{Place: here, Nodes: []string{one},
				Document: name, Verb: "audit", Request: strings.Repeat("0f", 16),
				Delivery: time.Minute, Execution: time.Minute, Bucket: "lab", Prefix: "no-such"})
		}
		return findsAndSends(t, c, dropcap.Targets{Nodes: []string{one},
			Tags: map[string][]string{"role": {"web"}}, Groups: []string{"web"}}, commands...)
	}
}

func installs(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
	newer := strings.Replace(lookDocument, `"d"`, `"newer"`, 1)
	for _, name := range []string{"dropcap-look", "dropcap-change"} {
		// the look document exists, in an older version
		if _, err := c.EnsureDocument(t.Context(), here, name, newer); err != nil {
			return err
		}
	}
	if err := c.PutObject(t.Context(), here, "lab", "binary",
		bytes.NewReader([]byte("x"))); err != nil {
		return err
	}
	address, err := c.PresignGet(t.Context(), here, "lab", "binary", time.Minute)
	if err != nil {
		return err
	}
	resp, err := http.Get(address)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// a node's curl says so
		return dropcap.Errorf(dropcap.CodeError, "", "cannot get the binary: s3:GetObject: %w",
			dropcap.ErrDenied)
	}
	if err := findsAndSends(t, c, dropcap.Targets{All: true}, script(one)); err != nil {
		return err
	}
	if err := c.DeleteObject(t.Context(), here, "lab", "binary"); err != nil {
		return err
	}
	return c.RemoveDocument(t.Context(), here, "dropcap-look")
}

// distributesAndAsks publishes two versions of a package, has one installed, asks the node which
// dropcap answers, and removes the package.
func distributesAndAsks(t *testing.T, _ *cloud.Cloud, c *aws.Client) error {
	if _, err := c.EnsureDocument(t.Context(), here, "dropcap-look", lookDocument); err != nil {
		return err
	}
	for _, version := range []string{"1.0", "1.1"} {
		if err := publish(t, c, "dropcap", packaged(t, version, "x")); err != nil {
			return err
		}
	}
	hello := dropcap.NodeCommand{Place: here, Nodes: []string{one}, Document: "dropcap-look",
		Verb: "hello", Request: strings.Repeat("0f", 16), Delivery: time.Minute,
		Execution: time.Minute}
	if err := findsAndSends(t, c, dropcap.Targets{All: true}, distributes("dropcap"),
		hello); err != nil {
		return err
	}
	return c.RemovePackage(t.Context(), here, "dropcap")
}

// stage prepares a cloud for a duty: nodes with long outputs, documents, and a bucket that the
// nodes' outputs do not reach.
func stage(t *testing.T, name string, d duty) (*cloud.Cloud, *aws.Client) {
	t.Helper()
	double, c := open(t, d.options)
	double.Bucket(cloud.DefaultAccount, east, "lab")
	double.Add(cloud.Node{ID: one, Tags: map[string]string{"role": "web"},
		Simulated: answers(long, 0)})
	double.Group(cloud.DefaultAccount, east, "web", one)
	double.Document(cloud.DefaultAccount, east, "dropcap-look", lookDocument)
	if name != "Installing" {
		double.Document(cloud.DefaultAccount, east, "dropcap-change", lookDocument)
	}
	double.Inject(cloud.Fault{Kind: cloud.LostObject})
	return double, c
}

func TestEachPolicyAllowsWhatIsCalledAndNothingElse(t *testing.T) {
	policies := documented(t)
	if got, want := slices.Sorted(maps.Keys(policies)),
		slices.Sorted(maps.Keys(duties)); !slices.Equal(got, want) {
		t.Fatalf("the document has policies for %q, and known are %q", got, want)
	}
	for name, d := range duties {
		t.Run(name, func(t *testing.T) {
			double, c := stage(t, name, d)
			if err := d.do(t, double, c); err != nil {
				t.Fatal(err)
			}
			calls := called(double)
			if name == "Several accounts" {
				calls = slices.DeleteFunc(calls, func(a string) bool {
					return !strings.HasPrefix(a, "sts:")
				})
			}
			if got := policies[name].actions(); !slices.Equal(got, calls) {
				t.Errorf("the policy allows %q, and called are %q", got, calls)
			}
			if got := policies[name].documents(); !slices.Equal(got, d.documents) {
				t.Errorf("the policy allows the documents %q, and sent are %q", got, d.documents)
			}
		})
	}
}

func TestWithoutAnyOneOfItsActionsTheErrorNamesIt(t *testing.T) {
	policies := documented(t)
	for name, d := range duties {
		for _, action := range policies[name].actions() {
			double, c := stage(t, name, d)
			api := action
			if api == "s3:ListBucket" {
				api = "s3:ListObjectsV2"
			}
			double.Deny(api)
			if err := d.do(t, double, c); !errors.Is(err, dropcap.ErrDenied) ||
				!strings.Contains(err.Error(), action) {
				t.Errorf("%s without %s: %v", name, action, err)
			}
		}
	}
}

func TestPoliciesAreNoWiderThanTheyMustBe(t *testing.T) {
	for name, p := range documented(t) {
		if p.Version != "2012-10-17" {
			t.Errorf("%s: version %s", name, p.Version)
		}
		for _, s := range p.Statement {
			narrow := []string{"ssm:SendCommand", "ssm:GetDocument", "ssm:DeleteDocument",
				"s3:GetObject", "s3:ListBucket", "sts:AssumeRole",
				"securityhub:BatchImportFindings"}
			if s.Effect != "Allow" || slices.ContainsFunc(s.Action, func(a string) bool {
				return strings.Contains(a, "*") ||
					slices.Contains(narrow, a) && slices.Contains(s.Resource, "*")
			}) {
				t.Errorf("%s: the statement %s is too wide", name, s.Sid)
			}
		}
	}
}
