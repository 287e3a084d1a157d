package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap"
)

// How long a new document may take until it is usable. A package's files are copied meanwhile,
// which takes a few minutes (user guide, "Create a package").
const (
	looks        = 30
	packageLooks = 600
	lookPause    = time.Second
)

// EnsureDocument makes this content the default version of a document of the account, and reports
// whether it was not before. Content of schema 0.3 is an Automation runbook, any other a Command
// document.
func (c *Client) EnsureDocument(ctx context.Context, p dropcap.Place, name,
	content string) (changed bool, err error) {
	s, err := c.at(ctx, p)
	if err != nil {
		return false, err
	}
	there, err := c.document(ctx, s, name)
	switch {
	case Cause(err) == "no-document":
		return true, c.createDocument(ctx, s, name, content)
	case err != nil:
		return false, err
	case same(there, content):
		return false, nil
	}
	return true, c.updateDocument(ctx, s, name, content)
}

// same compares documents, ignoring white space.
func same(a, b string) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, []byte(a)) != nil || json.Compact(&y, []byte(b)) != nil {
		return a == b
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// documentType returns the type of a document with this content.
func documentType(content string) types.DocumentType {
	var d struct {
		SchemaVersion string `json:"schemaVersion"`
	}
	if json.Unmarshal([]byte(content), &d) == nil && d.SchemaVersion == "0.3" {
		return types.DocumentTypeAutomation
	}
	return types.DocumentTypeCommand
}

func (s *site) documentTask(api, do, name string) task {
	t := s.task(api, do+" the document "+oneLine(name))
	t.subject = name
	return t
}

func (c *Client) document(ctx context.Context, s *site, name string) (string, error) {
	out, err := ask(ctx, c, s.documentTask("ssm:GetDocument", "read", name),
		func(ctx context.Context) (*ssm.GetDocumentOutput, error) {
			return s.ssm.GetDocument(ctx, &ssm.GetDocumentInput{Name: &name,
				DocumentFormat: types.DocumentFormatJson})
		})
	if err != nil {
		return "", err
	}
	return sdk.ToString(out.Content), nil
}

func (c *Client) createDocument(ctx context.Context, s *site, name, content string) error {
	_, err := ask(ctx, c, s.documentTask("ssm:CreateDocument", "create", name),
		func(ctx context.Context) (*ssm.CreateDocumentOutput, error) {
			out, err := s.ssm.CreateDocument(ctx, &ssm.CreateDocumentInput{Name: &name,
				Content: &content, DocumentType: documentType(content),
				DocumentFormat: types.DocumentFormatJson})
			if codeOf(err) == "DocumentAlreadyExists" {
				// the lost answer to our own request, or somebody else's document: examined below
				return nil, nil
			}
			return out, err
		})
	if err != nil {
		return err
	}
	if _, err = c.waitActive(ctx, s, name, "$LATEST", looks); err != nil {
		return err
	}
	there, err := c.document(ctx, s, name)
	if err == nil && !same(there, content) {
		return dropcap.Errorf(dropcap.CodeError, "try again",
			"cannot %s: somebody else has made one at the same time",
			in(s.Place, "create the document %s", oneLine(name)))
	}
	return err
}

// updateDocument creates a new version and makes it the default. If the newest version has this
// content already, it makes that one the default.
func (c *Client) updateDocument(ctx context.Context, s *site, name, content string) error {
	version := "$LATEST"
	_, err := ask(ctx, c, s.documentTask("ssm:UpdateDocument", "update", name),
		func(ctx context.Context) (*ssm.UpdateDocumentOutput, error) {
			out, err := s.ssm.UpdateDocument(ctx, &ssm.UpdateDocumentInput{Name: &name,
				Content: &content, DocumentVersion: &version,
				DocumentFormat: types.DocumentFormatJson})
			if codeOf(err) == "DuplicateDocumentContent" {
				return nil, nil
			}
			return out, err
		})
	if err != nil {
		return err
	}
	latest, err := c.waitActive(ctx, s, name, version, looks)
	if err != nil {
		return err
	}
	return c.setDefault(ctx, s, name, latest)
}

// setDefault makes a version the default.
func (c *Client) setDefault(ctx context.Context, s *site, name, version string) error {
	_, err := ask(ctx, c, s.documentTask("ssm:UpdateDocumentDefaultVersion",
		"choose the version of", name),
		func(ctx context.Context) (*ssm.UpdateDocumentDefaultVersionOutput, error) {
			return s.ssm.UpdateDocumentDefaultVersion(ctx,
				&ssm.UpdateDocumentDefaultVersionInput{Name: &name, DocumentVersion: &version})
		})
	return err
}

// waitActive waits until a version is usable, and returns its number.
func (c *Client) waitActive(ctx context.Context, s *site, name, version string,
	looks int) (string, error) {
	t := s.documentTask("ssm:DescribeDocument", "look at", name)
	for range looks {
		out, err := ask(ctx, c, t, func(ctx context.Context) (*ssm.DescribeDocumentOutput, error) {
			return s.ssm.DescribeDocument(ctx, &ssm.DescribeDocumentInput{Name: &name,
				DocumentVersion: &version})
		})
		if err != nil {
			return "", err
		}
		d := out.Document
		if d == nil {
			return "", dropcap.Errorf(dropcap.CodeError, "", "cannot %s: the answer is empty",
				t.what)
		}
		switch d.Status {
		case types.DocumentStatusActive:
			return sdk.ToString(d.DocumentVersion), nil
		case types.DocumentStatusFailed, types.DocumentStatusDeleting:
			return "", s.failureOf(name,
				oneLine(fmt.Sprint(d.Status, " ", sdk.ToString(d.StatusInformation))))
		}
		if err := c.clock.Sleep(ctx, lookPause); err != nil {
			return "", interrupted(t.what, err)
		}
	}
	return "", &dropcap.Error{Code: dropcap.CodeError, Message: "cannot use the document " + name +
		" in " + s.Place.String() + ": it is not ready yet", Hint: "try again later",
		Err: &caused{"not-yet", dropcap.ErrTemporary}}
}

// errUnusable means that a document will never become active.
var errUnusable = errors.New("the document failed")

// failureOf returns why a document failed. What its creator may not read in a bucket shows only
// then.
func (s *site) failureOf(name, why string) error {
	e := &dropcap.Error{Code: dropcap.CodeError, Message: "cannot use the document " + name +
		" in " + s.Place.String() + ": " + why, Err: &caused{"aws", errUnusable}}
	if strings.Contains(why, "AccessDenied") {
		e.Code, e.Hint, e.Err = dropcap.CodeHost, "allow s3:GetObject on the bucket"+policies,
			errors.Join(&caused{"denied", dropcap.ErrDenied}, errUnusable)
		e.Message += " (s3:GetObject)"
	}
	return e
}

// RemoveDocument removes a document of the account. It is no error if there is none.
func (c *Client) RemoveDocument(ctx context.Context, p dropcap.Place, name string) error {
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	_, err = ask(ctx, c, s.documentTask("ssm:DeleteDocument", "remove", name),
		func(ctx context.Context) (*ssm.DeleteDocumentOutput, error) {
			return s.ssm.DeleteDocument(ctx, &ssm.DeleteDocumentInput{Name: &name})
		})
	if Cause(err) == "no-document" {
		return nil
	}
	return err
}
