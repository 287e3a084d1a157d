package node

import (
	"context"
	"fmt"
	"strings"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/plan"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// doer does requests by asking the host.
type doer struct{ *worker }

var _ wire.Doer = doer{}

func (w *worker) host() *host.Host { return w.node.Host(w.observer) }

// Audit judges the containers.
func (d doer) Audit(ctx context.Context, args wire.Args) (wire.Result, error) {
	h := d.host()
	policy, err := h.Policy(args.Level)
	if err != nil {
		return wire.Result{}, err
	}
	r, err := h.Audit(ctx, host.AuditRequest{
		Policy: policy, SeeRequest: host.SeeRequest{Names: args.Containers, IfPresent: true},
	})
	if err != nil {
		return wire.Result{}, err
	}
	n := r.Audit.Summary
	return wire.Result{
		Document: r.Audit.Listed(), Status: r.Audit.Status(),
		Summary: printable.Count(n.Containers, "container") + ": " + several(
			count{"pass", n.Pass}, count{"fail", n.Fail},
			count{"mitigated", n.Mitigated}, count{"waived", n.Waived},
			count{"unknown", n.Unknown}),
	}, nil
}

// Plan makes a plan, which the host stores in the receipt. It edits no owner's file: in a fleet,
// nobody checks whose file it is.
func (d doer) Plan(ctx context.Context, args wire.Args) (wire.Result, error) {
	h := d.host()
	policy, err := h.Policy(args.Level)
	if err != nil {
		return wire.Result{}, err
	}
	p, err := h.Plan(ctx, host.PlanRequest{
		SeeRequest: host.SeeRequest{Names: args.Containers, IfPresent: true}, Policy: policy,
		Options: plan.Options{AcceptLow: args.AcceptLow, NoFiles: true, Strategy: args.Strategy},
	})
	if err != nil {
		return wire.Result{}, err
	}
	change, refused := 0, 0
	for _, s := range p.Plan.Steps {
		if s.Refused != "" {
			refused++
		} else if s.Changes() {
			change++
		}
	}
	return wire.Result{
		Document: p.Plan.Listed(), Status: p.Plan.Status(),
		Summary: fmt.Sprintf("plan %s, %s: %s", printable.Cut(p.Plan.ID, 20),
			printable.Count(len(p.Plan.Steps), "container"),
			several(count{"to change", change}, count{"refused", refused})),
	}, nil
}

// Learn records for a while.
func (d doer) Learn(ctx context.Context, args wire.Args) (wire.Result, error) {
	// After the recording, files are read until this process is asked to end.
	r, err := d.host().Learn(ctx, host.LearnRequest{For: args.For, Enough: ctx.Done})
	if r.Began {
		d.observer.Progress(host.Begun{}) // its end is no failure, whatever the cause
	}
	if r.Evidence.Schema == "" {
		return wire.Result{}, err
	}
	result := evidenceResult(r.Evidence)
	if r.Incomplete {
		result.Status = dropcap.ExitIncomplete
	}
	return result, err
}

// Evidence returns what workloads were observed to need.
func (d doer) Evidence(ctx context.Context, args wire.Args) (wire.Result, error) {
	doc, err := d.host().Evidence(ctx, host.EvidenceRequest{})
	if err != nil {
		return wire.Result{}, err
	}
	if len(args.Workloads) > 0 {
		doc.Workloads, doc.Missing = host.Choose(doc.Workloads, args.Workloads)
	}
	return evidenceResult(doc), nil
}

// History returns the changes of this host.
func (d doer) History(ctx context.Context, _ wire.Args) (wire.Result, error) {
	doc, err := d.host().History(ctx, host.HistoryRequest{})
	if err != nil {
		return wire.Result{}, err
	}
	return changesResult(doc), nil
}

func evidenceResult(doc dropcap.Evidence) wire.Result {
	return wire.Result{
		Document: doc,
		Summary:  "evidence of " + printable.Count(len(doc.Workloads), "workload"),
	}
}

// changesResult counts changes by their state.
func changesResult(doc dropcap.Changes) wire.Result {
	result := wire.Result{Document: doc.Listed(), Summary: "no changes"}
	if len(doc.Changes) == 0 {
		return result
	}
	var counts []count
	for _, state := range []dropcap.ChangeState{
		dropcap.Applied, dropcap.BackedOut, dropcap.RolledBack, dropcap.NeedsPerson,
	} {
		n := 0
		for _, c := range doc.Changes {
			if c.State == state {
				n++
			}
		}
		counts = append(counts, count{string(state), n})
	}
	result.Summary = printable.Count(len(doc.Changes), "change") + ": " + several(counts...)
	return result
}

type count struct {
	what string
	n    int
}

// several lists the count of each kind; "none" if there is nothing.
func several(counts ...count) string {
	var list []string
	for _, c := range counts {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}
