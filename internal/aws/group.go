package aws

import (
	"context"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
)

// byGroups asks for the members of resource groups, and which of them are managed nodes.
func (c *Client) byGroups(ctx context.Context, s *site, w wanted, f *found) error {
	for _, name := range w.Groups {
		ids, err := c.members(ctx, s, name)
		if err != nil {
			return err
		}
		f.matched["group:"+name] = f.matched["group:"+name] || len(ids) > 0
		if err := c.byID(ctx, s, wanted{ids: ids}, f); err != nil {
			return err
		}
		for _, id := range ids {
			if _, ok := f.nodes[id]; !ok {
				f.members[id] = name
			}
		}
	}
	return nil
}

// members returns the ids of the nodes in a group; none if the group does not exist here.
func (c *Client) members(ctx context.Context, s *site, name string) ([]string, error) {
	var ids []string
	in := &resourcegroups.ListGroupResourcesInput{Group: &name, MaxResults: sdk.Int32(pageSize)}
	t := s.task("resource-groups:ListGroupResources", "list the resource group "+oneLine(name))
	for {
		out, err := ask(ctx, c, t,
			func(ctx context.Context) (*resourcegroups.ListGroupResourcesOutput, error) {
				out, err := s.groups.ListGroupResources(ctx, in)
				if codeOf(err) == "NotFoundException" {
					return &resourcegroups.ListGroupResourcesOutput{}, nil
				}
				return out, err
			})
		if err != nil {
			return nil, err
		}
		for _, r := range out.Resources {
			if r.Identifier == nil {
				continue
			}
			// arn:aws:ec2:REGION:ACCOUNT:instance/i-…,
			// arn:aws:ssm:REGION:ACCOUNT:managed-instance/mi-…
			arn := sdk.ToString(r.Identifier.ResourceArn)
			if id := arn[strings.LastIndex(arn, "/")+1:]; nodeForm.MatchString(id) {
				ids = append(ids, id)
			}
		}
		if sdk.ToString(out.NextToken) == "" {
			return ids, nil
		}
		in.NextToken = out.NextToken
	}
}
