package fleet

import (
	"context"
	"fmt"

	"dropcap"
)

// backOut takes back whatever the run changed, on every host that may have got its request: one that did nothing has nothing to take back, and
// says so. It is a run of its own, which a controller that takes over goes on with.
func (j *journey) backOut(ctx context.Context) error {
	run, hosts, err := j.backout(ctx)
	if err != nil {
		return err
	}
	e := *j.Engine
	run, hosts, err = e.Go(ctx, run, hosts, j.known())
	if err != nil {
		return err
	}
	bad := 0
	for _, h := range hosts {
		if Bad(h) {
			bad++
		}
	}
	j.run.State, j.run.Ended = dropcap.RunBackedOut, j.now()
	if bad > 0 || run.State != dropcap.RunDone {
		j.run.Because += fmt.Sprintf("; the backout failed on %d of %d hosts: see run %s", bad, len(hosts), run.ID)
		j.run.State = dropcap.RunStopped
	}
	return j.keep(ctx)
}

// backout begins the run that takes this one back, or finds the one that was begun.
func (j *journey) backout(ctx context.Context) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	if j.run.Backout != "" {
		return j.Ledger.Run(ctx, j.run.Backout)
	}
	run, hosts, err := j.Engine.StartBackout(ctx, j.run, j.hosts, j.known(), dropcap.FleetRules{MaxErrors: len(j.hosts)})
	if err != nil {
		return run, nil, err
	}
	j.run.Backout = run.ID
	return run, hosts, j.keep(ctx)
}

// StartBackout begins a run that backs out what a run of apply changed.
func (e *Engine) StartBackout(ctx context.Context, of dropcap.FleetRun, hosts []dropcap.FleetHost, known []dropcap.Place, rules dropcap.FleetRules) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	j := &journey{Engine: e, hosts: hosts, places: map[string]dropcap.Place{}}
	for _, p := range known {
		j.places[p.String()] = p
	}
	request := ""
	var able []string
	for _, h := range hosts {
		if h.Sent > 0 {
			able, request = append(able, h.Host), h.Request
		}
	}
	run := dropcap.FleetRun{Verb: "backout", Of: of.ID, Targets: []string{of.ID}, Rules: rules, Args: []string{"--of=" + request}}
	return e.Start(ctx, run, j.nodes(able), nil)
}
