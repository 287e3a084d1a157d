package flag

import (
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dropcap"
)

// Whoever goes on with a run does as it was told; whoever changes something by it only goes the
// same ways. Flags win.
func TestHostsAreReachedAsTheRunDid(t *testing.T) {
	flags := func(args ...string) (*Fleet, *pflag.FlagSet) {
		f, fl := &Fleet{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		f.Register(fl, "", false)
		if err := fl.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f, fl
	}
	was, _ := flags("--profile", "p", "--role-arn", "r", "--shell", "--s3-bucket", "b",
		"--s3-prefix", "x", "--rate", "9", "--delivery-timeout", "40s",
		"--execution-timeout", "6s", "--patience", "1500ms")
	run := dropcap.FleetRun{Places: []string{"1/eu-west-1", "2/us-east-1", "2/eu-west-1"},
		Reach: was.Reach()}
	f, fl := flags("--rate", "3")
	f.As(run, fl, true)
	if got := f.Reach(); !slices.Equal(got.Roles, []string{"r"}) || got.Profile != "p" ||
		!got.Shell || got.Bucket != "b" || got.Prefix != "x" || got.Rate != 3 ||
		f.Delivery != 40*time.Second || f.Execution != 6*time.Second ||
		f.Patience != 2*time.Second ||
		!slices.Equal(f.Regions, []string{"eu-west-1", "us-east-1"}) {
		t.Errorf("gone on with: %+v", f)
	}
	if f, fl = flags("--profile", "mine"); f.Patience != 2*time.Hour {
		t.Fatalf("%+v", f)
	}
	if f.As(run, fl, false); f.Profile != "mine" || f.Bucket != "b" || f.Patience != 2*time.Hour ||
		f.Execution != 10*time.Minute {
		t.Errorf("changed by it: %+v", f)
	}
	if f, fl = flags(); f.Rate == 0 {
		t.Fatalf("%+v", f)
	}
	if f.As(dropcap.FleetRun{Places: []string{"1/eu-west-1"}}, fl, true); f.Rate == 0 ||
		f.Patience != 2*time.Hour || !slices.Equal(f.Regions, []string{"eu-west-1"}) {
		t.Errorf("one that did not keep it: %+v", f)
	}
}
