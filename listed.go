package dropcap

// Listed returns the document with empty lists instead of nil, so that scripts need no null checks.
// The declared lists stay as the engine stored them: there, null and [] differ.
func (a Audit) Listed() Audit {
	a.Host.LSM = listed(a.Host.LSM)
	a.Findings = listed(a.Findings)
	a.Containers = each(a.Containers, Judged.Listed)
	return a
}

// Listed returns the container with empty lists instead of nil.
func (c Judged) Listed() Judged {
	c.Findings = listed(c.Findings)
	c.Labels = listed(c.Labels)
	c.Execs = listed(c.Execs)
	c.Kernel.Processes = listed(c.Kernel.Processes)
	return c
}

// Listed returns the document with empty lists instead of nil.
func (p Plan) Listed() Plan {
	p.Host.LSM = listed(p.Host.LSM)
	p.Steps = each(p.Steps, Step.Listed)
	return p
}

// Listed returns the step with empty lists instead of nil.
func (s Step) Listed() Step {
	s.Retained, s.Warnings = listed(s.Retained), listed(s.Warnings)
	s.Before, s.After = s.Before.listed(), s.After.listed()
	return s
}

// Listed returns the document with empty lists instead of nil.
func (c Changes) Listed() Changes {
	c.Changes = each(c.Changes, Change.Listed)
	return c
}

// Listed returns the change with empty lists instead of nil.
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

// each returns a copy of a list with a function applied to each element.
func each[T any](l []T, do func(T) T) []T {
	out := make([]T, len(l))
	for i, x := range l {
		out[i] = do(x)
	}
	return out
}
