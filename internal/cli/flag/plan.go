package flag

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/plan"
	"dropcap/internal/recreate"
)

// Plan has the flags that plan and apply share.
type Plan struct {
	Policy, Level, Store string
	Accept, Strategy     string
	DiscardLayer         bool
	carryLimit           size
	IfPresent            bool   // --if-present, which Register does not add
	EnvFile              string // the environment file in printed commands

	deprivilege, inPlace bool
	noFiles              bool // --no-source-files
	filters              []string
}

// Register adds the flags; store is the usual folder of the store.
func (f *Plan) Register(fl *pflag.FlagSet, store string) {
	fl.StringVar(&f.Policy, "policy", "", "policy file (default: as for audit)")
	fl.StringVar(&f.Level, "level", "",
		"how much to drop: cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.Accept, "accept", "", "low: let evidence of low confidence, or none, decide")
	fl.StringVar(&f.Strategy, "strategy", "",
		"recreate, in-place, source or manual (default: as the container's owner does it)")
	fl.BoolVar(&f.inPlace, "in-place", false, "the same as --strategy in-place")
	fl.BoolVar(&f.deprivilege, "deprivilege", false,
		"make privileged containers ordinary ones with capabilities; the plan says what else goes")
	fl.BoolVar(&f.DiscardLayer, "discard-layer", false,
		"what was written into a container's own layer may be lost: do not carry it along")
	f.carryLimit = recreate.DefaultCarryLimit
	fl.Var(&f.carryLimit, "carry-limit",
		"carry along so much of a container's own layer; a larger one is asked about, or refused")
	fl.StringVar(&f.Store, "store", store, "the folder of the store")
	fl.BoolVar(&f.noFiles, "no-source-files", false, "refuse to edit a file of an owner")
	cobra.CheckErr(fl.MarkHidden("no-source-files"))
	fl.StringArrayVarP(&f.filters, "filter", "f", nil,
		"docker's filters (name=, label=, status=, …) and owner=")
}

// CarryLimit is the size of a container's own layer that is copied without asking, in bytes.
func (f *Plan) CarryLimit() int64 { return int64(f.carryLimit) }

// Options reads the flags before anything is asked.
func (f *Plan) Options() (plan.Options, error) {
	o := plan.Options{AcceptLow: f.Accept == "low", Deprivilege: f.deprivilege, NoFiles: f.noFiles,
		Strategy: dropcap.Strategy(f.Strategy)}
	if f.Accept != "" && f.Accept != "low" {
		return o, dropcap.Errorf(dropcap.CodeUsage, "for example --accept low",
			"cannot accept confidence %q", f.Accept)
	}
	switch o.Strategy {
	case "", dropcap.StrategyRecreate, dropcap.StrategyInPlace, dropcap.StrategySource,
		dropcap.StrategyManual:
	default:
		return o, dropcap.Errorf(dropcap.CodeUsage, "recreate, in-place, source or manual",
			"cannot use the strategy %q",
			f.Strategy)
	}
	if f.inPlace {
		if o.Strategy != "" && o.Strategy != dropcap.StrategyInPlace {
			return o, dropcap.Errorf(dropcap.CodeUsage, "give one of them",
				"cannot use --in-place together with --strategy %s", f.Strategy)
		}
		o.Strategy = dropcap.StrategyInPlace
	}
	return o, nil
}

// Filters separates docker's filters from dropcap's, of which only owner= applies to containers
// that were not judged.
func (f *Plan) Filters() (engine []string, owners []string, err error) {
	engine, own, err := audit.SplitFilters(f.filters)
	if err != nil {
		return nil, nil, err
	}
	for key := range own {
		if key != "owner" {
			return nil, nil, dropcap.Errorf(dropcap.CodeUsage, "use docker's filters, or owner=",
				"cannot plan by the filter %s=: it is of audit", key)
		}
	}
	return engine, own["owner"], nil
}
