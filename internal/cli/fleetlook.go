package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/flag"
	"dropcap/internal/fleet"
	"dropcap/internal/render"
	"dropcap/internal/wire"
)

type fleetLookCommand struct {
	fleetFlags
	outputFlags
	level, accept, strategy string
	containers, workloads   []string
	exports                 []string
	agentless, merge        bool
	span                    time.Duration
}

// look makes a command that asks each host once.
func (a *app) look(verb, use, short, long, example string,
	register func(*cobra.Command, *fleetLookCommand), do func(context.Context, *control,
		*fleetLookCommand) error) *cobra.Command {
	f := &fleetLookCommand{}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + fleetExitHelp, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			c, err := a.control(ctx, &f.fleetFlags)
			if err != nil {
				return err
			}
			defer c.close()
			return do(ctx, c, f)
		},
	}
	f.fleetFlags.register(cmd.Flags(), true)
	f.outputFlags.register(cmd, render.FleetFormats(verb), render.FleetFormats(verb)[0])
	if verb == "audit" {
		cmd.Flags().Lookup("quiet").Usage = "show node and container ids only; wins over " +
			"--format, as in docker"
	} else {
		noQuiet(cmd)
	}
	register(cmd, f)
	return cmd
}

func (f *fleetLookCommand) check() error {
	f.patience = max(f.patience, 2*f.span)
	if f.level != "" && f.level != string(dropcap.LevelCIS) &&
		f.level != string(dropcap.LevelLeast) {
		return usageError("the levels are cis and least", "cannot judge at level %q", f.level)
	}
	if _, err := (&flag.Plan{Accept: f.accept, Strategy: f.strategy}).Options(); err != nil {
		return err
	}
	for _, v := range f.containers {
		if wire.Container.Check(v) != nil {
			return usageError("a container's name begins with a letter or a digit, and has "+
				"letters, digits and _.- only", "cannot send %q to hosts", v)
		}
	}
	for _, v := range f.workloads {
		if wire.Workload.Check(v) != nil {
			return usageError("a workload begins with a letter or a digit, and has letters, "+
				"digits and _.,:/@=+%- only", "cannot send %q to hosts", v)
		}
	}
	return nil
}

func levelFlags(cmd *cobra.Command, f *fleetLookCommand) {
	cmd.Flags().StringVar(&f.level, "level", "",
		"cis or least (default: each host's policy, else cis)")
	cmd.Flags().StringArrayVar(&f.containers, "container", nil,
		"only containers of this name; may be repeated")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("level",
		cobra.FixedCompletions([]string{"cis", "least"}, cobra.ShellCompDirectiveNoFileComp)))
}

// args are what hosts are told.
func (f *fleetLookCommand) args() wire.Args {
	return wire.Args{
		Level: dropcap.Level(f.level), Containers: f.containers, Workloads: f.workloads,
		AcceptLow: f.accept != "", Strategy: dropcap.Strategy(f.strategy), For: f.span,
	}
}

// run is what hosts are asked.
func (f *fleetLookCommand) run(verb string) dropcap.FleetRun {
	return dropcap.FleetRun{Verb: verb, Args: wire.Words(verb, f.args())}
}

func (a *app) fleetAudit() *cobra.Command {
	return a.look("audit", "audit", "Tell what the containers of many hosts may really do",
		`Audit each host by its own policy, and show all of it with a column for the host. A host
that cannot be asked is told, never passed over.

--agentless needs no dropcap on the hosts: it sends the benchmark's own one-liner. The kernel is
not seen then, so no container passes. --export security-hub and --export ssm-compliance also put
the findings there; done twice, it changes nothing.
`, `  dropcap fleet audit --targets all
  dropcap fleet audit --targets tag:role=web --format html=fleet.html --format sarif=fleet.sarif
  dropcap fleet audit --targets group:shop --export security-hub
  dropcap fleet audit --targets all --agentless
  dropcap fleet audit --targets i-0123456789abcdef0 --print-aws`,
		func(cmd *cobra.Command, f *fleetLookCommand) {
			levelFlags(cmd, f)
			cmd.Flags().BoolVar(&f.agentless, "agentless", false,
				"send the benchmark's own command; dropcap need not be installed")
			cmd.Flags().StringSliceVar(&f.exports, "export", nil,
				"security-hub, ssm-compliance; may be repeated")
			cobra.CheckErr(cmd.RegisterFlagCompletionFunc("export",
				cobra.FixedCompletions([]string{"security-hub", "ssm-compliance"},
					cobra.ShellCompDirectiveNoFileComp)))
		},
		func(ctx context.Context, c *control, f *fleetLookCommand) error {
			if err := checkExports(f.exports); err != nil {
				return err
			}
			if f.agentless && len(f.containers) > 0 {
				return usageError("leave one of them out",
					"cannot choose by --container with --agentless: it does not see names")
			}
			if f.agentless {
				return c.agentless(ctx, f)
			}
			run, hosts, err := c.do(ctx, &f.fleetFlags, f.run("audit"), &f.outputFlags)
			if err != nil || f.printAWS {
				return err
			}
			return c.export(ctx, f.exports, run, hosts, len(f.containers) == 0)
		})
}

func (a *app) fleetPlan() *cobra.Command {
	cmd := a.look("plan", "plan", "Let many hosts plan, and show equal plans as one",
		`Each host plans for itself and keeps its plan. Equal plans are shown as one. Nothing is
changed. What is printed last, the run's id, is what "dropcap fleet apply" takes: it sends each
host the id and digest of its own plan, so that exactly what was shown is applied, or refused.
`, `  dropcap fleet plan --targets tag:role=web
  dropcap fleet plan --targets all --level least --format json=plans.json`,
		func(cmd *cobra.Command, f *fleetLookCommand) {
			levelFlags(cmd, f)
			cmd.Flags().StringVar(&f.accept, "accept", "",
				"low: let evidence of low confidence, or none, decide")
			cmd.Flags().StringVar(&f.strategy, "strategy", "",
				"recreate, in-place, source or manual (default: as each container's owner does it)")
		},
		func(ctx context.Context, c *control, f *fleetLookCommand) error {
			run, hosts, err := c.do(ctx, &f.fleetFlags, f.run("plan"), &f.outputFlags)
			if err == nil && !f.printAWS && len(fleet.ResultOf(run, hosts).Documents) > 0 {
				c.app.hintRun("apply it with", "apply", run)
			}
			return err
		})
	return cmd
}

func (a *app) fleetLearn() *cobra.Command {
	return a.look("learn", "learn", "Record on many hosts which capabilities containers really use",
		`Each host records for the time of --for, all at once, and keeps the evidence. "dropcap
fleet evidence" gets it from there.
`, `  dropcap fleet learn --targets tag:role=web --for 1h`,
		func(cmd *cobra.Command, f *fleetLookCommand) {
			cmd.Flags().DurationVar(&f.span, "for", 10*time.Minute, "record for this long")
		},
		func(ctx context.Context, c *control, f *fleetLookCommand) error {
			if f.span < time.Second {
				return usageError("for example --for 10m", "cannot learn for %s", f.span)
			}
			_, _, err := c.do(ctx, &f.fleetFlags, f.run("learn"), &f.outputFlags)
			return err
		})
}

func (a *app) fleetHistory() *cobra.Command {
	return a.look("history", "history", "Show the changes of many hosts",
		"List the changes that were made on each host, the newest first.\n",
		`  dropcap fleet history --targets all`, func(*cobra.Command, *fleetLookCommand) {},
		func(ctx context.Context, c *control, f *fleetLookCommand) error {
			_, _, err := c.do(ctx, &f.fleetFlags, f.run("history"), &f.outputFlags)
			return err
		})
}
