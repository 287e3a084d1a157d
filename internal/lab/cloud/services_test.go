package cloud_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	hub "github.com/aws/aws-sdk-go-v2/service/securityhub/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"dropcap/internal/lab/cloud"
)

func TestObjectsComeBackAsTheyWerePut(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	data := bytes.Repeat([]byte("0123456789\n"), 10000)
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lab"),
		Key: aws.String("a/b"), Body: bytes.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lab"),
		Key: aws.String("a/b")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(data), err)
	}
	if _, err := c.HeadBucket(t.Context(),
		&s3.HeadBucketInput{Bucket: aws.String("none")}); err == nil {
		t.Error("a bucket that there is not answers")
	}
	signed, err := s3.NewPresignClient(c).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("a/b")},
		s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int{
		signed.URL:                        http.StatusOK,
		strings.Split(signed.URL, "?")[0]: http.StatusForbidden,
	} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", url, resp.Status)
		}
	}
}

func TestARoleGivesKeysOfItsAccount(t *testing.T) {
	_, cfg, _ := open(t, nil)
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::444455556666:role/fleet"),
			RoleSessionName: aws.String("dropcap")})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId,
			SecretAccessKey: *out.Credentials.SecretAccessKey,
			SessionToken:    *out.Credentials.SessionToken}, nil
	})
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "444455556666" {
		t.Errorf("%v, %v", who, err)
	}
}

func TestFindingsOfAnotherAccountAreRefusedAndOldOnesDoNotOverwrite(t *testing.T) {
	_, cfg, _ := open(t, nil)
	c := securityhub.NewFromConfig(cfg)
	finding := func(account, updated string) hub.AwsSecurityFinding {
		return hub.AwsSecurityFinding{SchemaVersion: aws.String("2018-10-08"),
			Id: aws.String("dropcap/1"), GeneratorId: aws.String("dropcap"),
			ProductArn: aws.String("arn:aws:securityhub:us-east-1:" + account + ":product/" +
				account + "/default"), AwsAccountId: aws.String(account),
			CreatedAt: aws.String(updated), UpdatedAt: aws.String(updated), Title: aws.String("t"),
			Description: aws.String("d"), Types: []string{"Software and Configuration Checks"},
			Severity: &hub.Severity{Label: hub.SeverityLabelHigh},
			Resources: []hub.Resource{{Type: aws.String("AwsEc2Instance"),
				Id: aws.String("arn:aws:ec2:us-east-1:111122223333:instance/i-1")}}}
	}
	for _, tt := range []struct {
		f      hub.AwsSecurityFinding
		failed int32
	}{
		{finding(cloud.DefaultAccount, "2026-01-02T00:00:00Z"), 0},
		{finding("444455556666", "2026-01-02T00:00:00Z"), 1},
		{finding(cloud.DefaultAccount, "2026-01-01T00:00:00Z"), 1},
		{finding(cloud.DefaultAccount, "2026-01-03T00:00:00Z"), 0},
	} {
		out, err := c.BatchImportFindings(t.Context(),
			&securityhub.BatchImportFindingsInput{Findings: []hub.AwsSecurityFinding{tt.f}})
		if err != nil || *out.FailedCount != tt.failed {
			t.Errorf("%s %s: %v, %v", *tt.f.AwsAccountId, *tt.f.UpdatedAt, out, err)
		}
	}
	incomplete := finding(cloud.DefaultAccount, "2026-01-04T00:00:00Z")
	incomplete.Resources = nil
	findings := &securityhub.BatchImportFindingsInput{
		Findings: []hub.AwsSecurityFinding{incomplete}}
	if _, err := c.BatchImportFindings(t.Context(), findings); err == nil {
		t.Error("a finding without resources is taken")
	}
}

func TestAGroupsNodesAreListed(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Add(cloud.Node{ID: one})
	double.Group(cloud.DefaultAccount, "us-east-1", "web", one)
	out, err := resourcegroups.NewFromConfig(cfg).ListGroupResources(t.Context(),
		&resourcegroups.ListGroupResourcesInput{Group: aws.String("web")})
	if err != nil || len(out.Resources) != 1 ||
		!strings.HasSuffix(*out.Resources[0].Identifier.ResourceArn, one) {
		t.Errorf("%v, %v", out, err)
	}
}

func TestAnObjectComesInParts(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	name, key := aws.String("lab"), aws.String("p/stdout")
	begun, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name,
		Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var done []s3types.CompletedPart
	for _, n := range []int32{2, 1} { // the agent's uploader sends several at once
		part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: name, Key: key,
			UploadId: begun.UploadId, PartNumber: &n,
			Body: strings.NewReader(strings.Repeat("x", int(n)))})
		if err != nil {
			t.Fatal(err)
		}
		done = append([]s3types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(n)}}, done...)
	}
	if keys := double.Objects("lab"); len(keys) != 0 {
		t.Errorf("before the end there is %v", keys)
	}
	if _, err := c.CompleteMultipartUpload(t.Context(),
		&s3.CompleteMultipartUploadInput{Bucket: name, Key: key, UploadId: begun.UploadId,
			MultipartUpload: &s3types.CompletedMultipartUpload{Parts: done}}); err != nil {
		t.Fatal(err)
	}
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(out.Body); err != nil || string(text) != "xxx" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: name,
		Key: key, UploadId: begun.UploadId}); code(err) != "NoSuchUpload" {
		t.Errorf("an upload that is over: %v", err)
	}
}
