package metrics

import (
	"time"

	"dropcap"
)

func changeFamilies(s State) (all []*family) {
	if s.Changes != nil {
		states := newFamily("dropcap_changes", gauge, "Changes of this host, by state.")
		counts := map[string]int{}
		for _, state := range dropcap.ChangeStates() {
			counts[string(state)] = 0
		}
		var last time.Time
		for _, c := range *s.Changes {
			counts[string(c.State)]++
			for _, stamp := range []string{c.Started, c.Ended} {
				if t := at(stamp); t.After(last) {
					last = t
				}
			}
		}
		states.addCounts("state", counts)
		newest := newFamily("dropcap_last_change_timestamp_seconds", gauge,
			"When the last change began or ended, in seconds since 1970.")
		newest.addTime(last)
		all = append(all, states, newest)
	}
	if s.Hardenings != nil {
		states := newFamily("dropcap_hardenings", gauge, "Workloads being hardened, by state.")
		counts := map[string]int{}
		for _, h := range *s.Hardenings {
			counts[string(h.State)]++
		}
		states.addCounts("state", counts)
		all = append(all, states)
	}
	return all
}

// addCounts adds a sample for each count, with its name as a label.
func (f *family) addCounts(label string, counts map[string]int) {
	for name, n := range counts {
		f.add(float64(n), label, name)
	}
}

func trialFamilies(s State) []*family {
	if s.Trials == nil {
		return nil
	}
	type key struct{ kind, second string }
	states, denials := map[key]int{}, map[key]uint64{}
	denied, lost := map[string]int{}, map[string]uint64{}
	for _, kind := range []dropcap.TrialKind{dropcap.KindTrial, dropcap.KindHold} {
		states[key{string(kind), string(dropcap.TrialRunning)}] = 0
		denied[string(kind)] = 0
	}
	for _, t := range *s.Trials {
		kind := string(t.Kind)
		states[key{kind, string(t.State)}]++
		if t.State.Over() {
			continue
		}
		denied[kind] += t.Denied.Len()
		lost[kind] += t.Lost
		for _, n := range t.Denials {
			denials[key{kind, string(n.Class)}] += n.Count
		}
	}
	count := newFamily("dropcap_trials", gauge, "Trials and holds of this host, by state.")
	for k, n := range states {
		count.add(float64(n), "kind", k.kind, "state", k.second)
	}
	now := newFamily("dropcap_trial_denied_capabilities", gauge,
		"Capabilities that running trials and holds deny now, summed over their containers.")
	now.addCounts("kind", denied)
	checks := newFamily("dropcap_trial_denied_checks", gauge,
		"Checks that the running trials and holds have denied so far, by what they meant.")
	for k, n := range denials {
		checks.add(float64(n), "kind", k.kind, "class", k.second)
	}
	unknown := newFamily("dropcap_trial_lost_checks", gauge,
		"Checks that the running trials and holds have denied and of which nothing else is known.")
	for kind, n := range lost {
		unknown.add(float64(n), "kind", kind)
	}
	return []*family{count, now, checks, unknown}
}

// Soon is how long before its end a waiver is said to expire soon.
const Soon = 14 * 24 * time.Hour

func waiverFamilies(s State) []*family {
	if s.Policy == nil {
		return nil
	}
	counts := map[string]int{"valid": 0, "expiring": 0, "expired": 0}
	var next time.Time
	for _, w := range s.Policy.Waivers {
		switch {
		case w.Expired(s.Now):
			counts["expired"]++
			continue
		case !w.Expires.IsZero() && w.Expires.Sub(s.Now) <= Soon:
			counts["expiring"]++
		default:
			counts["valid"]++
		}
		if !w.Expires.IsZero() && (next.IsZero() || w.Expires.Before(next)) {
			next = w.Expires
		}
	}
	states := newFamily("dropcap_waivers", gauge,
		"Waivers of the policy: expired, expiring within 14 days, and valid for longer.")
	states.addCounts("state", counts)
	soonest := newFamily("dropcap_next_waiver_expiry_timestamp_seconds", gauge,
		"When the next waiver expires, in seconds since 1970.")
	soonest.addTime(next)
	return []*family{states, soonest}
}
