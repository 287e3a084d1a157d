package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// Bad reports whether a host's outcome counts as an error for --max-errors and the gate. A host
// that refused only what its plan also refused, or had nothing to do, is not bad; one whose change
// was rolled back, or whose result is unknown, is.
func Bad(h dropcap.FleetHost) bool {
	if h.Failure != nil || h.Receipt == nil {
		return true
	}
	if h.Receipt.State != dropcap.ReceiptDone {
		return true
	}
	verb, _ := wire.Lookup(h.Receipt.Verb)
	return !verb.Done(h.Receipt.Status)
}

// Go continues a run to its end, wave by wave. It may be called again for a run that an earlier
// call, in this process or another, did not finish. The returned run is already stored; the error
// is the controller's own.
func (e *Engine) Go(ctx context.Context, run dropcap.FleetRun, hosts []dropcap.FleetHost,
	known []dropcap.Place) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	j := &journey{Engine: e.ready(), run: run, hosts: hosts, places: map[string]dropcap.Place{},
		gauge: &gauge{most: run.Rules.MaxConcurrency, bear: -1}}
	for _, p := range known {
		j.places[p.String()] = p
	}
	if wire.Changes(run.Verb) {
		j.gauge.bear = run.Rules.MaxErrors
	}
	if err := j.recall(); err != nil {
		return run, hosts, err
	}
	err := j.walk(ctx)
	if err == nil && j.run.State == dropcap.RunBackingOut {
		err = j.backOut(ctx)
	}
	return j.run, j.hosts, err
}

// journey is a run in progress.
type journey struct {
	*Engine
	run    dropcap.FleetRun
	hosts  []dropcap.FleetHost
	places map[string]dropcap.Place
	gauge  *gauge
	wave   int
}

// recall counts the hosts that failed under an earlier controller. A run without stored hosts was
// not begun: hosts are stored before anything is sent to them.
func (j *journey) recall() error {
	at := map[string]int{}
	for i, h := range j.hosts {
		at[h.Host] = i
	}
	for _, w := range j.run.Waves {
		for _, h := range w.Hosts {
			i, ok := at[h]
			if !ok {
				return dropcap.Errorf(dropcap.CodeError,
					"nothing was sent to any host; begin it anew",
					"cannot go on with run %s: its controller ended before it had kept which "+
						"hosts are meant", j.run.ID)
			}
			if j.hosts[i].Over() && Bad(j.hosts[i]) {
				j.gauge.errors++
			}
		}
	}
	return nil
}

func (j *journey) keep(ctx context.Context) error {
	return j.Ledger.SaveRun(context.WithoutCancel(ctx), j.run)
}

func (j *journey) walk(ctx context.Context) error {
	for i := range j.run.Waves {
		if j.run.State != dropcap.RunGoing {
			return nil
		}
		j.wave = i
		if j.run.Waves[i].State == dropcap.WavePassed {
			continue
		}
		if err := j.pass(ctx); err != nil {
			return err
		}
	}
	if j.run.State == dropcap.RunGoing {
		j.run.State, j.run.Ended = dropcap.RunDone, j.now()
	}
	return j.keep(ctx)
}

// pass does one wave: it waits for its turn, asks its hosts, and evaluates the gate.
func (j *journey) pass(ctx context.Context) error {
	w := &j.run.Waves[j.wave]
	if w.State == dropcap.WaveWaiting {
		if ok, err := j.begin(ctx, w); err != nil || !ok {
			return err
		}
	}
	if w.State == dropcap.WaveGoing {
		if err := j.ask(ctx, w); err != nil {
			return err
		}
		// With its fraction: a soak begins then, and must not be shorter than requested.
		w.State, w.Ended = dropcap.WaveSoaking, j.Clock.Now().UTC().Format(time.RFC3339Nano)
		if err := j.keep(ctx); err != nil {
			return err
		}
	}
	why, err := j.gate(ctx, w)
	if err != nil {
		return err
	}
	w.State, w.Gate = dropcap.WavePassed, why
	if why != "" {
		w.State = dropcap.WaveFailed
		j.fail(fmt.Sprintf("wave %d of %d: %s", j.wave+1, len(j.run.Waves), why))
	} else if bad := j.notTakenBack(w); bad > 0 { // that stops nothing
		w.State, w.Gate = dropcap.WaveFailed, fmt.Sprintf("%d of %s failed", bad,
			printable.Count(len(w.Hosts), "host"))
	}
	j.tell(Progress{Run: j.run, Wave: j.wave, Done: len(w.Hosts), Total: len(w.Hosts),
		Note: w.Gate})
	return j.keep(ctx)
}

// notTakenBack counts the hosts of a wave of a backout that failed.
func (j *journey) notTakenBack(w *dropcap.Wave) (bad int) {
	if j.run.Verb != "backout" {
		return 0
	}
	in := setOf(w.Hosts)
	for _, h := range j.hosts {
		if in[h.Host] && Bad(h) {
			bad++
		}
	}
	return bad
}

// fail ends the run at a gate.
func (j *journey) fail(why string) {
	j.run.Because = why
	j.run.State, j.run.Ended = dropcap.RunStopped, j.now()
	if j.run.Rules.AutoBackout && j.run.Verb == "apply" {
		j.run.State, j.run.Ended = dropcap.RunBackingOut, ""
	}
}

// begin asks the operator, waits for the window, and audits the hosts before the change; false if
// the operator declines.
func (j *journey) begin(ctx context.Context, w *dropcap.Wave) (bool, error) {
	if j.run.Rules.Approve && j.wave > 0 && j.Ask != nil {
		question := fmt.Sprintf("Go on with wave %d of %d (%s)?", j.wave+1, len(j.run.Waves),
			printable.Count(len(w.Hosts), "host"))
		if err := j.Ask(ctx, question); err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			why := "the operator said no to wave " + fmt.Sprint(j.wave+1)
			if dropcap.ExitOf(err) == dropcap.ExitUsage {
				why = fmt.Sprintf(
					"wave %d was not begun: nobody could be asked, without a terminal", j.wave+1)
			}
			j.run.State, j.run.Because, j.run.Ended = dropcap.RunStopped, why, j.now()
			return false, j.keep(ctx)
		}
	}
	window, err := ParseWindow(j.run.Rules.Window)
	if err != nil {
		return false, err
	}
	if wait := window.Wait(j.Clock.Now().Local()); wait > 0 && wire.Changes(j.run.Verb) {
		j.tell(Progress{Run: j.run, Wave: j.wave, Total: len(w.Hosts), Note: "waiting " +
			wait.Round(time.Second).String() + " for the window " + j.run.Rules.Window})
		if err := j.Clock.Sleep(ctx, wait); err != nil {
			return false, err
		}
	}
	if gated(j.run) && w.Before == "" {
		before, err := j.auditOf(ctx, w.Hosts)
		if err != nil {
			return false, err
		}
		w.Before = before.ID
		why, err := j.otherVersions(ctx, before.ID)
		if err != nil {
			return false, err
		}
		if why != "" {
			w.State, w.Gate = dropcap.WaveFailed, why
			j.fail(fmt.Sprintf("wave %d of %d was not begun: %s", j.wave+1, len(j.run.Waves), why))
			return false, j.keep(ctx)
		}
	}
	w.State = dropcap.WaveGoing
	return true, j.keep(ctx)
}

// gated reports whether to audit the hosts before and after: if something may change for the first
// time.
func gated(run dropcap.FleetRun) bool { return run.Verb == "apply" }

// ask gets the receipts of a wave.
func (j *journey) ask(ctx context.Context, w *dropcap.Wave) error {
	var list []*dropcap.FleetHost
	total := 0
	in := setOf(w.Hosts)
	for i := range j.hosts {
		if in[j.hosts[i].Host] {
			list = append(list, &j.hosts[i])
			total++
		}
	}
	done := 0
	for _, h := range list {
		if h.Over() {
			done++
		}
	}
	x, err := j.Engine.exchange(j.run, j.places)
	if err != nil {
		return err
	}
	x.gauge = j.gauge
	x.done = func(h *dropcap.FleetHost) {
		done++
		j.tell(Progress{Run: j.run, Wave: j.wave, Host: h, Done: done, Total: total})
	}
	x.note = func(what string) {
		j.tell(Progress{Run: j.run, Wave: j.wave, Done: done, Total: total, Note: what,
			Waits: true})
	}
	return x.fetch(ctx, list)
}

func setOf(hosts []string) map[string]bool {
	set := make(map[string]bool, len(hosts))
	for _, h := range hosts {
		set[h] = true
	}
	return set
}

// auditOf audits hosts in a separate internal run.
func (j *journey) auditOf(ctx context.Context, hosts []string) (dropcap.FleetRun, error) {
	return j.aside(ctx, dropcap.FleetRun{Verb: "audit", Of: j.run.ID, Args: levelOf(j.run)}, hosts,
		nil)
}

// aside does a run that belongs to this one, on some of its hosts.
func (j *journey) aside(ctx context.Context, run dropcap.FleetRun, hosts []string,
	extra func(string) []string) (dropcap.FleetRun, error) {
	run, list, err := j.Start(ctx, run, j.nodes(hosts), extra)
	if err != nil {
		return run, err
	}
	e := *j.Engine
	e.Tell = func(p Progress) {
		if p.Waits {
			j.tell(Progress{Run: j.run, Wave: j.wave, Done: p.Done, Total: p.Total,
				Note: p.Run.Verb + ": " + p.Note, Waits: true})
		}
	}
	run, _, err = e.Go(ctx, run, list, j.known())
	return run, err
}

func (j *journey) known() []dropcap.Place {
	var list []dropcap.Place
	for _, p := range j.places {
		list = append(list, p)
	}
	return list
}

// nodes returns the nodes of hosts that were already checked.
func (j *journey) nodes(hosts []string) []dropcap.Node {
	names := map[string]string{}
	for _, h := range j.hosts {
		names[h.Host] = h.Name
	}
	var list []dropcap.Node
	for _, h := range hosts {
		place, id := cutHost(h)
		list = append(list, dropcap.Node{Place: j.places[place], ID: id, Name: names[h],
			Platform: "Linux", Online: true})
	}
	return list
}

// Commands returns what a run would send first, wave by wave, without sending anything.
func (e *Engine) Commands(run dropcap.FleetRun, hosts []dropcap.FleetHost,
	known []dropcap.Place) ([]dropcap.NodeCommand, error) {
	places := map[string]dropcap.Place{}
	for _, p := range known {
		places[p.String()] = p
	}
	x, err := e.ready().exchange(run, places)
	if err != nil {
		return nil, err
	}
	var list []dropcap.NodeCommand
	for i := range run.Waves {
		byPlace := map[string][]*task{}
		for k := range hosts {
			if h := &hosts[k]; h.Wave == i && h.Failure == nil {
				t := x.task(h)
				byPlace[t.place.String()] = append(byPlace[t.place.String()], t)
			}
		}
		for _, p := range slices.Sorted(maps.Keys(byPlace)) {
			for batch := range slices.Chunk(byPlace[p], most) {
				c, err := (&round{exchange: x}).command(batch, toSend, 0)
				if err != nil {
					return nil, err
				}
				list = append(list, c)
			}
		}
	}
	return list, nil
}
