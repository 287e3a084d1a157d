package flag

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropcap/internal/host"
)

// Change has the flags of every command that changes something.
type Change struct {
	Store       string
	Yes         bool
	CallTimeout time.Duration
}

// Register adds the flags, but --store only where it is not there yet; store is the usual folder of
// the store.
func (f *Change) Register(fl *pflag.FlagSet, store string) {
	if fl.Lookup("store") == nil {
		fl.StringVar(&f.Store, "store", store, "the folder of the store")
	}
	fl.BoolVarP(&f.Yes, "yes", "y", false, "do not ask")
	fl.DurationVar(&f.CallTimeout, "call-timeout", host.DefaultCallTimeout,
		"give up a request to the engine after this time")
	cobra.CheckErr(fl.MarkHidden("call-timeout"))
}
