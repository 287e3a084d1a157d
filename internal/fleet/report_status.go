package fleet

import (
	"context"

	"dropcap"
	"dropcap/internal/wire"
)

// StatusCode returns the exit status of a verb on many hosts: the worst of each document and each
// failure. An unreachable host or an unreadable document makes it incomplete; a host's own error
// counts as on that host.
func StatusCode(f dropcap.Fleet) int {
	verb, _ := wire.Lookup(f.Run.Verb)
	status := runStatus(f.Run)
	for _, x := range f.Failures {
		status = dropcap.Worst(status, failureStatus(x))
	}
	for _, d := range f.Documents {
		status = dropcap.Worst(status, verb.Report.Status(d))
	}
	return status
}

// StatusOf is StatusCode by the hosts' receipts, without reading their documents: for watching a
// run.
func StatusOf(run dropcap.FleetRun, hosts []dropcap.FleetHost) int {
	verb, _ := wire.Lookup(run.Verb)
	status := runStatus(run)
	for _, h := range hosts {
		f := failureOf(h)
		switch {
		case f != nil:
			status = dropcap.Worst(status, failureStatus(*f))
		case verb.Report.Judged:
			status = dropcap.Worst(status, h.Receipt.Status)
		}
	}
	return status
}

// BackoutStatus returns StatusOf the run that backed this one out, if that failed on some host;
// else 0.
func BackoutStatus(ctx context.Context, l Ledger, run dropcap.FleetRun) (int, error) {
	if run.State != dropcap.RunStopped || run.Backout == "" {
		return dropcap.ExitOK, nil
	}
	back, hosts, err := l.Run(ctx, run.Backout)
	return StatusOf(back, hosts), err
}

func runStatus(r dropcap.FleetRun) int {
	switch r.State {
	case dropcap.RunStopped:
		return dropcap.ExitIncomplete
	case dropcap.RunBackedOut:
		return dropcap.ExitRolledBack
	}
	return dropcap.ExitOK
}

// failureStatus returns the status of a cause that is a kind of error; 6 is for this host only, not
// for a fleet's.
func failureStatus(f dropcap.HostFailure) int {
	switch dropcap.Code(f.Cause) {
	case dropcap.CodePerson, dropcap.CodeRolledBack, dropcap.CodeError:
		return dropcap.ExitOf(&dropcap.Error{Code: dropcap.Code(f.Cause)})
	}
	return dropcap.ExitIncomplete
}
