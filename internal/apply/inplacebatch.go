package apply

import (
	"context"

	"dropcap"
)

// inPlaceJobs is how many of the jobs, from the first on, are changes in place: one stop of the
// engine serves them all.
func inPlaceJobs(jobs []Job) int {
	n := 0
	for n < len(jobs) && jobs[n].Step.Strategy == dropcap.StrategyInPlace &&
		jobs[n].InPlace != nil {
		n++
	}
	return n
}

// batch does several changes in place with one stop of the engine; each has its own restart, gate,
// and way back. After one has failed the others are taken back unstarted, unless all are to be
// tried.
func (r *Runner) batch(ctx context.Context, jobs []Job, all bool) []Outcome {
	s := inPlacing{Runner: r}
	outcomes := make([]Outcome, len(jobs))
	var ready []*change
	var at []int
	for i := range jobs {
		outcomes[i].Step = jobs[i].Step
		c, change, err := r.readied(ctx, s, &jobs[i])
		if err != nil {
			outcomes[i].Change, outcomes[i].Err = change, err
			continue
		}
		ready, at = append(ready, c), append(at, i)
	}
	failed := len(ready) < len(jobs)
	if len(ready) == 0 {
		return outcomes
	}
	if failed && !all {
		for k, c := range ready {
			outcomes[at[k]].Change, outcomes[at[k]].Err = r.undo(ctx, s, c, ErrNotTried)
		}
		return outcomes
	}
	began := r.now()
	each, err := s.rewrite(ctx, ready, wished, "")
	for k, c := range ready {
		o := &outcomes[at[k]]
		why := err
		switch {
		case why == nil && ctx.Err() != nil:
			why = interrupted(ctx)
		case why == nil && failed && !all:
			why = ErrNotTried
		case why == nil:
			why = each[k]
		}
		if why == nil {
			why = s.taken(ctx, c, began)
		}
		if why == nil {
			o.Change, o.Err = r.prove(ctx, s, c)
		} else {
			o.Change, o.Err = r.undo(ctx, s, c, why)
		}
		failed = failed || o.Err != nil
	}
	return outcomes
}

// readied brings a job to where its engine is to be stopped.
func (r *Runner) readied(ctx context.Context, s strategy, j *Job) (*change, dropcap.Change, error) {
	c := r.begin(j)
	err := s.prepare(ctx, c)
	if err != nil && !c.begun {
		return nil, dropcap.Change{}, err
	}
	if err == nil {
		if err = r.note(ctx, c, "note-switching", dropcap.Switching); err != nil {
			c.State = dropcap.Preparing // nothing was stopped, whatever has become of the note
		}
	}
	if err == nil {
		return c, c.Change, nil
	}
	known, err := r.undo(ctx, s, c, err)
	return nil, known, err
}
