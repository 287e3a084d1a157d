package dropcap

import "slices"

// Status returns the exit status of an audit: findings take precedence over unknowns.
func (a Audit) Status() int {
	status := ExitOK
	if a.Summary.Unknown > 0 {
		status = ExitIncomplete
	}
	all := slices.Clone(a.Findings)
	for _, c := range a.Containers {
		all = append(all, c.Findings...)
	}
	if slices.ContainsFunc(all, Finding.Counts) {
		return Worst(status, ExitFindings)
	}
	return status
}

// Status returns the exit status of a plan: pending changes take precedence over refusals.
func (p Plan) Status() int {
	status := ExitOK
	for _, s := range p.Steps {
		switch {
		case s.Refused != "":
			status = Worst(status, ExitIncomplete)
		case s.Changes():
			status = Worst(status, ExitFindings)
		}
	}
	return status
}
