package dropcap

import "slices"

// Status is the exit status that an audit stands for: findings before unknowns.
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

// Status is the exit status that a plan stands for: changes pending before what was refused.
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
