package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
)

func (a *app) fleetUninstall() *cobra.Command {
	f := &fleetInstallCommand{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take dropcap off hosts",
		Long: `Remove the binary, its units and its configuration from hosts; with --purge the
store too, and its documents where --targets all is given. A host that retains containers of
changes for their backout is left alone: prune or back out first. What came by Distributor goes by
--distributor NAME, and with --purge and --targets all that package of the account too.
` + fleetExitHelp,
		Example: `  dropcap fleet uninstall --targets tag:role=web
  dropcap fleet uninstall --targets all --purge --yes
  dropcap fleet uninstall --distributor dropcap --targets tag:role=web`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runFleetUninstall(cmd.Context(), f)
		},
	}
	f.Fleet.Register(cmd.Flags(), fleetStore(), true)
	cmd.Flags().BoolVar(&f.purge, "purge", false,
		"also the store: evidence and history are gone then")
	cmd.Flags().BoolVar(&f.force, "force", false, "also where changes could be backed out still")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&f.distributor, "distributor", "",
		"through Distributor, by this package of the account")
	return cmd
}

func (a *app) runFleetUninstall(ctx context.Context, f *fleetInstallCommand) error {
	if err := f.checkPackage(); err != nil {
		return err
	}
	c, err := a.control(ctx, &f.Fleet)
	if err != nil {
		return err
	}
	defer c.close()
	nodes, failures, err := c.find(ctx, &f.Fleet)
	if err != nil {
		return err
	}
	if !f.yes && !f.PrintAWS {
		if err := a.confirm(ctx, fmt.Sprintf("Remove dropcap from %s?",
			printable.Count(len(nodes), "host"))); err != nil {
			return err
		}
	}
	if f.distributor != "" {
		err = c.byPackage(ctx, f, nodes, failures, dropcap.PackageAction{Uninstall: true,
			Name: f.distributor, Purge: f.purge, Force: f.force})
	} else {
		err = c.script(ctx, f, nodes, failures, fleet.UninstallLines(f.purge, f.force), "uninstall")
	}
	if t, _ := fleet.ParseTargets(f.Targets); err != nil || !f.purge || !t.All || f.PrintAWS {
		return err
	}
	for _, p := range c.places {
		for _, d := range append(fleet.Documents(), fleet.ConsoleDocuments()...) {
			if err := c.client.RemoveDocument(ctx, p, d.Name); err != nil {
				return err
			}
		}
		if f.distributor != "" && !strings.HasPrefix(f.distributor, "arn:") {
			// another account's is not ours to remove
			if err := c.client.RemovePackage(ctx, p, f.distributor); err != nil {
				return err
			}
		}
	}
	return nil
}

// script runs lines on nodes once and tells each host's last line. It changes no container, so it
// needs no receipt: doing it again is harmless.
func (c *control) script(ctx context.Context, f *fleetInstallCommand, nodes []dropcap.Node,
	failures []dropcap.HostFailure, lines []string, what string) error {
	ask := fleet.Scripted{Engine: c.Engine, Lines: lines, Comment: "dropcap " + what}
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
	return c.outcome(results, failures, what)
}

// outcome tells each host's last line, or why there is none.
func (c *control) outcome(results []fleet.ScriptResult, failures []dropcap.HostFailure,
	what string) error {
	good := 0
	for _, r := range results {
		if r.Failure != nil {
			failures = append(failures, *r.Failure)
			continue
		}
		good++
		fmt.Fprintf(c.app.out, "%s: %s\n", r.Host, oneLine(r.Last()))
	}
	for _, x := range failures {
		c.app.warn(fmt.Errorf("%s: %s%s", x.Host, x.Message, asHint(x.Hint)))
		c.app.status = dropcap.Worst(c.app.status, dropcap.ExitIncomplete)
	}
	if good == 0 && len(failures) > 0 {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot %s dropcap on any host", what)
	}
	return nil
}
