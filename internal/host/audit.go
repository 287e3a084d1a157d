package host

import (
	"context"
	"fmt"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/policy"
)

// AuditRequest says what to judge, and how.
type AuditRequest struct {
	SeeRequest
	// Saved is judged instead of this host; nil means this host.
	Saved *dropcap.Snapshot
	// Ours says that Saved is of this host, looked at a moment ago: its changes count too.
	Ours   bool
	Policy dropcap.Policy
	// Filter selects the containers of the result.
	Filter audit.Filter
	// Known reports whether the baseline has a finding; nil without one.
	Known func(identity string, f dropcap.Finding) bool
}

// AuditResult is the audit and its snapshot.
type AuditResult struct {
	Audit    dropcap.Audit
	Snapshot dropcap.Snapshot
	// Next is what to do about it on this host; none where the engine is elsewhere.
	Next    []audit.Advice
	options audit.Options
}

// Audit observes containers and judges them by the store's evidence. If that cannot be read, it
// warns, and judges without: that is stricter.
func (h *Host) Audit(ctx context.Context, q AuditRequest) (AuditResult, error) {
	defer unhurried()()
	var r AuditResult
	here := false
	if q.Saved != nil {
		r.Snapshot = *q.Saved
	} else {
		s, err := h.Open(ctx)
		if err != nil {
			return r, err
		}
		defer s.Close()
		if r.Snapshot, err = h.see(ctx, s, q.SeeRequest); err != nil {
			return r, err
		}
		_, here = s.Local()
	}
	known, changes := h.recall(ctx, &r.Snapshot, q.Saved == nil || q.Ours)
	if err := labelValuesKnown(q.Policy, r.Snapshot); err != nil {
		return r, err
	}
	r.options = audit.Options{
		Policy: q.Policy, Evidence: known, Changes: changes, Known: q.Known,
		Partial: len(q.Names)+len(q.Filters) > 0, Now: now(),
	}
	r.Audit = q.Filter.Apply(audit.Judge(r.Snapshot, r.options))
	if here {
		o := r.options
		o.Partial = o.Partial || len(q.Filter) > 0
		r.Next = audit.Next(r.Audit, o)
	}
	return r, nil
}

// labelValuesKnown refuses to judge a snapshot by what it does not have: a label's value, or, from
// an older dropcap, whether the label comes from the image.
func labelValuesKnown(p dropcap.Policy, s dropcap.Snapshot) error {
	line, asks := policy.NeedsLabelValues(p, s.Containers)
	if !asks {
		return nil
	}
	where := "a keep"
	if line > 0 {
		where = fmt.Sprintf("the waiver at line %d", line)
	}
	return dropcap.Errorf(dropcap.CodeError,
		"select by name or by workload; or audit the host itself",
		"cannot judge a document by this policy: %s asks for a label, and the document does not "+
			"tell its "+
			"value, or not whether the image brought it", where)
}

// Explain says why one container holds its capabilities. The request names that container.
func (h *Host) Explain(ctx context.Context,
	q AuditRequest) (dropcap.Explanation, AuditResult, error) {
	r, err := h.Audit(ctx, q)
	if err != nil {
		return dropcap.Explanation{}, r, err
	}
	if len(r.Audit.Containers) == 0 {
		name := ""
		if len(q.Names) > 0 {
			name = q.Names[0]
		}
		return dropcap.Explanation{}, r, dropcap.Errorf(dropcap.CodeIncomplete,
			"it was removed meanwhile",
			"cannot explain %q: it is gone", name)
	}
	return audit.Explain(r.Audit.Containers[0], r.Audit, r.options), r, nil
}
