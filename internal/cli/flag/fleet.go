package flag

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/aws"
)

// Fleet selects hosts and says how to reach them.
type Fleet struct {
	Targets, Regions, Roles []string
	Profile, Store          string
	Rate                    float64
	Shell, PrintAWS         bool
	Bucket, Prefix          string
	Delivery, Execution     time.Duration
	Patience, Answer        time.Duration
}

// Register adds the flags, but --targets and --print-aws only where targets says so; store is the
// usual folder of the controller's store.
func (f *Fleet) Register(fl *pflag.FlagSet, store string, targets bool) {
	if targets {
		fl.StringArrayVarP(&f.Targets, "targets", "t", nil,
			"which nodes: i-…,mi-…; tag:KEY=VALUE,…; tag:KEY; group:NAME; Key=tag:KEY,Values=…; or all; may be repeated")
		fl.BoolVar(&f.PrintAWS, "print-aws", false,
			"print the aws commands that would send the same, and send nothing")
	}
	fl.StringSliceVar(&f.Regions, "region", nil,
		"AWS region; may be repeated (default: AWS_REGION, or the profile's)")
	fl.StringVar(&f.Profile, "profile", "", "AWS profile (default: AWS_PROFILE)")
	fl.StringArrayVar(&f.Roles, "role-arn", nil,
		"role to assume, one for each further account; may be repeated")
	fl.Float64Var(&f.Rate, "rate", aws.DefaultRate,
		"requests a second to each API of each account and region")
	fl.BoolVar(&f.Shell, "shell", false,
		"send through AWS-RunShellScript instead of dropcap's own documents")
	fl.StringVar(&f.Bucket, "s3-bucket", "",
		"let nodes put whole outputs into this bucket (default: documents come in parts)")
	fl.StringVar(&f.Prefix, "s3-prefix", "dropcap", "the prefix of keys there")
	fl.DurationVar(&f.Delivery, "delivery-timeout", 2*time.Minute,
		"how long a node may take to fetch a command (30s or more)")
	fl.DurationVar(&f.Execution, "execution-timeout", 10*time.Minute,
		"how long the agent lets a command run; what it does goes on all the same (5s or more)")
	fl.DurationVar(&f.Answer, "answer-timeout", 2*time.Minute,
		"how long a node that is only looked at may show no sign of life")
	fl.DurationVar(&f.Patience, "patience", 2*time.Hour, "how long a host may be at work")
	fl.StringVar(&f.Store, "store", store,
		"the folder of the controller's store, which keeps runs")
}

// Reach returns how to reach the hosts of a run, to be stored with it.
func (f *Fleet) Reach() *dropcap.FleetReach {
	return &dropcap.FleetReach{
		Profile: f.Profile, Roles: append([]string{}, f.Roles...), Shell: f.Shell, Bucket: f.Bucket,
		Prefix: f.Prefix, Rate: f.Rate,
		DeliverySeconds: WholeSeconds(f.Delivery), ExecutionSeconds: WholeSeconds(f.Execution),
		PatienceSeconds: WholeSeconds(f.Patience),
		AnswerSeconds:   WholeSeconds(f.Answer),
	}
}

// WholeSeconds rounds up.
func WholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// As reaches hosts as a run did, but for what flags say; how long it waits is each run's own, and
// the same only when that run is gone on with.
func (f *Fleet) As(run dropcap.FleetRun, fl *pflag.FlagSet, goesOn bool) {
	for _, place := range run.Places { // a region that was found by a flag then is found again
		if region := place[strings.LastIndexByte(place, '/')+1:]; !slices.Contains(f.Regions,
			region) {
			f.Regions = append(f.Regions, region)
		}
	}
	r := run.Reach
	if r == nil {
		return
	}
	keep := func(name string, do func()) {
		if !fl.Changed(name) {
			do()
		}
	}
	keep("profile", func() { f.Profile = r.Profile })
	keep("role-arn", func() { f.Roles = r.Roles })
	keep("shell", func() { f.Shell = r.Shell })
	keep("s3-bucket", func() { f.Bucket = r.Bucket })
	keep("s3-prefix", func() { f.Prefix = r.Prefix })
	keep("rate", func() { f.Rate = r.Rate })
	if goesOn {
		keep("delivery-timeout", func() {
			f.Delivery = time.Duration(r.DeliverySeconds) * time.Second
		})
		keep("execution-timeout", func() {
			f.Execution = time.Duration(r.ExecutionSeconds) * time.Second
		})
		if r.AnswerSeconds > 0 {
			keep("answer-timeout", func() {
				f.Answer = time.Duration(r.AnswerSeconds) * time.Second
			})
		}
		keep("patience", func() { f.Patience = time.Duration(r.PatienceSeconds) * time.Second })
	}
}

// narrowing are flags that narrow what is done: one that is empty, since a variable was, must not
// widen it.
var narrowing = []string{"targets", "region", "role-arn", "container", "workload", "waves",
	"window", "probe", "export", "distributor", "package-version", "bucket"}

// NoneEmpty refuses such a flag.
func NoneEmpty(cmd *cobra.Command, _ []string) error {
	for _, name := range narrowing {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			values := []string{f.Value.String()}
			if list, ok := f.Value.(pflag.SliceValue); ok {
				values = list.GetSlice()
			}
			if len(values) == 0 || slices.Contains(values, "") {
				return dropcap.Errorf(dropcap.CodeUsage,
					"leave it out, or give it a value; is a variable empty?",
					"cannot use an empty --%s", name)
			}
		}
	}
	return nil
}
