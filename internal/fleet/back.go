package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// backOut reverts what the run changed, on every host that may have received its request: one that
// did nothing reports that. It is a separate run, which another controller can continue.
func (j *journey) backOut(ctx context.Context) error {
	run, hosts, err := j.backout(ctx)
	if err != nil {
		return err
	}
	e := *j.Engine
	if run, hosts, err = e.Go(ctx, run, hosts, j.known()); err != nil {
		return err
	}
	j.takenBack(run, hosts)
	return j.keep(ctx)
}

// backout begins the run that backs this one out, or finds the one already begun, whose silent
// hosts are asked again. After one that ended and failed somewhere, a new one begins, since a host
// does a request once: it does nothing on hosts that are backed out.
func (j *journey) backout(ctx context.Context) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	if j.run.Backout != "" {
		run, hosts, err := j.Ledger.Run(ctx, j.run.Backout)
		if err != nil {
			return run, hosts, err
		}
		run = Reopen(run, hosts)
		if !slices.ContainsFunc(hosts, func(h dropcap.FleetHost) bool {
			return h.Over() && Bad(h)
		}) {
			return run, hosts, nil
		}
	}
	return j.TakeBack(ctx, j.run, j.hosts, j.known(), dropcap.FleetRules{MaxErrors: len(j.hosts)})
}

const backoutFailed = "; the backout failed on "

// takenBack records the result of the run that backs this one out.
func (j *journey) takenBack(run dropcap.FleetRun, hosts []dropcap.FleetHost) {
	bad := 0
	for _, h := range hosts {
		if Bad(h) {
			bad++
		}
	}
	j.run.Backout = run.ID
	j.run.Because, _, _ = strings.Cut(j.run.Because, backoutFailed)
	if j.run.Because == "" {
		j.run.Because = "it was taken back"
	}
	j.run.State, j.run.Ended = dropcap.RunBackedOut, j.now()
	if bad > 0 || run.State != dropcap.RunDone {
		j.run.Because += fmt.Sprintf("%s%d of %s: see run %s", backoutFailed, bad,
			printable.Count(len(hosts), "host"), run.ID)
		j.run.State = dropcap.RunStopped
	}
}

// TakeBack begins a run that backs out what a run of apply changed, and records it in that run,
// which is never applied any further from then on.
func (e *Engine) TakeBack(ctx context.Context, of dropcap.FleetRun, hosts []dropcap.FleetHost,
	known []dropcap.Place, rules dropcap.FleetRules) (dropcap.FleetRun, []dropcap.FleetHost,
	error) {
	run, list, err := e.StartBackout(ctx, of, hosts, known, rules)
	if err != nil {
		return run, nil, err
	}
	of.Backout, of.State, of.Ended = run.ID, dropcap.RunBackingOut, ""
	return run, list, e.Ledger.SaveRun(context.WithoutCancel(ctx), of)
}

// TakenBack records the result of the run that TakeBack began, and returns it.
func (e *Engine) TakenBack(ctx context.Context, of string, run dropcap.FleetRun,
	hosts []dropcap.FleetHost) (dropcap.FleetRun, error) {
	was, _, err := e.Ledger.Run(ctx, of)
	if err != nil {
		return was, err
	}
	j := &journey{Engine: e, run: was}
	j.takenBack(run, hosts)
	return j.run, j.keep(ctx)
}

// StartBackout begins a run that backs out what a run of apply changed.
func (e *Engine) StartBackout(ctx context.Context, of dropcap.FleetRun, hosts []dropcap.FleetHost,
	known []dropcap.Place, rules dropcap.FleetRules) (dropcap.FleetRun, []dropcap.FleetHost,
	error) {
	j := &journey{Engine: e, hosts: hosts, places: map[string]dropcap.Place{}}
	for _, p := range known {
		j.places[p.String()] = p
	}
	request := of.Request
	var able []string
	for _, h := range hosts {
		if h.Sent > 0 {
			able = append(able, h.Host)
			if of.Request == "" {
				request = h.Request
			}
		}
	}
	run := dropcap.FleetRun{Verb: "backout", Of: of.ID, Targets: []string{of.ID}, Rules: rules,
		Args: []string{"--of=" + request}}
	if of.Request == "" {
		return e.start(ctx, run, j.nodes(able), nil)
	}
	return e.Start(ctx, run, j.nodes(able), nil)
}
