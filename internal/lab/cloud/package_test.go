package cloud_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

// shelf publishes packages through the real SDK, and has an agent install them.
type shelf struct {
	t      *testing.T
	c      *ssm.Client
	s3     *s3.Client
	double *cloud.Cloud
	log    string // the packages' scripts write to it
	agent  string // its folder
}

func newShelf(t *testing.T, arch string) shelf {
	t.Helper()
	double, cfg, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	s := shelf{t, ssm.NewFromConfig(cfg), s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
	}), double, filepath.Join(t.TempDir(), "log"), t.TempDir()}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	agent := &cloud.Agent{Endpoint: url, Node: one, Region: "us-east-1", Folder: s.agent,
		Platform: "debian", Arch: arch, Env: []string{"LOG=" + s.log}}
	go func() { defer close(done); _ = agent.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return s
}

// publish creates a version whose scripts log what they do; bad names a script that fails.
func (s shelf) publish(version, bad string, create bool) error {
	s.t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range []string{"install", "uninstall", "validate"} {
		w, err := z.Create(name + ".sh")
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(w, "echo %s-%s$SSM_X >>\"$LOG\"\n", name, version)
		if name == bad {
			fmt.Fprintln(w, "echo no >&2; exit 3")
		}
	}
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	file := map[string]any{"file": "a.zip"}
	sums := map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256(buf.Bytes()))}
	manifest, _ := json.Marshal(map[string]any{"schemaVersion": "2.0", "version": version,
		"packages": map[string]any{
			"debian": map[string]any{"_any": map[string]any{"x86_64": file}}},
		"files": map[string]any{"a.zip": map[string]any{"checksums": sums}}})
	if _, err := s.s3.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: aws.String("lab"),
		Key: aws.String(version + "/a.zip"), Body: bytes.NewReader(buf.Bytes())}); err != nil {
		s.t.Fatal(err)
	}
	name, from := "pack", []types.AttachmentsSource{{Key: types.AttachmentsSourceKeySourceUrl,
		Values: []string{"s3://lab/" + version}}}
	var err error
	if create {
		_, err = s.c.CreateDocument(s.t.Context(), &ssm.CreateDocumentInput{Name: &name,
			Content: aws.String(string(manifest)), VersionName: &version,
			DocumentType: types.DocumentTypePackage, Attachments: from})
	} else {
		_, err = s.c.UpdateDocument(s.t.Context(), &ssm.UpdateDocumentInput{Name: &name,
			Content: aws.String(string(manifest)), VersionName: &version, Attachments: from})
	}
	return err
}

// ready waits until the newest version is usable.
func (s shelf) ready() {
	s.t.Helper()
	testenv.Eventually(s.t, time.Minute, "active document", func() bool {
		d, err := s.c.DescribeDocument(s.t.Context(),
			&ssm.DescribeDocumentInput{Name: aws.String("pack"),
				DocumentVersion: aws.String("$LATEST")})
		if err != nil {
			s.t.Fatal(err)
		}
		return d.Document.Status == types.DocumentStatusActive
	})
}

// does sends an action, and checks its status, its output, and what the scripts have done.
func (s shelf) does(status, words, did string, parameters ...string) {
	s.t.Helper()
	given := map[string][]string{"name": {"pack"}}
	for _, p := range parameters {
		k, v, _ := strings.Cut(p, "=")
		given[k] = []string{v}
	}
	id := send(s.t, s.c, func(in *ssm.SendCommandInput) {
		in.DocumentName, in.Parameters = aws.String("AWS-ConfigureAWSPackage"), given
	})
	out := eventually(s.t, s.c, id, one)
	printed := aws.ToString(out.StandardOutputContent) + aws.ToString(out.StandardErrorContent)
	log, _ := os.ReadFile(s.log)
	_ = os.Remove(s.log)
	if string(out.Status) != status || !strings.Contains(printed, words) ||
		strings.Join(strings.Fields(string(log)), " ") != did {
		s.t.Errorf("%v: %s, did %q, want %s, %q:\n%s", parameters, out.Status, log, status, did,
			printed)
	}
}

func TestTheAgentInstallsPackagesAsTheRealOneDoes(t *testing.T) {
	s := newShelf(t, "x86_64")
	s.does("Failed", "failed to retrieve package document", "", "action=Install")
	if err := s.publish("1.0", "", true); err != nil {
		t.Fatal(err)
	}
	s.does("Failed", "package document is not currently active", "", "action=Install")
	s.ready()
	s.does("Success", "version:  is not installed", "", "action=Uninstall")
	s.does("Success", "Successfully installed pack 1.0", "install-1.0 validate-1.0",
		"action=Install")
	s.does("Success", "pack 1.0 is already installed", "validate-1.0", "action=Install",
		"version=1.0")
	s.does("Failed", "failed to retrieve package document", "", "action=Install", "version=9")
	for version, bad := range map[string]string{"1.1": "", "1.2": "install"} {
		if err := s.publish(version, bad, false); err != nil {
			t.Fatal(err)
		}
	}
	s.ready()
	s.does("Success", "", "uninstall-1.0 install-1.1 validate-1.1", "action=Install", "version=1.1")
	s.does("Failed", "successfully rolled back to pack 1.1",
		"uninstall-1.1 install-1.2 uninstall-1.2 install-1.1", "action=Install", "version=1.2")
	s.does("Success", "Successfully uninstalled pack 1.1", "uninstall-1.1-y", "action=Uninstall",
		`additionalArguments={"SSM_X":"-y"}`)
	if left, _ := filepath.Glob(s.agent + "/packages/*"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// The old version's refusal does not stop the new one; the agent works that way.
func TestAPackageThatRefusesToGoIsInstalledOver(t *testing.T) {
	s := newShelf(t, "x86_64")
	if err := s.publish("1.0", "uninstall", true); err != nil {
		t.Fatal(err)
	}
	if err := s.publish("1.1", "", false); err != nil {
		t.Fatal(err)
	}
	s.ready()
	s.does("Success", "", "install-1.0 validate-1.0", "action=Install", "version=1.0")
	s.does("Failed", "Failed to uninstall version 1.0", "uninstall-1.0", "action=Uninstall")
	s.does("Success", "Failed to uninstall version 1.0", "uninstall-1.0 install-1.1 validate-1.1",
		"action=Install", "version=1.1")
}

func TestWhatIsNotForTheNodeOrNotWhatItShouldBeIsNotRun(t *testing.T) {
	s := newShelf(t, "arm64")
	if err := s.publish("1.0", "", true); err != nil {
		t.Fatal(err)
	}
	s.ready()
	s.does("Failed", "no manifest found for platform: debian, version 1, architecture arm64", "",
		"action=Install")

	s = newShelf(t, "x86_64")
	if err := s.publish("1.0", "", true); err != nil {
		t.Fatal(err)
	}
	s.ready()
	s.double.Inject(cloud.Fault{Kind: cloud.DamagedPackage, Times: 1})
	s.does("Failed", "failed to verify checksum", "", "action=Install")
	s.does("Success", "", "install-1.0 validate-1.0", "action=Install")
}

func TestTheServiceRefusesPackagesAsItsModelSays(t *testing.T) {
	s := newShelf(t, "x86_64")
	if err := s.publish("1.0", "", true); err != nil {
		t.Fatal(err)
	}
	if err := s.publish("1.0", "", true); code(err) != "DocumentAlreadyExists" {
		t.Error(err)
	}
	if err := s.publish("1.0", "install", false); code(err) != "DuplicateDocumentVersionName" {
		t.Error(err)
	}
	if err := s.publish("1.0+1", "", false); code(err) != "ValidationException" {
		// in the model's form
		t.Error(err)
	}
	name := "other"
	_, err := s.c.CreateDocument(t.Context(), &ssm.CreateDocumentInput{Name: &name,
		Content: aws.String(`{"schemaVersion":"2.2"}`), DocumentType: types.DocumentTypePackage})
	if code(err) != "InvalidDocumentContent" {
		t.Error(err)
	}
}

// Only ResourceNotFoundException makes the agent take the name for a document's.
func TestTheAgentAsksFirstWhetherThePackageIsOfAWS(t *testing.T) {
	s := newShelf(t, "x86_64")
	if err := s.publish("1.0", "", true); err != nil {
		t.Fatal(err)
	}
	s.ready()
	s.does("Success", "", "install-1.0 validate-1.0", "action=Install", "version=1.0")
	for api, want := range map[string]string{"ssm:GetManifest": "ResourceNotFoundException",
		"ssm:PutConfigurePackageResult": ""} {
		if n := s.double.Calls()[api]; n != 1 {
			t.Errorf("%s was asked %d times", api, n)
		}
		for _, call := range s.double.Log() {
			if call.API == api && call.Error != want {
				t.Errorf("%+v", call)
			}
		}
	}
	s.double.Deny("ssm:GetManifest")
	s.does("Failed", "Error returned for GetManifest", "", "action=Uninstall")
	if err := s.publish("1.0-b", "", false); err != nil {
		t.Fatal(err)
	}
	s.ready()
	// it cannot be a version of AWS's packages, so the agent does not ask
	s.does("Success", "", "uninstall-1.0 install-1.0-b validate-1.0-b", "action=Install",
		"version=1.0-b")
}
