package aws

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap"
)

// ComplianceType is the type of dropcap's items.
const ComplianceType = "Custom:dropcap"

// maxItems is the limit of one request.
const maxItems = 10000

// ComplianceItem is one thing that a node complies with, or not.
type ComplianceItem struct {
	ID, Title string            // at most 100 and 500 characters
	Severity  string            // CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNSPECIFIED
	Status    string            // COMPLIANT, NON_COMPLIANT
	Details   map[string]string // keys of at most 64 characters, values of at most 4096
}

// PutCompliance replaces all items of a node. If the hash, by default over the items, is unchanged,
// the service leaves everything as it is.
func (c *Client) PutCompliance(ctx context.Context, p dropcap.Place, node string,
	items []ComplianceItem, hash string) error {
	what := in(p, "put the compliance of %s", oneLine(node))
	if len(items) > maxItems {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot %s: there are %d items, and %d are the most", what, len(items), maxItems)
	}
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	if hash == "" {
		text, err := json.Marshal(items) // maps are sorted
		if err != nil {
			return dropcap.Errorf(dropcap.CodeError, "", "cannot %s: %w", what, err)
		}
		hash = fmt.Sprintf("%x", sha256.Sum256(text))
	}
	in := &ssm.PutComplianceItemsInput{ResourceId: &node,
		ResourceType: sdk.String("ManagedInstance"), ComplianceType: sdk.String(ComplianceType),
		ItemContentHash: &hash,
		ExecutionSummary: &types.ComplianceExecutionSummary{ExecutionTime: sdk.Time(c.clock.Now()),
			ExecutionType: sdk.String("Command")},
		Items: []types.ComplianceItemEntry{}}
	for _, i := range items {
		in.Items = append(in.Items, types.ComplianceItemEntry{Id: &i.ID, Title: &i.Title,
			Severity: types.ComplianceSeverity(i.Severity),
			Status:   types.ComplianceStatus(i.Status), Details: i.Details})
	}
	_, err = ask(ctx, c, s.task("ssm:PutComplianceItems", "put the compliance of "+oneLine(node)),
		func(ctx context.Context) (*ssm.PutComplianceItemsOutput, error) {
			return s.ssm.PutComplianceItems(ctx, in)
		})
	return err
}
