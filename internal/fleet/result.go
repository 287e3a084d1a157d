package fleet

import (
	"slices"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// MemoryFor returns the memory in bytes that a controller of so many hosts needs, as the garbage
// collector's target: a few times what one host may send, since documents are read one at a time,
// plus what is kept of each host, packed.
func MemoryFor(hosts int) int64 { return 3*foreign.MaxDocument + int64(hosts)*(32<<10) }

// ResultOf returns the document of a run from its hosts' answers.
func ResultOf(run dropcap.FleetRun, hosts []dropcap.FleetHost) dropcap.Fleet {
	doc := dropcap.Fleet{Schema: dropcap.SchemaFleet, Run: run, Documents: []dropcap.HostDocument{},
		Failures: []dropcap.HostFailure{}}
	for _, h := range hosts {
		if r := h.Receipt; r != nil &&
			(len(h.Packed) > 0 || len(r.Document) > 0 && string(r.Document) != "null") {
			doc.Documents = append(doc.Documents, dropcap.HostDocument{Host: h.Host, Name: h.Name,
				Document: r.Document, Packed: h.Packed})
		}
		if f := failureOf(h); f != nil {
			doc.Failures = append(doc.Failures, *f)
		}
	}
	return doc
}

// failureOf returns why a host failed; nil if it did not.
func failureOf(h dropcap.FleetHost) *dropcap.HostFailure {
	switch {
	case h.Failure != nil:
		return h.Failure
	case h.Receipt == nil:
		return &dropcap.HostFailure{Host: h.Host, Cause: "not-asked",
			Message: "it was not asked, since too many others had failed or the run was stopped",
			Hint:    "`dropcap fleet resume` goes on"}
	case h.Receipt.State == dropcap.ReceiptInterrupted:
		return &dropcap.HostFailure{Host: h.Host, Cause: "interrupted",
			Message: "dropcap was interrupted there, and ended what was unfinished: " +
				printable.Line(h.Receipt.Summary),
			Hint: "`dropcap fleet history` tells its changes"}
	case h.Receipt.Error != nil:
		return &dropcap.HostFailure{Host: h.Host, Cause: Cause(h),
			Message: printable.Line(h.Receipt.Error.Message),
			Hint:    printable.Line(h.Receipt.Error.Hint)}
	case Bad(h):
		return &dropcap.HostFailure{Host: h.Host, Cause: Cause(h),
			Message: printable.Line(h.Receipt.Summary)}
	}
	return nil
}

// Describe summarises a host's outcome in a few words.
func Describe(h dropcap.FleetHost) string {
	if f := failureOf(h); f != nil {
		return f.Cause + ": " + f.Message
	}
	if h.Receipt.Summary != "" {
		return printable.Line(h.Receipt.Summary)
	}
	return "done"
}

// Pending returns the hosts whose plans have something to apply, with the name of each plan;
// skipped are those without a plan.
func Pending(hosts []dropcap.FleetHost,
	known []dropcap.Place) (nodes []dropcap.Node, plans map[string]wire.Plan,
	skipped []dropcap.HostFailure) {
	plans = map[string]wire.Plan{}
	places := map[string]dropcap.Place{}
	for _, p := range known {
		places[p.String()] = p
	}
	for _, h := range hosts {
		if f := failureOf(h); f != nil {
			skipped = append(skipped, *f)
			continue
		}
		var p dropcap.Plan
		document := foreign.Document(h)
		err := foreign.Decode(document, &p)
		name, ok := wire.ParsePlan(wire.PlanOf(p.ID, document).String())
		if err != nil || p.Schema != dropcap.SchemaPlan || !ok {
			skipped = append(skipped, dropcap.HostFailure{Host: h.Host, Cause: "unreadable",
				Message: "its plan is not understood"})
			continue
		}
		if !slices.ContainsFunc(p.Steps, func(s dropcap.Step) bool {
			return s.Changes() && s.Refused == ""
		}) {
			continue
		}
		place, id := cutHost(h.Host)
		at, ok := places[place]
		if !ok {
			skipped = append(skipped, dropcap.HostFailure{Host: h.Host, Cause: "place",
				Message: "these credentials do not reach " + place,
				Hint:    "give --region, --profile and --role-arn as for the plan"})
			continue
		}
		plans[h.Host] = name
		nodes = append(nodes, dropcap.Node{Place: at, ID: id, Name: h.Name, Platform: "Linux",
			Online: true})
	}
	return nodes, plans, skipped
}

// Reopen prepares a run to be resumed: hosts with an unknown result are asked again, and a wave
// that failed, or has such a host, is evaluated again. A run whose backout began is never applied
// again.
func Reopen(run dropcap.FleetRun, hosts []dropcap.FleetHost) dropcap.FleetRun {
	switch {
	case run.State == dropcap.RunBackedOut || run.State == dropcap.RunBackingOut:
		return run
	case run.Backout != "":
		run.State, run.Ended = dropcap.RunBackingOut, ""
		return run
	}
	again := reask(hosts)
	run.Waves = slices.Clone(run.Waves)
	for i := range run.Waves {
		w := &run.Waves[i]
		switch {
		case w.State == dropcap.WaveFailed && w.Ended == "": // it was not begun
			w.State, w.Before, w.Gate = dropcap.WaveWaiting, "", ""
		case w.State == dropcap.WaveFailed, (w.State == dropcap.WavePassed ||
			w.State == dropcap.WaveSoaking) &&
			slices.ContainsFunc(w.Hosts, func(h string) bool { return again[h] }):
			w.State, w.Gate = dropcap.WaveGoing, ""
		}
	}
	run.State, run.Ended, run.Because = dropcap.RunGoing, "", ""
	return run
}

// reask clears failures that only say that a host did not answer, and returns those hosts.
func reask(hosts []dropcap.FleetHost) map[string]bool {
	again := map[string]bool{}
	for i, h := range hosts {
		if h.Failure != nil && slices.Contains([]string{"unreachable", "unanswered", "slow"},
			h.Failure.Cause) {
			hosts[i].Failure, again[h.Host] = nil, true
		}
	}
	return again
}
