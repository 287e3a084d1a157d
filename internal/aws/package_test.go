package aws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

func packaged(t *testing.T, version, program string) dropcap.Package {
	t.Helper()
	p, err := fleet.NewPackage(version, map[string][]byte{"amd64": []byte(program)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publish does what the command does: upload, publish, remove.
func publish(t *testing.T, c *aws.Client, name string, p dropcap.Package) error {
	t.Helper()
	there, err := c.HasPackage(t.Context(), here, name, p)
	if err != nil || there {
		return err
	}
	prefix := "dropcap/" + p.Version
	for file, data := range p.Files {
		if err := c.PutObject(t.Context(), here, "lab", prefix+"/"+file,
			bytes.NewReader(data)); err != nil {
			return err
		}
	}
	err = c.PublishPackage(t.Context(), here, name, p, "lab", prefix)
	for file := range p.Files {
		err = errors.Join(err, c.DeleteObject(t.Context(), here, "lab", prefix+"/"+file))
	}
	return err
}

func withBucket(t *testing.T) (*cloud.Cloud, *aws.Client) {
	t.Helper()
	double, c := open(t, aws.Options{})
	double.Bucket(cloud.DefaultAccount, east, "lab")
	return double, c
}

func TestAPackageIsPublishedOnceAndBecomesTheDefault(t *testing.T) {
	double, c := withBucket(t)
	for _, version := range []string{"1.0", "1.0", "1.1", "1.1"} {
		if err := publish(t, c, "dropcap", packaged(t, version, version)); err != nil {
			t.Fatal(err)
		}
	}
	if n := double.Calls(); n["ssm:UpdateDocument"] != 1 ||
		n["ssm:UpdateDocumentDefaultVersion"] != 1 || n["s3:PutObject"] != 2 {
		t.Errorf("%v", n)
	}
	for _, version := range []string{"1.0", "1.1"} { // the older one still exists
		if there, err := c.HasPackage(t.Context(), here, "dropcap",
			packaged(t, version, version)); !there || err != nil {
			t.Errorf("%s: %v, %v", version, there, err)
		}
	}
}

func TestAVersionForMoreArchitecturesIsThereForEachOfThem(t *testing.T) {
	_, c := withBucket(t)
	both, err := fleet.NewPackage("1.0", map[string][]byte{"amd64": []byte("x"),
		"arm64": []byte("y")})
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t, c, "dropcap", both); err != nil {
		t.Fatal(err)
	}
	if there, err := c.HasPackage(t.Context(), here, "dropcap", packaged(t, "1.0", "x")); !there ||
		err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if _, err := c.HasPackage(t.Context(), here, "dropcap", packaged(t, "1.0", "y")); err == nil {
		t.Error("other files are taken for the same")
	}
}

func TestAPackageThatSomebodyPublishesJustNowIsWaitedFor(t *testing.T) {
	double, c := withBucket(t)
	p := packaged(t, "1.0", "x")
	for file, data := range p.Files {
		if err := c.PutObject(t.Context(), here, "lab", "a/"+file,
			bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	double.Deny("ssm:DescribeDocument") // whoever published it is gone
	_ = c.PublishPackage(t.Context(), here, "dropcap", p, "lab", "a")
	double.Heal()
	if there, err := c.HasPackage(t.Context(), here, "dropcap", p); !there || err != nil ||
		double.Calls()["ssm:DescribeDocument"] < 2 {
		t.Errorf("%v, %v, %v", there, err, double.Calls())
	}
}

func TestWhatWasPublishedIsNotReplaced(t *testing.T) {
	double, c := withBucket(t)
	if err := publish(t, c, "dropcap", packaged(t, "1.0", "good")); err != nil {
		t.Fatal(err)
	}
	before := double.Calls()["s3:PutObject"]
	checkError(t, publish(t, c, "dropcap", packaged(t, "1.0", "evil")), "aws", nil,
		"with other files",
		"delete-document --name dropcap --version-name 1.0")
	if n := double.Calls()["s3:PutObject"]; n != before {
		t.Errorf("%d were uploaded for nothing", n-before)
	}
}

// What the service could not create does not obstruct the next attempt. A document of the account
// that is not a package stays as it is, whoever tries to publish under its name or to remove it.
func TestADocumentOfAnotherKindIsLeftAsItIs(t *testing.T) {
	double, c := withBucket(t)
	double.Document(cloud.DefaultAccount, east, "mine", lookDocument)
	checkError(t, publish(t, c, "mine", packaged(t, "1.0", "x")), "aws", nil,
		"mine is none in 111122223333/us-east-1")
	checkError(t, c.RemovePackage(t.Context(), here, "mine"), "aws", nil,
		"mine is none in 111122223333/us-east-1")
	if err := c.RemovePackage(t.Context(), here, "nowhere"); err != nil {
		t.Error(err)
	}
	n := double.Calls()
	if n["ssm:CreateDocument"]+n["ssm:UpdateDocument"]+n["ssm:DeleteDocument"]+
		n["s3:PutObject"] > 0 {
		t.Errorf("%v", n)
	}
}

func TestAPackageThatFailsIsToldAndRemoved(t *testing.T) {
	double, c := withBucket(t)
	double.Inject(cloud.Fault{Kind: cloud.AccessDenied, API: "s3:GetObject", Times: 1})
	checkError(t, publish1(t, c, "1.0"), "denied", dropcap.ErrDenied, "s3:GetObject")
	if err := publish(t, c, "dropcap", packaged(t, "1.0", "x")); err != nil {
		t.Fatal(err)
	}
	double.Inject(cloud.Fault{Kind: cloud.AccessDenied, API: "s3:GetObject", Times: 1})
	checkError(t, publish1(t, c, "1.1"), "denied", dropcap.ErrDenied, "s3:GetObject")
	if there, err := c.HasPackage(t.Context(), here, "dropcap", packaged(t, "1.1", "x")); there ||
		err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if err := publish(t, c, "dropcap", packaged(t, "1.1", "x")); err != nil {
		t.Fatal(err)
	}
	p := packaged(t, "1.2", "x") // never uploaded
	checkError(t, c.PublishPackage(t.Context(), here, "dropcap", p, "lab", "nowhere"), "aws", nil,
		"Failed", "NoSuchKey")
}

// publish1 publishes a version, and returns the first error alone.
func publish1(t *testing.T, c *aws.Client, version string) error {
	t.Helper()
	var e *dropcap.Error
	if err := publish(t, c, "dropcap", packaged(t, version, "x")); errors.As(err, &e) {
		return e
	}
	return nil
}

func distributes(name string) dropcap.NodeCommand {
	return dropcap.NodeCommand{Place: here, Nodes: []string{one},
		Document: "AWS-ConfigureAWSPackage", Package: dropcap.PackageAction{Name: name,
			Version: "1.0"},
		Delivery: time.Minute, Execution: time.Minute}
}

func TestWhatDistributorIsAskedIsOfItsForm(t *testing.T) {
	double, c := open(t, aws.Options{})
	var asked []map[string]any
	double.Add(cloud.Node{ID: one, Simulated: func(s cloud.Script) (string, string, int) {
		asked = append(asked, s.Package)
		return "", "", 0
	}})
	for _, uninstall := range []bool{false, true} {
		cmd := distributes("dropcap")
		cmd.Package.Uninstall, cmd.Package.Purge = uninstall, true
		sent, err := c.Send(t.Context(), cmd)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Poll(t.Context(), here, sent); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 2 || asked[0]["action"] != "Install" || asked[0]["name"] != "dropcap" ||
		asked[0]["version"] != "1.0" || asked[1]["action"] != "Uninstall" {
		t.Fatalf("%v", asked)
	}
	var arguments map[string]string
	text, _ := asked[1]["additionalArguments"].(string)
	if err := json.Unmarshal([]byte(text), &arguments); err != nil ||
		arguments["SSM_DROPCAP_PURGE"] != "yes" || arguments["SSM_DROPCAP_FORCE"] != "no" ||
		len(arguments) != 2 {
		t.Errorf("%q, %v", text, err)
	}
	for name, change := range map[string]func(*dropcap.NodeCommand){
		"a package by another document": func(n *dropcap.NodeCommand) {
			n.Document = "dropcap-look"
		},
		"Distributor's document, no package": func(n *dropcap.NodeCommand) { n.Package.Name = "" },
		"lines of a script beside a package": func(n *dropcap.NodeCommand) {
			n.Lines = []string{"id"}
		},
		"a package by the shell's document": func(n *dropcap.NodeCommand) {
			n.Document, n.Lines = "AWS-RunShellScript", []string{"true"}
		},
	} {
		cmd := distributes("dropcap")
		change(&cmd)
		if _, err := c.Send(t.Context(), cmd); dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePrintedCommandOfAPackageIsReadAsItIsMeant(t *testing.T) {
	cmd := distributes("dropcap")
	cmd.Package.Uninstall = true
	got := option(words(t, aws.PrintAWS(cmd)), "--parameters")
	list, ok := strings.CutPrefix(got, `action=["Uninstall"],additionalArguments=`)
	list, rest, ok2 := strings.Cut(list, `,name=`)
	var texts []string
	var arguments map[string]string
	if err := json.Unmarshal([]byte(list), &texts); !ok || !ok2 || err != nil || len(texts) != 1 ||
		rest != `["dropcap"],version=["1.0"]` {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(texts[0]), &arguments); err != nil ||
		arguments["SSM_DROPCAP_PURGE"] != "no" {
		t.Errorf("%q: %v", texts, err)
	}
}
