package aws

import (
	"context"
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"dropcap"
)

// kept is how much of standard output Run Command keeps; the agent marks the end of what it cut.
const (
	kept    = 24000
	cutMark = "--output truncated--"
)

// Output returns what one node printed. If Run Command did not keep all of it and the command has a
// bucket, the whole comes from there.
func (c *Client) Output(ctx context.Context, n dropcap.NodeCommand, id,
	node string) (dropcap.NodeOutput, error) {
	s, err := c.at(ctx, n.Place)
	if err != nil {
		return dropcap.NodeOutput{}, err
	}
	t := s.task("ssm:GetCommandInvocation", "get what "+oneLine(node)+" printed")
	in := &ssm.GetCommandInvocationInput{CommandId: &id, InstanceId: &node}
	got, err := ask(ctx, c, t, func(ctx context.Context) (*ssm.GetCommandInvocationOutput, error) {
		return s.ssm.GetCommandInvocation(ctx, in)
	})
	if err != nil {
		return dropcap.NodeOutput{}, err
	}
	out := dropcap.NodeOutput{Stdout: sdk.ToString(got.StandardOutputContent),
		Stderr: sdk.ToString(got.StandardErrorContent),
		Exit:   int(got.ResponseCode), Status: detail(got.StatusDetails, string(got.Status))}
	if n.Bucket == "" || !wasCut(out.Stdout) {
		return out, nil
	}
	whole, err := c.fromBucket(ctx, s, n, id, node, sdk.ToString(got.StandardOutputUrl))
	switch {
	case errors.Is(err, errNoObject):
		// the node could not write there, which is no reason to discard what there is
	case err != nil:
		return out, err
	case !strings.HasPrefix(whole, headOf(out.Stdout)):
		out.Refused = "what the bucket " + oneLine(n.Bucket) +
			" has of its output does not begin as what Run Command kept of it: somebody else " +
			"wrote it"
	default:
		out.Stdout, out.Kept = whole, len(headOf(out.Stdout))
	}
	return out, nil
}

// headOf returns the beginning of an output that was cut, without the mark, and without a character
// that the cut split.
func headOf(text string) string {
	return strings.TrimRight(strings.TrimSuffix(text, cutMark), "\uFFFD")
}

func wasCut(text string) bool {
	return utf8.RuneCountInString(text) >= kept ||
		len(text) >= kept-len(cutMark) && strings.HasSuffix(text, cutMark)
}

// fromBucket reads all of standard output from the bucket:
// {prefix}/{command}/{node}/awsrunShellScript/{step}/stdout. The agent merges repeated slashes and
// drops leading ones. The service returns the key; if it does not, the step is
// AWS-RunShellScript's, or whatever there is.
func (c *Client) fromBucket(ctx context.Context, s *site, n dropcap.NodeCommand, id, node,
	told string) (string, error) {
	base := strings.TrimPrefix(path.Join(n.Prefix, id, node)+"/", "/")
	keys := []string{base + "awsrunShellScript/0.awsrunShellScript/stdout"}
	if key := keyOf(told, n.Bucket); strings.HasPrefix(key, base) &&
		stepOutput.MatchString(strings.TrimPrefix(key, base)) {
		keys = []string{key}
	}
	text, err := c.getObject(ctx, s, n.Bucket, keys[0])
	if !errors.Is(err, errNoObject) {
		return text, err
	}
	list, err := c.listObjects(ctx, s, n.Bucket, base)
	if err != nil {
		return "", err
	}
	for _, key := range list {
		if stepOutput.MatchString(strings.TrimPrefix(key, base)) && key != keys[0] {
			return c.getObject(ctx, s, n.Bucket, key)
		}
	}
	return "", errNoObject
}

// stepOutput matches the part of a key below a command and a node. Deeper keys are not the agent's.
var stepOutput = regexp.MustCompile(`^awsrunShellScript/[^/]+/stdout$`)

var pathStyle = regexp.MustCompile(`^s3[.-]`)

// keyOf extracts the key from StandardOutputUrl: https://s3.REGION.amazonaws.com/BUCKET/KEY or
// https://BUCKET.s3.REGION.amazonaws.com/KEY.
func keyOf(address, bucket string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	rest := strings.TrimPrefix(u.Path, "/")
	if pathStyle.MatchString(u.Host) {
		key, ok := strings.CutPrefix(rest, bucket+"/")
		if !ok {
			return ""
		}
		return key
	}
	if strings.HasPrefix(u.Host, bucket+".") {
		return rest
	}
	return ""
}
