package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
	"dropcap/internal/render"
)

func (a *app) fleetAudit() *cobra.Command {
	return a.look("audit", &cobra.Command{
		Use: "audit", Short: "Tell what the containers of many hosts may really do",
		Long: `Audit each host by its own policy, and show all of it with a column for the host. A
host that cannot be asked is told, never passed over.

--agentless needs no dropcap on the hosts: it sends the benchmark's own one-liner. The kernel is
not seen then, so no container passes. --export security-hub and --export ssm-compliance also put
the findings there; done twice, it changes nothing.
`,
		Example: `  dropcap fleet audit --targets all
  dropcap fleet audit --targets tag:role=web --format html=fleet.html --format sarif=fleet.sarif
  dropcap fleet audit --targets group:shop --export security-hub
  dropcap fleet audit --targets all --agentless
  dropcap fleet audit --targets i-0123456789abcdef0 --print-aws`,
	},
		func(cmd *cobra.Command, f *fleetLook) {
			f.Choose(cmd)
			cmd.Flags().BoolVar(&f.Agentless, "agentless", false,
				"send the benchmark's own command; dropcap need not be installed")
			cmd.Flags().StringSliceVar(&f.Exports, "export", nil,
				"security-hub, ssm-compliance; may be repeated")
			cobra.CheckErr(cmd.RegisterFlagCompletionFunc("export",
				cobra.FixedCompletions([]string{"security-hub", "ssm-compliance"},
					cobra.ShellCompDirectiveNoFileComp)))
		},
		func(ctx context.Context, c *control, f *fleetLook) error {
			if err := checkExports(f.Exports); err != nil {
				return err
			}
			if f.Agentless && len(f.Containers) > 0 {
				return usageError("leave one of them out",
					"cannot choose by --container with --agentless: it does not see names")
			}
			if f.Agentless {
				return c.agentless(ctx, f)
			}
			run, hosts, err := c.do(ctx, &f.Fleet, f.Run("audit"), &f.outputFlags)
			if err != nil || f.PrintAWS {
				return err
			}
			return c.export(ctx, f.Exports, run, hosts, len(f.Containers) == 0)
		})
}

func checkExports(list []string) error {
	for _, e := range list {
		if e != "security-hub" && e != "ssm-compliance" {
			return usageError("security-hub or ssm-compliance", "cannot export to %q", e)
		}
	}
	return nil
}

// export puts an audit's findings where AWS shows them. What is refused there keeps nothing else
// from it, and makes the result incomplete.
func (c *control) export(ctx context.Context, to []string, run dropcap.FleetRun,
	hosts []dropcap.FleetHost, whole bool) error {
	doc := fleet.ResultOf(run, hosts)
	for _, e := range to {
		var err error
		if e == "security-hub" {
			err = c.toSecurityHub(ctx, doc, whole)
		} else {
			err = c.toCompliance(ctx, doc)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// generator is what GeneratorId begins with in all findings of ours.
const generator = "dropcap/"

func (c *control) toSecurityHub(ctx context.Context, doc dropcap.Fleet, whole bool) error {
	for _, p := range c.places {
		current, err := fleet.ASFF(doc, p, "", time.Now())
		if err != nil {
			return err
		}
		existing, err := c.client.ActiveFindings(ctx, p, generator)
		if err != nil {
			return err
		}
		gone := fleet.Resolved(existing, current, doc, whole, time.Now())
		n, err := c.client.ImportFindings(ctx, p, append(fleet.Continued(existing, current),
			gone...))
		if err = c.refused(err); err != nil {
			return err
		}
		fmt.Fprintf(c.app.err, "%s: Security Hub: %s, %d of them archived since they are gone\n", p,
			printable.Count(n, "finding"), len(gone))
	}
	return nil
}

// refused tells of an error that is about one thing among many, and lets the others go on: one host
// must not decide for all.
func (c *control) refused(err error) error {
	if cause := aws.Cause(err); err == nil || cause != "refused" && cause != "aws" {
		return err
	}
	c.app.warn(err)
	c.app.status = dropcap.Worst(c.app.status, dropcap.ExitIncomplete)
	return nil
}

func (c *control) toCompliance(ctx context.Context, doc dropcap.Fleet) error {
	places := map[string]dropcap.Place{}
	for _, p := range c.places {
		places[p.String()] = p
	}
	n := 0
	for _, one := range fleet.Compliance(doc, time.Now()) {
		place, ok := places[dropcap.PlaceOf(one.Host)]
		if !ok {
			continue
		}
		items := make([]aws.ComplianceItem, 0, len(one.Items))
		for _, i := range one.Items {
			items = append(items, aws.ComplianceItem{ID: i.Id, Title: i.Title, Severity: i.Severity,
				Status: i.Status, Details: i.Details})
		}
		err := c.client.PutCompliance(ctx, place, dropcap.NodeOf(one.Host), items,
			one.ItemContentHash)
		if err == nil {
			n++
		}
		if err = c.refused(err); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.app.err, "SSM Compliance: %s\n", printable.Count(n, "node"))
	return nil
}

// agentless audits by the benchmark's own command.
func (c *control) agentless(ctx context.Context, f *fleetLook) error {
	targets, err := f.outputFlags.targets(checkFleet("audit"))
	if err != nil {
		return err
	}
	pol, err := c.app.loadPolicy(ctx, "", f.Level)
	if err != nil {
		return err
	}
	nodes, failures, err := c.find(ctx, &f.Fleet)
	if err != nil {
		return err
	}
	ask := fleet.Scripted{Engine: c.Engine, Lines: fleet.AgentlessLines(),
		Comment: "dropcap audit --agentless", Judge: true}
	if f.PrintAWS {
		for _, cmd := range ask.Commands(nodes) {
			fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
		}
		return nil
	}
	results, err := ask.Do(ctx, nodes)
	if err != nil {
		return err
	}
	var hosts []dropcap.FleetHost
	for _, x := range failures {
		hosts = append(hosts, dropcap.FleetHost{Host: x.Host, Failure: &x})
	}
	for _, r := range results {
		hosts = append(hosts, judgedFrom(r, pol))
	}
	run := dropcap.FleetRun{Verb: "audit", Targets: f.Fleet.Targets,
		Args: []string{"--agentless"}, State: dropcap.RunDone, Hosts: len(nodes)}
	doc := fleet.ResultOf(run, hosts)
	c.app.status = fleet.StatusCode(doc)
	if err := c.app.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Fleet(w, format, doc, o)
	}, f.outputFlags); err != nil {
		return err
	}
	return c.export(ctx, f.Exports, run, hosts, true)
}

// judgedFrom judges what a node printed of its containers' declarations.
func judgedFrom(r fleet.ScriptResult, pol dropcap.Policy) dropcap.FleetHost {
	h := dropcap.FleetHost{Host: r.Host, Name: r.Node.Name, Failure: r.Failure}
	if h.Failure != nil {
		return h
	}
	snap, err := fleet.Agentless(r.Node, r.Output, time.Now())
	if err != nil {
		e := dropcap.AsError(err)
		h.Failure = &dropcap.HostFailure{Host: r.Host, Cause: "unreadable",
			Message: oneLine(e.Message), Hint: e.Hint}
		return h
	}
	raw, err := json.Marshal(audit.Judge(snap, audit.Options{Policy: pol, Now: time.Now()}))
	if err != nil {
		h.Failure = &dropcap.HostFailure{Host: r.Host, Cause: "error", Message: err.Error()}
		return h
	}
	foreign.Take(&h, dropcap.Receipt{Schema: dropcap.SchemaReceipt, State: dropcap.ReceiptDone,
		Document: raw})
	return h
}
