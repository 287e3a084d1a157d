package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// Scripted runs the same lines on nodes that need not have dropcap, through AWS-RunShellScript.
// There are no receipts: it is for what may be repeated.
type Scripted struct {
	*Engine
	Lines   []string
	Comment string
	// Package, if it has a name, is sent with Distributor's document instead of lines.
	Package dropcap.PackageAction
	// Judge says that the caller also wants outputs with an exit status other than 0.
	Judge bool
}

// ScriptResult is a node's output, or why there is none.
type ScriptResult struct {
	Node    dropcap.Node
	Host    string
	Output  dropcap.NodeOutput
	Failure *dropcap.HostFailure
}

// Last returns the last line of the output.
func (r ScriptResult) Last() string {
	lines := strings.Split(strings.TrimRight(r.Output.Stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

// Commands returns what would be sent.
func (s Scripted) Commands(nodes []dropcap.Node) []dropcap.NodeCommand {
	pace := s.Pace.filled()
	byPlace, order := map[dropcap.Place][]string{}, []dropcap.Place{}
	for _, n := range nodes {
		if unable(n) != nil {
			continue
		}
		if byPlace[n.Place] == nil {
			order = append(order, n.Place)
		}
		byPlace[n.Place] = append(byPlace[n.Place], n.ID)
	}
	var list []dropcap.NodeCommand
	for _, p := range order {
		for ids := range slices.Chunk(byPlace[p], most) {
			c := dropcap.NodeCommand{Place: p, Nodes: ids, Document: ShellDocument, Lines: s.Lines,
				Comment:  s.Comment,
				Delivery: pace.Delivery, Execution: pace.Execution}
			if s.Package.Name != "" {
				c.Document, c.Lines, c.Package = PackageDocument, nil, s.Package
			} else if s.Transport.Bucket != "" {
				c.Bucket, c.Prefix = s.Transport.Bucket, s.Transport.Prefix
			}
			list = append(list, c)
		}
	}
	return list
}

// Do sends the lines and waits for what the nodes print.
func (s Scripted) Do(ctx context.Context, nodes []dropcap.Node) ([]ScriptResult, error) {
	results := map[string]*ScriptResult{}
	var list []*ScriptResult
	for _, n := range nodes {
		r := &ScriptResult{Node: n, Host: n.Host(), Failure: unable(n)}
		results[r.Host] = r
		list = append(list, r)
	}
	for _, c := range s.Commands(nodes) {
		id, err := s.send(ctx, c)
		if err != nil {
			return nil, err
		}
		if err := s.gather(ctx, c, id, results); err != nil {
			return nil, err
		}
	}
	out := make([]ScriptResult, len(list))
	for i, r := range list {
		out[i] = *r
	}
	return out, nil
}

// send sends a command, again if it is unknown whether it was sent.
func (s Scripted) send(ctx context.Context, c dropcap.NodeCommand) (string, error) {
	pace := s.Pace.filled()
	for asks := 1; ; asks++ {
		id, err := s.Carrier.Send(ctx, c)
		if !errors.Is(err, dropcap.ErrTemporary) || asks >= pace.Asks {
			return id, err
		}
		if err := s.Clock.Sleep(ctx, pace.Poll); err != nil {
			return "", err
		}
	}
}

// gather waits for one command.
func (s Scripted) gather(ctx context.Context, c dropcap.NodeCommand, id string,
	results map[string]*ScriptResult) error {
	pace := s.Pace.filled()
	waiting := map[string]bool{}
	for _, n := range c.Nodes {
		waiting[n] = true
	}
	wait, began := pace.Poll, s.Clock.Now()
	until, told := began.Add(c.Delivery+c.Execution), began
	for len(waiting) > 0 {
		if now := s.Clock.Now(); now.Sub(told) >= pace.Say {
			told = now
			s.waits(waiting, len(c.Nodes), began)
		}
		if err := s.Clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(wait*3/2, 10*pace.Poll)
		list, err := s.Carrier.Poll(ctx, c.Place, id)
		if err != nil && !errors.Is(err, dropcap.ErrTemporary) {
			return err
		}
		late := s.Clock.Now().After(until)
		for _, i := range list {
			if !waiting[i.Node] || !i.Over() && !late {
				continue
			}
			r := results[c.Place.String()+"/"+i.Node]
			if err := s.read(ctx, c, id, i, r); errors.Is(err, dropcap.ErrTemporary) && !late {
				continue
			}
			delete(waiting, i.Node)
		}
		if late {
			for n := range waiting {
				results[c.Place.String()+"/"+n].fail("unanswered",
					"the service does not tell how the command ended", "")
			}
			return nil
		}
	}
	return nil
}

// waits says which nodes have not answered, and since when.
func (s Scripted) waits(waiting map[string]bool, of int, began time.Time) {
	ids := slices.Sorted(maps.Keys(waiting))
	if more := len(ids) - maxNamed; more > 0 {
		ids = append(ids[:maxNamed], fmt.Sprintf("%d more", more))
	}
	verb := strings.TrimPrefix(s.Comment, "dropcap ")
	s.tell(Progress{Run: dropcap.FleetRun{Verb: verb}, Done: of - len(waiting), Total: of,
		Waits: true,
		Note: fmt.Sprintf("waiting for %s for %s (since %s)", strings.Join(ids, ", "),
			s.Clock.Now().Sub(began).Round(time.Second), began.UTC().Format("15:04:05Z"))})
}

func (r *ScriptResult) fail(cause, message, hint string) {
	r.Failure = &dropcap.HostFailure{Host: r.Host, Cause: cause, Message: message, Hint: hint}
}

func (s Scripted) read(ctx context.Context, c dropcap.NodeCommand, id string, i dropcap.Invocation,
	r *ScriptResult) error {
	if !printed(i.Status) {
		r.fail("offline", "the command could not be delivered ("+printable.Line(i.Status)+")",
			"see that the instance runs and amazon-ssm-agent answers")
		return nil
	}
	o, err := s.Carrier.Output(ctx, c, id, i.Node)
	switch {
	case err != nil:
		r.fail("unanswered", printable.Line(err.Error()), "")
		return err
	case o.Status != "Success" && i.Status != "Success" && s.Package.Name != "":
		r.Failure = s.undone(r.Host, o.Stderr)
		return nil
	case o.Status != "Success" && i.Status != "Success" && !(s.Judge && o.Status == "Failed" &&
		o.Exit > 0):
		lines := strings.Split(strings.TrimSpace(o.Stderr), "\n")
		message := lines[0]
		if m := errorLine().FindStringSubmatch(o.Stderr); m != nil {
			message = m[1]
		}
		r.fail("error", printable.Line(message), "")
		return nil
	}
	r.Output, r.Failure = o, nil
	return nil
}
