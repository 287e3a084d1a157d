package cli

import (
	"github.com/spf13/pflag"

	"dropcap/internal/apply"
)

// inPlaceFlags say how the engine is stopped and started for changes in place.
type inPlaceFlags struct {
	stopAll     bool
	stop, start string
}

func (f *inPlaceFlags) register(fl *pflag.FlagSet) {
	fl.BoolVar(&f.stopAll, "stop-all", false,
		"in place without live-restore: all containers may be stopped with the engine, and are "+
			"started again")
	fl.StringVar(&f.stop, "engine-stop", "",
		"in place: the program that stops an engine that systemd does not run, and waits for it")
	fl.StringVar(&f.start, "engine-start", "", "in place: the program that starts it")
}

// programs returns the two programs; none where systemd does it.
func (f *inPlaceFlags) programs() (stop, start []string, err error) {
	if (f.stop == "") != (f.start == "") {
		return nil, nil, usageError("the one that was stopped has to be started again",
			"cannot use --engine-stop without --engine-start, or the other way round")
	}
	if f.stop == "" {
		return nil, nil, nil
	}
	stop, ok1 := apply.Split(f.stop)
	start, ok2 := apply.Split(f.start)
	if !ok1 || !ok2 || len(stop) == 0 || len(start) == 0 {
		return nil, nil, usageError("for example --engine-stop 'rc-service docker stop'",
			"cannot read the command of --engine-stop or --engine-start")
	}
	return stop, start, nil
}
