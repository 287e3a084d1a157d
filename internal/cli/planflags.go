package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/host"
	"dropcap/internal/plan"
)

// planFlags say what is planned: the flags that plan and apply share.
type planFlags struct {
	policy, level, store, accept, strategy string
	deprivilege, discardLayer, inPlace     bool
	ifPresent                              bool // --if-present
	noFiles                                bool // --no-source-files
	filters                                []string
	// what printed commands call the file with the environment
	envFile string
}

func (f *planFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.StringVar(&f.level, "level", "",
		"how much to drop: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.accept, "accept", "", "low: let evidence of low confidence, or none, decide")
	fl.StringVar(&f.strategy, "strategy", "",
		"recreate, in-place, source or manual (default: as the container's owner does it)")
	fl.BoolVar(&f.inPlace, "in-place", false, "the same as --strategy in-place")
	fl.BoolVar(&f.deprivilege, "deprivilege", false,
		"make privileged containers ordinary ones with capabilities; the plan says what else goes")
	fl.BoolVar(&f.discardLayer, "discard-layer", false,
		"what was written into a container's own layer may be lost")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.BoolVar(&f.noFiles, "no-source-files", false, "refuse to edit a file of an owner")
	cobra.CheckErr(fl.MarkHidden("no-source-files"))
	fl.StringArrayVarP(&f.filters, "filter", "f", nil,
		"docker's filters (name=, label=, status=, …) and owner=")
}

// options reads the flags before anything is asked.
func (f *planFlags) options() (plan.Options, error) {
	o := plan.Options{AcceptLow: f.accept == "low", Deprivilege: f.deprivilege, NoFiles: f.noFiles,
		Strategy: dropcap.Strategy(f.strategy)}
	if f.accept != "" && f.accept != "low" {
		return o, usageError("for example --accept low", "cannot accept confidence %q", f.accept)
	}
	switch o.Strategy {
	case "", dropcap.StrategyRecreate, dropcap.StrategyInPlace, dropcap.StrategySource,
		dropcap.StrategyManual:
	default:
		return o, usageError("recreate, in-place, source or manual", "cannot use the strategy %q",
			f.strategy)
	}
	if f.inPlace {
		if o.Strategy != "" && o.Strategy != dropcap.StrategyInPlace {
			return o, usageError("give one of them",
				"cannot use --in-place together with --strategy %s", f.strategy)
		}
		o.Strategy = dropcap.StrategyInPlace
	}
	return o, nil
}

// request is what the flags ask of the host.
func (a *app) planRequest(ctx context.Context, names []string,
	f *planFlags) (host.PlanRequest, error) {
	q := host.PlanRequest{DiscardLayer: f.discardLayer, EnvFile: f.envFile}
	var err error
	if q.Options, err = f.options(); err != nil {
		return q, err
	}
	if q.Policy, err = a.loadPolicy(ctx, f.policy, f.level); err != nil {
		return q, err
	}
	q.Names, q.IfPresent = names, f.ifPresent
	q.Filters, q.Owners, err = planFilters(f.filters)
	return q, err
}

// planFilters parts docker's filters from ours, of which owner= is the only one for containers that
// were not judged.
func planFilters(list []string) (engine []string, owners []string, err error) {
	engine, own, err := audit.SplitFilters(list)
	if err != nil {
		return nil, nil, err
	}
	for key := range own {
		if key != "owner" {
			return nil, nil, usageError("use docker's filters, or owner=",
				"cannot plan by the filter %s=: it is of audit", key)
		}
	}
	return engine, own["owner"], nil
}
