package flag

import (
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/wire"
)

// Look has the flags of requests that only read, or learn.
type Look struct {
	Fleet
	Level, Accept, Strategy string
	Containers, Workloads   []string
	Exports                 []string // of an audit
	Agentless, Merge        bool
	For                     time.Duration
}

// Check refuses what no host would accept.
func (f *Look) Check() error {
	f.Patience = max(f.Patience, 2*f.For)
	if f.Level != "" && f.Level != string(dropcap.LevelCIS) &&
		f.Level != string(dropcap.LevelLeast) {
		return dropcap.Errorf(dropcap.CodeUsage, "the levels are cis and least",
			"cannot judge at level %q", f.Level)
	}
	if _, err := (&Plan{Accept: f.Accept, Strategy: f.Strategy}).Options(); err != nil {
		return err
	}
	for _, v := range f.Containers {
		if wire.Container.Check(v) != nil {
			return dropcap.Errorf(dropcap.CodeUsage,
				"a container's name begins with a letter or a digit, and has "+
					"letters, digits and _.- only", "cannot send %q to hosts", v)
		}
	}
	for _, v := range f.Workloads {
		if wire.Workload.Check(v) != nil {
			return dropcap.Errorf(dropcap.CodeUsage,
				"a workload begins with a letter or a digit, and has letters, "+
					"digits and _.,:/@=+%- only", "cannot send %q to hosts", v)
		}
	}
	return nil
}

// Choose adds the flags that say what to judge, and how.
func (f *Look) Choose(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Level, "level", "",
		"cis or least (default: each host's policy, else cis)")
	cmd.Flags().StringArrayVar(&f.Containers, "container", nil,
		"only containers of this name; may be repeated")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("level",
		cobra.FixedCompletions([]string{"cis", "least"}, cobra.ShellCompDirectiveNoFileComp)))
}

// Args returns the arguments for the hosts.
func (f *Look) Args() wire.Args {
	return wire.Args{
		Level: dropcap.Level(f.Level), Containers: f.Containers, Workloads: f.Workloads,
		AcceptLow: f.Accept != "", Strategy: dropcap.Strategy(f.Strategy), For: f.For,
	}
}

// Run is what hosts are asked.
func (f *Look) Run(verb string) dropcap.FleetRun {
	return dropcap.FleetRun{Verb: verb, Args: wire.Words(verb, f.Args())}
}
