package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap"
)

// The services' limits of one request.
const (
	pageSize     = 50
	idsPerFilter = 50
)

var (
	nodeForm    = regexp.MustCompile(`^(i-([0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$`)
	accountForm = regexp.MustCompile(`^\d{12}$`)
)

// found is what one place has of the targets.
type found struct {
	place   dropcap.Place
	nodes   map[string]dropcap.Node // by id
	matched map[string]bool         // tags and groups that exist there
	members map[string]string       // id → its group, for ids that no managed node has
	err     error
}

// wanted are the targets in one place.
type wanted struct {
	dropcap.Targets
	ids []string
}

// Find resolves targets to nodes, sorted by host: the union of those named, those that match all
// tags, and the groups' members. A place that cannot be asked is a failure, and an error only if
// none can. A node, tag or group that is nowhere is a failure too.
func (c *Client) Find(ctx context.Context,
	t dropcap.Targets) ([]dropcap.Node, []dropcap.HostFailure, error) {
	bare, placed, err := split(t.Nodes)
	if err != nil {
		return nil, nil, err
	}
	var asked []dropcap.Place
	if t.All || len(bare)+len(t.Tags)+len(t.Groups) > 0 {
		if asked, err = c.Places(ctx); err != nil {
			return nil, nil, err
		}
	}
	work := map[dropcap.Place]wanted{}
	for _, p := range asked {
		work[p] = wanted{t, bare}
	}
	for p, ids := range placed {
		p.Role = c.roles[p.Account]
		w, both := work[p]
		if !both {
			w = wanted{}
		}
		w.ids = append(slices.Clone(w.ids), ids...)
		work[p] = w
	}
	if len(work) == 0 {
		return nil, nil, dropcap.Errorf(dropcap.CodeUsage, "name ids, tags or groups, or all",
			"cannot tell which nodes are meant")
	}
	results := c.everywhere(ctx, work)
	nodes, failures, err := collect(results)
	if ctx.Err() != nil {
		return nil, nil, interrupted("find the nodes", ctx.Err())
	}
	if err != nil {
		return nil, nil, err
	}
	failures = append(failures, missing(t, bare, placed, asked, results)...)
	slices.SortStableFunc(failures, func(a, b dropcap.HostFailure) int {
		return strings.Compare(a.Host, b.Host)
	})
	return nodes, failures, nil
}

// split separates bare ids from those with a place.
func split(nodes []string) (bare []string, placed map[dropcap.Place][]string, err error) {
	placed = map[dropcap.Place][]string{}
	for _, n := range nodes {
		parts := strings.Split(n, "/")
		id := parts[len(parts)-1]
		ok := nodeForm.MatchString(id) &&
			(len(parts) == 1 || len(parts) == 3 && accountForm.MatchString(parts[0]) &&
				regionForm.MatchString(parts[1]))
		if !ok {
			return nil, nil, dropcap.Errorf(dropcap.CodeUsage,
				"a node is called like i-0123456789abcdef0, mi-0123456789abcdef0 or "+
					"111122223333/us-east-1/i-0123456789abcdef0",
				"cannot use %q as a node", oneLine(n))
		}
		if len(parts) == 1 {
			bare = append(bare, id)
			continue
		}
		p := dropcap.Place{Account: parts[0], Region: parts[1]}
		placed[p] = append(placed[p], id)
	}
	return bare, placed, nil
}

// everywhere asks all places at the same time. The results are sorted by place.
func (c *Client) everywhere(ctx context.Context, work map[dropcap.Place]wanted) []found {
	places := slices.SortedFunc(maps.Keys(work), func(a, b dropcap.Place) int {
		return strings.Compare(a.String(), b.String())
	})
	out := make([]found, len(places))
	var wg sync.WaitGroup
	for i, p := range places {
		wg.Go(func() { out[i] = c.search(ctx, p, work[p]) })
	}
	wg.Wait()
	return out
}

func collect(results []found) ([]dropcap.Node, []dropcap.HostFailure, error) {
	var nodes []dropcap.Node
	var failures []dropcap.HostFailure
	var first error
	for _, f := range results {
		if f.err != nil {
			if first == nil || errors.Is(first, dropcap.ErrTemporary) {
				first = f.err
			}
			failures = append(failures, failureOf(f.place.String(), f.err))
			continue
		}
		nodes = slices.AppendSeq(nodes, maps.Values(f.nodes))
	}
	if len(failures) == len(results) {
		return nil, nil, first
	}
	slices.SortFunc(nodes, func(a, b dropcap.Node) int {
		return strings.Compare(a.Host(), b.Host())
	})
	return nodes, failures, nil
}

func failureOf(host string, err error) dropcap.HostFailure {
	f := dropcap.HostFailure{Host: host, Cause: Cause(err), Message: err.Error()}
	var e *dropcap.Error
	if errors.As(err, &e) {
		f.Hint = e.Hint
	}
	return f
}

// search finds the targets of one place.
func (c *Client) search(ctx context.Context, p dropcap.Place, w wanted) found {
	f := found{place: p, nodes: map[string]dropcap.Node{}, matched: map[string]bool{},
		members: map[string]string{}}
	s, err := c.at(ctx, p)
	if err != nil {
		f.err = err
		return f
	}
	if w.All {
		f.err = c.describe(ctx, s, nil, f.nodes)
		return f
	}
	for _, step := range []func(context.Context, *site, wanted, *found) error{c.byID, c.byTags,
		c.byGroups} {
		if f.err = step(ctx, s, w, &f); f.err != nil {
			return f
		}
	}
	return f
}

func (c *Client) byID(ctx context.Context, s *site, w wanted, f *found) error {
	ids := slices.Compact(slices.Sorted(slices.Values(w.ids)))
	for chunk := range slices.Chunk(ids, idsPerFilter) {
		if err := c.describeIDs(ctx, s, chunk, f.nodes); err != nil {
			return err
		}
	}
	return nil
}

// describeIDs asks for some ids. If the service refuses them because of one, it asks for each half.
func (c *Client) describeIDs(ctx context.Context, s *site, ids []string,
	into map[string]dropcap.Node) error {
	err := c.describe(ctx, s, &types.InstanceInformationStringFilter{Key: sdk.String("InstanceIds"),
		Values: ids}, into)
	switch {
	case err == nil || Cause(err) != "unknown-node":
		return err
	case len(ids) == 1:
		return nil
	}
	half := len(ids) / 2
	if err := c.describeIDs(ctx, s, ids[:half], into); err != nil {
		return err
	}
	return c.describeIDs(ctx, s, ids[half:], into)
}

// byTags asks for each key separately, since the API does not say how several combine.
func (c *Client) byTags(ctx context.Context, s *site, w wanted, f *found) error {
	var both map[string]dropcap.Node
	for _, key := range slices.Sorted(maps.Keys(w.Tags)) {
		filter := &types.InstanceInformationStringFilter{Key: sdk.String("tag:" + key),
			Values: w.Tags[key]}
		if len(w.Tags[key]) == 0 {
			filter = &types.InstanceInformationStringFilter{Key: sdk.String("tag-key"),
				Values: []string{key}}
		}
		these := map[string]dropcap.Node{}
		if err := c.describe(ctx, s, filter, these); err != nil {
			return err
		}
		f.matched["tag:"+key] = f.matched["tag:"+key] || len(these) > 0
		if both == nil {
			both = these
			continue
		}
		maps.DeleteFunc(both, func(id string, _ dropcap.Node) bool {
			_, ok := these[id]
			return !ok
		})
	}
	if len(both) > 0 {
		f.matched["tags"] = true
	}
	maps.Copy(f.nodes, both)
	return nil
}

// describe pages through the managed nodes that pass a filter.
func (c *Client) describe(ctx context.Context, s *site,
	filter *types.InstanceInformationStringFilter, into map[string]dropcap.Node) error {
	in := &ssm.DescribeInstanceInformationInput{MaxResults: sdk.Int32(pageSize)}
	if filter != nil {
		in.Filters = []types.InstanceInformationStringFilter{*filter}
	}
	for {
		out, err := ask(ctx, c, s.task("ssm:DescribeInstanceInformation", "list the managed nodes"),
			func(ctx context.Context) (*ssm.DescribeInstanceInformationOutput, error) {
				return s.ssm.DescribeInstanceInformation(ctx, in)
			})
		if err != nil {
			return err
		}
		for _, i := range out.InstanceInformationList {
			n := s.node(i)
			into[n.ID] = n
		}
		if sdk.ToString(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}

func (s *site) node(i types.InstanceInformation) dropcap.Node {
	return dropcap.Node{Place: s.Place, ID: sdk.ToString(i.InstanceId),
		Name: sdk.ToString(i.ComputerName), Platform: string(i.PlatformType),
		PlatformName:    sdk.ToString(i.PlatformName),
		PlatformVersion: sdk.ToString(i.PlatformVersion), Agent: sdk.ToString(i.AgentVersion),
		Online: i.PingStatus == types.PingStatusOnline, Pinged: sdk.ToTime(i.LastPingDateTime)}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}
