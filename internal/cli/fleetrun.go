package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/wire"
)

// start begins a run on the targets. Failures are of nodes that could not be found.
func (c *control) start(ctx context.Context, f *fleetFlags, run dropcap.FleetRun,
	extra func(string) []string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	nodes, failures, err := c.find(ctx, f)
	if err != nil {
		return run, nil, err
	}
	run.Targets = f.targets
	run, hosts, err := c.Start(ctx, run, nodes, extra)
	if err != nil {
		return run, hosts, err
	}
	for _, x := range failures {
		hosts = append(hosts, dropcap.FleetHost{Host: x.Host, Failure: &x})
	}
	return run, hosts, c.Ledger.SaveHosts(ctx, run.ID, hosts)
}

// do starts a run, does it, and prints what came of it.
func (c *control) do(ctx context.Context, f *fleetFlags, run dropcap.FleetRun,
	out *outputFlags) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	targets, err := out.targets(checkFleet(run.Verb))
	if err != nil {
		return run, nil, err
	}
	run, hosts, err := c.start(ctx, f, run, nil)
	if err != nil {
		return run, hosts, err
	}
	if f.printAWS {
		return run, hosts, c.printAWS(run, hosts)
	}
	unlock, err := c.store.LockRun(run.ID)
	if err != nil {
		return run, hosts, err
	}
	defer unlock()
	return c.finish(ctx, run, hosts, targets, out)
}

// finish does a run that was started, and prints what came of it.
func (c *control) finish(ctx context.Context, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	targets []target, out *outputFlags) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	run, hosts, err := c.Go(ctx, run, hosts, c.places)
	c.app.clearLine()
	if err != nil {
		return run, hosts, interrupted(ctx, run, err)
	}
	c.app.finished = true
	doc := fleet.ResultOf(run, hosts)
	c.app.status = dropcap.Worst(c.app.status, fleet.StatusCode(doc))
	if wire.Changes(run.Verb) { // what was left as it is stands in no document
		c.app.status = dropcap.Worst(c.app.status, fleet.StatusOf(run, hosts))
		c.app.warned(hosts)
	}
	now, err := fleet.Since(ctx, c.Ledger, run, hosts)
	if err != nil {
		return run, hosts, err
	}
	doc = fleet.ResultOf(run, now)
	err = c.app.print(targets, func(w io.Writer, format string, o render.Options) error {
		return render.Fleet(w, format, doc, o)
	}, *out)
	if err == nil {
		err = c.app.nowhere(doc)
	}
	return run, hosts, err
}

// mostWarnings is how many different warnings of hosts are shown; containers make them up.
const mostWarnings = 20

// warned tells what hosts warned of.
func (a *app) warned(hosts []dropcap.FleetHost) {
	list := fleet.Warned(hosts)
	for _, w := range list[:min(len(list), mostWarnings)] {
		where := w.Hosts[0]
		if more := len(w.Hosts) - 1; more > 0 {
			where += " and " + printable.Count(more, "other")
		}
		a.warn(fmt.Errorf("%s: %s", where, w.Text))
	}
	if more := len(list) - mostWarnings; more > 0 {
		a.warn(fmt.Errorf("%d more like these: `dropcap fleet status RUN --format json` has them "+
			"all", more))
	}
}

// nowhere tells of names that no host has. Where all hosts have answered it is the error that it is
// on one host.
func (a *app) nowhere(doc dropcap.Fleet) error {
	names, answered := fleet.Nowhere(doc)
	if len(names) == 0 {
		return nil
	}
	what, hint := "a container named ",
		"`dropcap fleet audit` without --container shows those that there are"
	if doc.Run.Verb == "evidence" {
		what, hint = "evidence of ",
			"`dropcap fleet evidence` without --workload shows what there is; `dropcap fleet "+
				"learn` records it"
	}
	err := dropcap.Errorf(dropcap.CodeError, hint, "cannot find %s%s on any of %s", what,
		quoted(names), printable.Count(answered, "host"))
	if len(doc.Failures) == 0 {
		return err
	}
	a.warn(fmt.Errorf("%w, and others did not answer%s", err, asHint(hint)))
	a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
	return nil
}

// quoted lists names that a person gave.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = strconv.Quote(n)
	}
	return strings.Join(list, ", ")
}

// printAWS prints what would be sent, as the aws command takes it.
func (c *control) printAWS(run dropcap.FleetRun, hosts []dropcap.FleetHost) error {
	list, err := c.Commands(run, hosts, c.places)
	if err != nil {
		return err
	}
	for _, cmd := range list {
		fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
	}
	return nil
}

// checkFleet checks formats of a verb's results.
func checkFleet(verb string) func(string) error {
	return func(format string) error { return render.CheckFleetFormat(verb, format) }
}

// hintRun says what a run's id is for.
func (a *app) hintRun(what, verb string, run dropcap.FleetRun) {
	fmt.Fprintf(a.err, "run %s; %s: dropcap fleet %s %s\n", run.ID, what, verb, run.ID)
}
