package aws

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"dropcap"
)

// shellDocument is the control's own: a root shell everywhere. packageDocument is Distributor's.
const (
	shellDocument   = "AWS-RunShellScript"
	packageDocument = "AWS-ConfigureAWSPackage"
)

// The limits of one command (the API model, and the agent: an executionTimeout outside its limits
// silently becomes an hour).
const (
	maxNodes     = 50
	maxComment   = 100
	minDelivery  = 30 * time.Second
	maxDelivery  = 2592000 * time.Second
	minExecution = 5 * time.Second
	maxExecution = 172800 * time.Second
)

// Send sends a command once, and returns its id. It repeats the request only after refusals that
// certainly had no effect. It names nodes as targets, so that one that has gone does not keep the
// command from the others; that one is missing from Poll's answers.
func (c *Client) Send(ctx context.Context, n dropcap.NodeCommand) (string, error) {
	if err := checkCommand(n); err != nil {
		return "", err
	}
	s, err := c.at(ctx, n.Place)
	if err != nil {
		return "", err
	}
	in := &ssm.SendCommandInput{
		DocumentName: &n.Document, Parameters: parameters(n),
		TimeoutSeconds: sdk.Int32(int32(n.Delivery / time.Second)),
		Targets:        []types.Target{{Key: sdk.String("InstanceIds"), Values: n.Nodes}},
		MaxConcurrency: sdk.String(everyNode), MaxErrors: sdk.String(everyNode),
	}
	if n.Comment != "" {
		in.Comment = &n.Comment
	}
	if n.Bucket != "" {
		in.OutputS3BucketName = &n.Bucket
	}
	if n.Prefix != "" {
		in.OutputS3KeyPrefix = &n.Prefix
	}
	t := s.task("ssm:SendCommand", "send a command to "+plural(len(n.Nodes), "a node", "%d nodes"))
	t.once, t.subject = true, n.Document
	out, err := ask(ctx, c, t, func(ctx context.Context) (*ssm.SendCommandOutput, error) {
		return s.ssm.SendCommand(ctx, in)
	})
	if err != nil {
		return "", err
	}
	if out.Command == nil || sdk.ToString(out.Command.CommandId) == "" {
		return "", dropcap.Errorf(dropcap.CodeError, "",
			"cannot %s: the answer does not name the command", t.what)
	}
	return *out.Command.CommandId, nil
}

// everyNode makes a wave run on all nodes at once, and keeps one node's failure from stopping the
// others. The default MaxErrors of 0 would stop them, and an exit status other than 0 counts.
const everyNode = "100%"

// parameters returns the document's parameters.
func parameters(n dropcap.NodeCommand) map[string][]string {
	if n.Document == packageDocument {
		return packageParameters(n.Package)
	}
	out := map[string][]string{"executionTimeout": {seconds(n.Execution)}}
	if n.Document == shellDocument {
		out["commands"] = n.Lines
		return out
	}
	out["verb"], out["request"], out["arguments"] = []string{n.Verb}, []string{n.Request},
		[]string{strings.Join(n.Args, " ")}
	return out
}

// packageParameters returns Distributor's parameters. Its document has no executionTimeout. The
// arguments of an uninstall reach the package's own script in the environment; the agent accepts
// names that begin with SSM_.
func packageParameters(p dropcap.PackageAction) map[string][]string {
	out := map[string][]string{"action": {"Install"}, "name": {p.Name}}
	if p.Version != "" {
		out["version"] = []string{p.Version}
	}
	if p.Uninstall {
		yes := map[bool]string{true: "yes", false: "no"}
		out["action"] = []string{"Uninstall"}
		out["additionalArguments"] = []string{`{"SSM_DROPCAP_FORCE":"` + yes[p.Force] +
			`","SSM_DROPCAP_PURGE":"` + yes[p.Purge] + `"}`}
	}
	return out
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// checkCommand finds what the service would refuse or, worse, misunderstand.
func checkCommand(n dropcap.NodeCommand) error {
	bad := func(format string, args ...any) error {
		return dropcap.Errorf(dropcap.CodeUsage, "", "cannot send a command: "+format, args...)
	}
	sorted := slices.Sorted(slices.Values(n.Nodes))
	strange := slices.IndexFunc(n.Nodes, func(id string) bool { return !nodeForm.MatchString(id) })
	split := slices.IndexFunc(n.Args, func(a string) bool {
		return a == "" || strings.ContainsAny(a, " \t\r\n")
	})
	switch {
	case len(n.Nodes) == 0 || len(n.Nodes) > maxNodes:
		return bad("it has %d nodes, and 1 to %d go at once", len(n.Nodes), maxNodes)
	case strange >= 0:
		return bad("%q is no node's id", oneLine(n.Nodes[strange]))
	case len(slices.Compact(sorted)) != len(n.Nodes):
		return bad("a node is named twice")
	case n.Document == "":
		return bad("it has no document")
	case utf8.RuneCountInString(n.Comment) > maxComment:
		return bad("its comment is longer than %d characters", maxComment)
	case n.Delivery < minDelivery || n.Delivery > maxDelivery:
		return bad("%s is no time for its delivery: it is %s to %s", n.Delivery, minDelivery,
			maxDelivery)
	case n.Execution < minExecution || n.Execution > maxExecution:
		return bad("%s is no time for its execution: it is %s to %s", n.Execution, minExecution,
			maxExecution)
	case n.Document == shellDocument && len(n.Lines) == 0:
		return bad("there is nothing to run")
	case (n.Document == packageDocument) != (n.Package.Name != ""):
		return bad("packages go by %s, and nothing else does", packageDocument)
	case n.Document != shellDocument && len(n.Lines) > 0:
		return bad("lines of a script go by %s only", shellDocument)
	case split >= 0:
		return bad("the argument %q has a space or is empty, and arguments go as one text",
			oneLine(n.Args[split]))
	case n.Bucket == "" && n.Prefix != "":
		return bad("it has a prefix and no bucket")
	}
	return nil
}

// Poll returns the state of a command on all nodes that it went to, sorted by node.
func (c *Client) Poll(ctx context.Context, p dropcap.Place,
	id string) ([]dropcap.Invocation, error) {
	s, err := c.at(ctx, p)
	if err != nil {
		return nil, err
	}
	var out []dropcap.Invocation
	in := &ssm.ListCommandInvocationsInput{CommandId: &id, MaxResults: sdk.Int32(pageSize)}
	t := s.task("ssm:ListCommandInvocations", fmt.Sprintf("see how command %s stands", oneLine(id)))
	for {
		page, err := ask(ctx, c, t,
			func(ctx context.Context) (*ssm.ListCommandInvocationsOutput, error) {
				return s.ssm.ListCommandInvocations(ctx, in)
			})
		if err != nil {
			return nil, err
		}
		for _, i := range page.CommandInvocations {
			out = append(out, dropcap.Invocation{Node: sdk.ToString(i.InstanceId),
				Status: detail(i.StatusDetails, string(i.Status))})
		}
		if sdk.ToString(page.NextToken) == "" {
			break
		}
		in.NextToken = page.NextToken
	}
	slices.SortFunc(out, func(a, b dropcap.Invocation) int {
		return strings.Compare(a.Node, b.Node)
	})
	return out, nil
}

// detail returns StatusDetails without the spaces that the service's guide has in some of them
// ("Delivery Timed Out").
func detail(details *string, status string) string {
	if d := strings.ReplaceAll(sdk.ToString(details), " ", ""); d != "" {
		return d
	}
	return status
}
