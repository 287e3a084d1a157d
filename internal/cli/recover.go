package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dropcap/internal/cli/flag"
	"dropcap/internal/host"
)

type recoverCommand struct {
	flag.Change
	wait  time.Duration
	busy  bool
	after string
}

func (a *app) recover() *cobra.Command {
	f := &recoverCommand{}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring to an end what a crash has left unfinished",
		Long: `Bring every change to its end that went on when dropcap or this host ended: forward
where the new container is in its place and passes the gate, back in all other cases. It decides by
what the engine says of the containers, and may be run at any time and any number of times; apply,
backout and prune do it first by themselves. A service does it at boot. While dropcap changes
something, a process of its own watches over it, and does this at once if it is killed;
DROPCAP_WATCH=off leaves that to you.
` + changeExitHelp,
		Example: `  sudo dropcap recover
  sudo dropcap recover --wait 5m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runRecover(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	f.Register(fl, defaultStore())
	fl.DurationVar(&f.wait, "wait", time.Minute, "how long to wait for the engine to answer")
	fl.BoolVar(&f.busy, "busy", false, "wait for another dropcap that changes containers, too")
	fl.StringVar(&f.after, "after", "",
		"wait until this process has ended, as PID:START of proc(5)")
	for _, name := range []string{"yes", "busy", "after"} {
		cobra.CheckErr(fl.MarkHidden(name))
	}
	return cmd
}

func (a *app) runRecover(ctx context.Context, f *recoverCommand) error {
	ctx, done := hangup(ctx)
	defer done()
	q := host.RecoverRequest{Wait: f.wait, Busy: f.busy, CallTimeout: f.CallTimeout}
	var r host.Changed
	var err error
	if f.after != "" {
		a.finished = true // an interrupt ends the waiting
		a.firstSay(host.Watching)
		r, err = a.hostWatched(f.Store, nil).RecoverAfter(ctx, f.after, q)
	} else if r, err = a.host(f.Store).Recover(ctx, q); err == nil && len(r.Changes.Changes) == 0 {
		fmt.Fprintln(a.err, "nothing to recover")
	}
	if ctx.Err() == nil && f.Store == defaultStore() {
		for _, failed := range a.thisNode().EndDead(ctx) {
			a.warn(failed)
		}
	}
	return a.outcome(r, err)
}

// watchCommand is the command that ends a change if this process is killed: it reaches the engine
// as this one does.
func (a *app) watchCommand(folder string) []string {
	self, err := os.Executable()
	if err != nil || folder == "" || os.Getenv("DROPCAP_WATCH") == "off" {
		return nil
	}
	line := []string{self, "recover", "--wait", "10m", "--store", flag.Absolute(folder)}
	return append(line, a.engine.Args()...)
}
