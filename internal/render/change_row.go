package render

import "dropcap"

// Change is what a template sees, once per change. `{{json .}}` is the change as in the json
// format, on one line.
//
//	.ID .Plan .Host .Workload .Name .Strategy .State .Because
//	.Before .After   ids of containers: 12 digits, all 64 with --no-trunc
//	.Was .Is         the declarations, as docker run has them
//	.Dropped         names of capabilities
//	.Started .Ended  RFC 3339
//	.Downtime        in words; .DowntimeMS in milliseconds
//	.Pruned          whether the retained container is gone
//	.Others          names of the further containers of the change
//	.Timeline        each with .At and .Event
type Change struct {
	ID, Plan, Host, Workload, Name, Strategy, State, Because, Before, After, Was, Is, Started,
	Ended, Downtime Text

	DowntimeMS int64
	Dropped    []Text
	Others     []Text
	Pruned     bool
	Timeline   []Event

	document func() dropcap.Change
}

// Event is an event of a change, for a template.
type Event struct{ At, Event Text }

// MarshalJSON returns the document's own form.
func (c Change) MarshalJSON() ([]byte, error) {
	text, err := encode(c.document().Listed(), "")
	return []byte(text), err
}

func newChange(c dropcap.Change, o Options) Change {
	lost := dropped(c)
	out := Change{
		ID: Text(c.ID), Plan: Text(c.Plan), Host: Text(c.Host), Workload: Text(c.Workload),
		Name: Text(c.Name), Strategy: Text(c.Strategy),
		State: Text(c.State), Because: Text(c.Because), Before: Text(shortID(c.Before, o.NoTrunc)),
		After: Text(shortID(c.After, o.NoTrunc)),
		Was:   Text(declaration(c.Was)), Is: Text(declaration(c.Is)), Started: Text(c.Started),
		Ended: Text(c.Ended), Downtime: Text(downtime(c)),
		DowntimeMS: c.DowntimeMS, Dropped: texts(names(&lost)), Pruned: c.Pruned,
		document: func() dropcap.Change { return c },
	}
	for _, o := range c.Others {
		out.Others = append(out.Others, Text(o.Name))
	}
	for _, e := range c.Timeline {
		out.Timeline = append(out.Timeline, Event{Text(e.At), Text(e.Event)})
	}
	return out
}
