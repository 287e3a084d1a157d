package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
)

// Whoever goes on with a run does as it was told; whoever changes something by it only goes the
// same ways. Flags win.
func TestHostsAreReachedAsTheRunDid(t *testing.T) {
	flags := func(args ...string) (*fleetFlags, *pflag.FlagSet) {
		f, fl := &fleetFlags{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		f.register(fl, false)
		if err := fl.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f, fl
	}
	was, _ := flags("--profile", "p", "--role-arn", "r", "--shell", "--s3-bucket", "b",
		"--s3-prefix", "x", "--rate", "9", "--delivery-timeout", "40s",
		"--execution-timeout", "6s", "--patience", "1500ms")
	run := dropcap.FleetRun{Places: []string{"1/eu-west-1", "2/us-east-1", "2/eu-west-1"},
		Reach: was.reach()}
	f, fl := flags("--rate", "3")
	f.as(run, fl, true)
	if got := f.reach(); !slices.Equal(got.Roles, []string{"r"}) || got.Profile != "p" ||
		!got.Shell || got.Bucket != "b" || got.Prefix != "x" || got.Rate != 3 ||
		f.delivery != 40*time.Second || f.execution != 6*time.Second ||
		f.patience != 2*time.Second ||
		!slices.Equal(f.regions, []string{"eu-west-1", "us-east-1"}) {
		t.Errorf("gone on with: %+v", f)
	}
	if f, fl = flags("--profile", "mine"); f.patience != 2*time.Hour {
		t.Fatalf("%+v", f)
	}
	if f.as(run, fl, false); f.profile != "mine" || f.bucket != "b" || f.patience != 2*time.Hour ||
		f.execution != 10*time.Minute {
		t.Errorf("changed by it: %+v", f)
	}
	if f, fl = flags(); f.rate == 0 {
		t.Fatalf("%+v", f)
	}
	if f.as(dropcap.FleetRun{Places: []string{"1/eu-west-1"}}, fl, true); f.rate == 0 ||
		f.patience != 2*time.Hour || !slices.Equal(f.regions, []string{"eu-west-1"}) {
		t.Errorf("one that did not keep it: %+v", f)
	}
}

// What changes nothing is taken, since scripts may have it, but not shown.
func TestHelpOfFleetShowsNoFlagWithoutEffect(t *testing.T) {
	root := Commands()
	fleet, _, err := root.Find([]string{"fleet"})
	if err != nil {
		t.Fatal(err)
	}
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		help := cmd.UsageString()
		for _, flag := range []string{"--host ", "--context ", "--config ", "--timeout ", "--tls",
			"Global Flags", "has no effect here"} {
			if strings.Contains(help, flag) {
				t.Errorf("%s shows %s:\n%s", cmd.CommandPath(), flag, help)
			}
		}
		if err := cmd.ParseFlags([]string{"-H", "unix:///nowhere", "--timeout", "1s",
			"--tlsverify"}); err != nil {
			t.Errorf("%s: %v", cmd.CommandPath(), err)
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(fleet)
	if audit, _, err := root.Find([]string{"audit"}); err != nil ||
		!strings.Contains(audit.UsageString(), "--tlsverify") {
		t.Errorf("%v: %s", err, audit.UsageString())
	}
	status, _, err := root.Find([]string{"fleet", "status"})
	if err != nil || status.ParseFlags([]string{"-q"}) != nil ||
		strings.Contains(status.UsageString(), "--quiet") {
		t.Errorf("%v: %s", err, status.UsageString())
	}
}
