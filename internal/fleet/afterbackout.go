package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
)

// AfterBackout returns the hosts of a run of apply after its backouts: each change in the state
// that they left. Without a backout, hosts are unchanged. The stored run does not change.
func AfterBackout(ctx context.Context, l Ledger, run dropcap.FleetRun,
	hosts []dropcap.FleetHost) ([]dropcap.FleetHost, error) {
	if run.Backout == "" {
		return hosts, nil
	}
	runs, err := l.Runs(ctx)
	if err != nil {
		return nil, err
	}
	hosts = slices.Clone(hosts)
	at := map[string]int{}
	for i, h := range hosts {
		at[h.Host] = i
	}
	for _, r := range slices.Backward(runs) { // one that failed somewhere has a successor
		if r.Verb != "backout" || r.Of != run.ID {
			continue
		}
		_, back, err := l.Run(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		for _, b := range back {
			if i, ok := at[b.Host]; ok {
				hosts[i] = afterBackout(hosts[i], b)
			}
		}
	}
	return hosts, nil
}

// afterBackout returns a host with its changes as a backout left them.
func afterBackout(h, back dropcap.FleetHost) dropcap.FleetHost {
	now := changesIn(back)
	if len(now.Changes) == 0 {
		return h
	}
	was := changesIn(h)
	for _, c := range now.Changes {
		id, _ := identityOf(c)
		if i := slices.IndexFunc(was.Changes, func(w json.RawMessage) bool {
			other, _ := identityOf(w)
			return other == id
		}); i >= 0 {
			was.Changes[i] = c
		} else {
			was.Changes = append(was.Changes, c)
		}
	}
	was.Schema = dropcap.SchemaChange
	text, err := json.Marshal(was)
	if err != nil {
		return h
	}
	r := back.Receipt
	if h.Receipt != nil {
		r = h.Receipt
	}
	is := *r
	is.Document, is.Summary = text, was.count()
	foreign.Take(&h, is)
	return h
}

// changed are changes as a host wrote them.
type changed struct {
	Schema  string            `json:"schema"`
	Changes []json.RawMessage `json:"changes"`
}

func changesIn(h dropcap.FleetHost) (c changed) {
	if err := foreign.Decode(foreign.Document(h), &c); err != nil ||
		c.Schema != dropcap.SchemaChange {
		return changed{}
	}
	return c
}

func identityOf(change json.RawMessage) (id string, state dropcap.ChangeState) {
	var c struct {
		ID    string
		State dropcap.ChangeState
	}
	// without an id it matches no other, and its reader reports the error
	_ = json.Unmarshal(change, &c)
	return c.ID, c.State
}

// count is "2 changes: 1 backed-out, 1 rolled-back".
func (c changed) count() string {
	n := map[dropcap.ChangeState]int{}
	for _, one := range c.Changes {
		_, state := identityOf(one)
		n[state]++
	}
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[s], printable.Line(string(s))))
	}
	return printable.Count(len(c.Changes), "change") + ": " + strings.Join(parts, ", ")
}
