package aws

import (
	"context"
	"encoding/json"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap"
)

// HasPackage reports whether a version of a package is published with all of these files, perhaps
// with more. An existing version with other files is an error: a version that nodes have must not
// change.
func (c *Client) HasPackage(ctx context.Context, p dropcap.Place, name string,
	pkg dropcap.Package) (bool, error) {
	s, err := c.at(ctx, p)
	if err != nil {
		return false, err
	}
	out, err := c.packageOf(ctx, s, name, nil) // any version
	if err == nil && out != nil {
		out, err = c.packageOf(ctx, s, name, &pkg.Version)
	}
	switch {
	case err != nil || out == nil:
		return false, err
	case !includes(sdk.ToString(out.Content), pkg.Manifest):
		return false, dropcap.Errorf(dropcap.CodeError,
			"leave out --bucket to install what is there; or build with another VERSION; or `aws "+
				"ssm delete-document --name "+name+
				" --version-name "+pkg.Version+"`",
			"cannot publish version %s of the package %s: it is there with other files",
			pkg.Version, in(p, "%s", oneLine(name)))
	}
	if out.Status != types.DocumentStatusActive { // somebody is publishing it, or failed to
		_, err = c.waitActive(ctx, s, name, sdk.ToString(out.DocumentVersion), packageLooks)
	}
	return err == nil, err
}

// packageOf returns a version of a package's document, nil if there is none. A user's own document
// of another type must neither become a package nor be removed as one.
func (c *Client) packageOf(ctx context.Context, s *site, name string,
	version *string) (*ssm.GetDocumentOutput, error) {
	out, err := ask(ctx, c, s.documentTask("ssm:GetDocument", "read", name),
		func(ctx context.Context) (*ssm.GetDocumentOutput, error) {
			return s.ssm.GetDocument(ctx, &ssm.GetDocumentInput{Name: &name, VersionName: version})
		})
	switch {
	case Cause(err) == "no-document":
		return nil, nil
	case err == nil && out.DocumentType != types.DocumentTypePackage:
		return nil, dropcap.Errorf(dropcap.CodeUsage, "name another one with --distributor",
			"cannot take a document for a package: %s", in(s.Place, "%s is none", oneLine(name)))
	}
	return out, err
}

// RemovePackage removes a package of the account with all its versions. It is no error if there is
// none.
func (c *Client) RemovePackage(ctx context.Context, p dropcap.Place, name string) error {
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	if out, err := c.packageOf(ctx, s, name, nil); out == nil || err != nil {
		return err
	}
	return c.RemoveDocument(ctx, p, name)
}

// includes reports whether a manifest has all files of another, by digest.
func includes(published, wanted string) bool {
	type files struct {
		Files map[string]struct{ Checksums map[string]string }
	}
	var a, b files
	if json.Unmarshal([]byte(published), &a) != nil || json.Unmarshal([]byte(wanted), &b) != nil {
		return false
	}
	for name, f := range b.Files {
		if sum := f.Checksums["sha256"]; sum == "" || a.Files[name].Checksums["sha256"] != sum {
			return false
		}
	}
	return len(b.Files) > 0
}

// PublishPackage creates a version of a package from files below a prefix in a bucket, makes it the
// default, and waits until it is usable: the service then has copies. It removes a version that the
// service could not create.
func (c *Client) PublishPackage(ctx context.Context, p dropcap.Place, name string,
	pkg dropcap.Package, bucket, prefix string) error {
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	from := []types.AttachmentsSource{{Key: types.AttachmentsSourceKeySourceUrl,
		Values: []string{"s3://" + bucket + "/" + prefix}}}
	created := false
	_, err = ask(ctx, c, s.documentTask("ssm:CreateDocument", "create", name),
		func(ctx context.Context) (*ssm.CreateDocumentOutput, error) {
			out, err := s.ssm.CreateDocument(ctx, &ssm.CreateDocumentInput{Name: &name,
				Content: &pkg.Manifest, DocumentType: types.DocumentTypePackage,
				DocumentFormat: types.DocumentFormatJson, VersionName: &pkg.Version,
				Attachments: from})
			created = err == nil
			if codeOf(err) == "DocumentAlreadyExists" {
				return nil, nil
			}
			return out, err
		})
	if err == nil && !created {
		err = c.addVersion(ctx, s, name, pkg, from)
	}
	if err != nil {
		return err
	}
	latest, err := c.waitActive(ctx, s, name, "$LATEST", packageLooks)
	switch {
	case errors.Is(err, errUnusable):
		return c.withdraw(context.WithoutCancel(ctx), s, name, pkg.Version, created, err)
	case err != nil || created:
		return err
	}
	return c.setDefault(ctx, s, name, latest)
}

// withdraw removes what the service could not create, so that it can be tried again.
func (c *Client) withdraw(ctx context.Context, s *site, name, version string, whole bool,
	because error) error {
	_, err := ask(ctx, c, s.documentTask("ssm:DeleteDocument", "remove", name),
		func(ctx context.Context) (*ssm.DeleteDocumentOutput, error) {
			in := &ssm.DeleteDocumentInput{Name: &name, VersionName: &version}
			if whole {
				in.VersionName = nil
			}
			return s.ssm.DeleteDocument(ctx, in)
		})
	if err != nil {
		return errors.Join(because, err)
	}
	return because
}

func (c *Client) addVersion(ctx context.Context, s *site, name string, pkg dropcap.Package,
	from []types.AttachmentsSource) error {
	_, err := ask(ctx, c, s.documentTask("ssm:UpdateDocument", "update", name),
		func(ctx context.Context) (*ssm.UpdateDocumentOutput, error) {
			out, err := s.ssm.UpdateDocument(ctx, &ssm.UpdateDocumentInput{Name: &name,
				Content: &pkg.Manifest, DocumentVersion: sdk.String("$LATEST"),
				DocumentFormat: types.DocumentFormatJson, VersionName: &pkg.Version,
				Attachments: from})
			if code := codeOf(err); code == "DuplicateDocumentContent" ||
				code == "DuplicateDocumentVersionName" {
				// the lost answer to our own request
				return nil, nil
			}
			return out, err
		})
	return err
}
