package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/host"
)

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	store string
	yes   bool
	usual time.Duration // --call-timeout
}

func (f *changeFlags) register(fl *pflag.FlagSet) {
	if fl.Lookup("store") == nil {
		fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	}
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.DurationVar(&f.usual, "call-timeout", host.DefaultCallTimeout,
		"give up a request to the engine after this time")
	cobra.CheckErr(fl.MarkHidden("call-timeout"))
}

const changeExitHelp = `
Exit status: 0 done, or nothing to do; 1 error; 2 usage; 4 rolled back: the old container runs; 5
putting it back failed: a person is needed; 6 this host can't (no engine, no permission); 7
something was refused or not tried; 130 interrupted, after the step was finished or rolled back.`

// outcome notes what came of changes.
func (a *app) outcome(r host.Changed, err error) error {
	if r.Incomplete {
		a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
	}
	return err
}

// tellEffect shows each effect that changes something as it ends; one that is repeated, such as a
// probe, only when it comes out otherwise.
func (a *app) tellEffect(p apply.Progress) {
	now := fmt.Sprint(p.Container, p.Effect.Name, p.Err)
	if !p.Ended || now == a.lastEffect {
		return
	}
	get := p.Effect.Reads()
	if !get {
		a.lastEffect = now
	}
	if get || p.Effect.IsNote() || strings.HasPrefix(p.Effect.Name, "probe-exec-") {
		return
	}
	a.clearLine()
	how := fmt.Sprintf("%.3f s", p.Took.Seconds())
	if p.Err != nil {
		how = "failed: " + p.Err.Error()
	}
	fmt.Fprintf(a.err, "  %-18s %s: %s\n", p.Effect.Name, oneLine(p.Effect.Says), oneLine(how))
}
