package fleet

import (
	"encoding/json"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/policy"
	"dropcap/internal/printable"
)

// Continued sets the CreatedAt that Security Hub already has for current findings, so that an
// import changes only what changed.
func Continued(existing, current []json.RawMessage) []json.RawMessage {
	created := map[string]string{}
	for _, raw := range existing {
		if x, ok := ours(raw); ok {
			created[x.Id] = x.CreatedAt
		}
	}
	out := make([]json.RawMessage, len(current))
	for i, raw := range current {
		out[i] = raw
		x, ok := ours(raw)
		if at := created[x.Id]; ok && at != "" && at < x.CreatedAt {
			x.CreatedAt = at
			if b, err := json.Marshal(x); err == nil {
				out[i] = b
			}
		}
	}
	return out
}

// Resolved returns dropcap's existing findings that are gone, archived. A finding is gone only if
// its host answered with a readable audit, and its container passes, or has other findings (the
// same one accepted is another), or, if whole, does not exist any more: whole says that the run
// audited all containers of each host. The findings of a container that is now unknown stay, and so
// does what is already archived.
func Resolved(existing, current []json.RawMessage, f dropcap.Fleet, whole bool,
	now time.Time) []json.RawMessage {
	still := map[string]bool{}
	for _, raw := range current {
		if x, ok := ours(raw); ok {
			still[x.Id] = true
		}
	}
	seen := observedIn(f)
	var out []json.RawMessage
	for _, raw := range existing {
		x, ok := ours(raw)
		if !ok || still[x.Id] || x.RecordState == "ARCHIVED" {
			continue
		}
		containers, answered := seen[x.ProductFields[fieldHost]]
		known, there := containers[x.ProductFields[fieldOf]]
		if !answered || there && !known || !there && !whole {
			continue
		}
		x.RecordState, x.UpdatedAt, x.Workflow = "ARCHIVED", asffTime(now), nil
		switch {
		case still[otherID(x.Id)]: // it continues, with the opposite acceptance
		case known:
			x.Compliance.Status = "PASSED"
		default:
			x.Compliance.Status = "NOT_AVAILABLE"
		}
		if b, err := json.Marshal(x); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// observedIn reports, by answering host and digest of a container's identity, whether all
// containers of that identity were observed.
func observedIn(f dropcap.Fleet) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	failed := map[string]bool{}
	for _, x := range f.Failures {
		failed[x.Host] = true
	}
	for d, a := range foreign.Audits(f) {
		if failed[d.Host] {
			continue
		}
		known := map[string]bool{digestOf(""): true} // the policy
		for _, c := range a.Containers {
			id := digestOf(policy.Identity(c.Container))
			before, there := known[id]
			known[id] = c.Verdict != dropcap.Unknown && (before || !there)
		}
		out[printable.Units(d.Host, mostField)] = known
	}
	return out
}

// ours parses a finding that this package made, without what the service adds (its own fields, the
// workflow), which must not be sent back.
func ours(raw json.RawMessage) (asff, bool) {
	var x asff
	if len(raw) > 1<<20 || json.Unmarshal(raw, &x) != nil || !strings.HasPrefix(x.GeneratorId,
		generator) || !strings.HasPrefix(x.Id, "dropcap/") {
		return asff{}, false
	}
	for k := range x.ProductFields {
		if !strings.HasPrefix(k, "dropcap/") {
			delete(x.ProductFields, k)
		}
	}
	return x, len(x.Resources) > 0
}
