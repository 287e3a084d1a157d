package dropcap

// Listed returns the document with empty lists for those that are nil, so that a script may walk
// them without asking. The declared lists stay as the engine stored them: null and [] are different
// there.
func (a Audit) Listed() Audit {
	a.Host.LSM = listed(a.Host.LSM)
	a.Findings = listed(a.Findings)
	a.Containers = each(a.Containers, Judged.Listed)
	return a
}

// Listed returns the container with empty lists for those that are nil.
func (c Judged) Listed() Judged {
	c.Findings = listed(c.Findings)
	c.Labels = listed(c.Labels)
	c.Execs = listed(c.Execs)
	c.Kernel.Processes = listed(c.Kernel.Processes)
	return c
}

// Listed returns the document with empty lists for those that are nil.
func (p Plan) Listed() Plan {
	p.Host.LSM = listed(p.Host.LSM)
	p.Steps = each(p.Steps, Step.Listed)
	return p
}

// Listed returns the step with empty lists for those that are nil.
func (s Step) Listed() Step {
	s.Retained, s.Warnings = listed(s.Retained), listed(s.Warnings)
	s.Before, s.After = s.Before.listed(), s.After.listed()
	return s
}

// Listed returns the document with empty lists for those that are nil.
func (c Changes) Listed() Changes {
	c.Changes = each(c.Changes, Change.Listed)
	return c
}

// Listed returns the change with empty lists for those that are nil.
func (c Change) Listed() Change {
	c.Timeline = listed(c.Timeline)
	c.Was, c.Is = c.Was.listed(), c.Is.listed()
	return c
}

func (g Grant) listed() Grant {
	g.CapAdd, g.CapDrop = listed(g.CapAdd), listed(g.CapDrop)
	return g
}

func listed[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// each applies a function to a copy of a list.
func each[T any](l []T, do func(T) T) []T {
	out := make([]T, len(l))
	for i, x := range l {
		out[i] = do(x)
	}
	return out
}
