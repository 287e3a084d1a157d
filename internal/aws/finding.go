package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"dropcap"
)

// The limits of BatchImportFindings.
const (
	maxFindings = 100
	// "240 KB" for one; a batch is limited to the same, so that it is never too large either
	maxFindingBytes = 240_000
)

// ProductARN returns the product that an account's own findings belong to.
func ProductARN(p dropcap.Place) string {
	return fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", p.Partition(), p.Region,
		p.Account, p.Account)
}

// ImportFindings sends findings in the AWS Security Finding Format (JSON) to Security Hub, in
// batches, and returns how many it accepted. A finding with a known id updates the existing one.
// One that is too large is left out, and counts as refused. One with a field unknown to the format
// is an error before anything is sent.
func (c *Client) ImportFindings(ctx context.Context, p dropcap.Place,
	findings []json.RawMessage) (int, error) {
	what := in(p, "give findings to Security Hub")
	batches, failed, why, err := batch(what, findings)
	if err != nil {
		return 0, err
	}
	s, err := c.at(ctx, p)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, b := range batches {
		out, err := ask(ctx, c, s.task("securityhub:BatchImportFindings",
			"give findings to Security Hub"),
			func(ctx context.Context) (*securityhub.BatchImportFindingsOutput, error) {
				return s.hub.BatchImportFindings(ctx,
					&securityhub.BatchImportFindingsInput{Findings: b})
			})
		if err != nil {
			return done, err
		}
		done += int(sdk.ToInt32(out.SuccessCount))
		failed += int(sdk.ToInt32(out.FailedCount))
		for _, f := range out.FailedFindings {
			if why == "" {
				why = oneLine(fmt.Sprintf("%s: %s (%s)", sdk.ToString(f.ErrorCode),
					sdk.ToString(f.ErrorMessage), sdk.ToString(f.Id)))
			}
		}
	}
	if failed > 0 {
		return done, &dropcap.Error{Code: dropcap.CodeIncomplete,
			Message: fmt.Sprintf("cannot %s: it refused %d of %d: %s", what, failed, len(findings),
				why), Err: &caused{"refused", nil}}
	}
	return done, nil
}

// batch parses the findings and groups them into requests. It counts those that are too large, and
// describes the first of these.
func batch(what string, findings []json.RawMessage) (out [][]types.AwsSecurityFinding, large int,
	why string, err error) {
	room, bytesLeft := 0, 0
	for i, raw := range findings {
		var f types.AwsSecurityFinding
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			return nil, 0, "", dropcap.Errorf(dropcap.CodeError, "",
				"cannot %s: number %d is not in its format: %w", what, i+1, err)
		}
		if len(raw) > maxFindingBytes {
			if large++; large == 1 {
				why = oneLine(fmt.Sprintf("%s has %d bytes, and %d are the most",
					sdk.ToString(f.Id), len(raw), maxFindingBytes))
			}
			continue
		}
		if room == 0 || len(raw)+1 > bytesLeft {
			out = append(out, nil)
			room, bytesLeft = maxFindings, maxFindingBytes+1
		}
		out[len(out)-1] = append(out[len(out)-1], f)
		room, bytesLeft = room-1, bytesLeft-len(raw)-1
	}
	return out, large, why, nil
}

// ActiveFindings returns the account's own active findings whose generator has this prefix, in the
// AWS Security Finding Format.
func (c *Client) ActiveFindings(ctx context.Context, p dropcap.Place,
	generator string) ([]json.RawMessage, error) {
	s, err := c.at(ctx, p)
	if err != nil {
		return nil, err
	}
	filter := func(how types.StringFilterComparison, value string) []types.StringFilter {
		return []types.StringFilter{{Comparison: how, Value: &value}}
	}
	in := &securityhub.GetFindingsInput{MaxResults: sdk.Int32(maxFindings),
		Filters: &types.AwsSecurityFindingFilters{
			ProductArn:  filter(types.StringFilterComparisonEquals, ProductARN(p)),
			GeneratorId: filter(types.StringFilterComparisonPrefix, generator),
			RecordState: filter(types.StringFilterComparisonEquals,
				string(types.RecordStateActive)),
		}}
	var out []json.RawMessage
	t := s.task("securityhub:GetFindings", "get the findings of Security Hub")
	for {
		page, err := ask(ctx, c, t,
			func(ctx context.Context) (*securityhub.GetFindingsOutput, error) {
				return s.hub.GetFindings(ctx, in)
			})
		if err != nil {
			return nil, err
		}
		for _, f := range page.Findings {
			raw, err := plainJSON(f)
			if err != nil {
				return nil, dropcap.Errorf(dropcap.CodeError, "",
					"cannot read a finding of Security Hub: %w", err)
			}
			out = append(out, raw)
		}
		if sdk.ToString(page.NextToken) == "" {
			return out, nil
		}
		in.NextToken = page.NextToken
	}
}

// plainJSON writes a structure of the SDK without its empty fields.
func plainJSON(v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&plain); err != nil {
		return nil, err
	}
	return json.Marshal(prune(plain))
}

// prune removes nulls and, since the SDK's enumerations have no null, empty texts.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if item = prune(item); item == nil || item == "" {
				delete(v, key)
			} else {
				v[key] = item
			}
		}
	case []any:
		for i, item := range v {
			v[i] = prune(item)
		}
	}
	return v
}
