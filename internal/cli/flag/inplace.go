package flag

import (
	"github.com/spf13/pflag"

	"dropcap"
	"dropcap/internal/apply"
)

// InPlace says how the engine is stopped and started for changes in place.
type InPlace struct {
	StopAll     bool
	stop, start string
}

// Register adds the flags.
func (f *InPlace) Register(fl *pflag.FlagSet) {
	fl.BoolVar(&f.StopAll, "stop-all", false,
		"in place without live-restore: all containers may be stopped with the engine, and are "+
			"started again")
	fl.StringVar(&f.stop, "engine-stop", "",
		"in place: the program that stops an engine that systemd does not run, and waits for it")
	fl.StringVar(&f.start, "engine-start", "", "in place: the program that starts it")
}

// Programs returns the two programs; none where systemd does it.
func (f *InPlace) Programs() (stop, start []string, err error) {
	if (f.stop == "") != (f.start == "") {
		return nil, nil, dropcap.Errorf(dropcap.CodeUsage,
			"the one that was stopped has to be started again",
			"cannot use --engine-stop without --engine-start, or the other way round")
	}
	if f.stop == "" {
		return nil, nil, nil
	}
	stop, ok1 := apply.Split(f.stop)
	start, ok2 := apply.Split(f.start)
	if !ok1 || !ok2 || len(stop) == 0 || len(start) == 0 {
		return nil, nil, dropcap.Errorf(dropcap.CodeUsage,
			"for example --engine-stop 'rc-service docker stop'",
			"cannot read the command of --engine-stop or --engine-start")
	}
	return stop, start, nil
}
