package apply

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/recreate"
)

// ErrNotTried is the cause of an outcome that is none: an earlier job failed.
var ErrNotTried = errors.New("not tried, since an earlier one failed")

// Apply does jobs one after the other, and stops at the first that fails unless all are to be
// tried. An interrupt rolls back the one that is under way and ends it. Each has an outcome.
func (r *Runner) Apply(ctx context.Context, jobs []Job, all bool) []Outcome {
	outcomes := make([]Outcome, 0, len(jobs))
	failed := false
	for i := 0; i < len(jobs); i++ {
		j := &jobs[i]
		o := Outcome{Step: j.Step}
		switch n := inPlaceJobs(jobs[i:]); {
		case ctx.Err() != nil:
			o.Err = interrupted(ctx)
		case failed && !all:
			o.Err = ErrNotTried
		case n > 1:
			list := r.batch(ctx, jobs[i:i+n], all)
			outcomes, i = append(outcomes, list...), i+n-1
			failed = failed || slices.ContainsFunc(list, func(o Outcome) bool {
				return o.Err != nil
			})
			continue
		default:
			o.Change, o.Err = r.apply(ctx, j)
			failed = failed || o.Err != nil
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// apply does one job.
func (r *Runner) apply(ctx context.Context, j *Job) (dropcap.Change, error) {
	s, err := r.strategy(j.Step.Strategy)
	if err != nil {
		return dropcap.Change{}, err
	}
	c := r.begin(j)
	if err := s.prepare(ctx, c); err != nil {
		if !c.begun {
			return dropcap.Change{}, err
		}
		return r.undo(ctx, s, c, err)
	}
	if err := r.note(ctx, c, "note-switching", dropcap.Switching); err != nil {
		c.State = dropcap.Preparing // nothing was stopped, whatever has become of the note
		return r.undo(ctx, s, c, err)
	}
	if err := s.swap(ctx, c); err != nil {
		return r.undo(ctx, s, c, err)
	}
	return r.prove(ctx, s, c)
}

// prove is the gate, and what follows from it.
func (r *Runner) prove(ctx context.Context, s strategy, c *change) (dropcap.Change, error) {
	if err := c.each(func(m *change) error { return r.sync(ctx, m) }); err != nil {
		return r.undo(ctx, s, c, err)
	}
	r.try(ctx, c, "note-checking", dropcap.Checking)
	if c.ran() {
		if err := r.gate(ctx, c, c.started()...); err != nil {
			return r.undo(ctx, s, c, err)
		}
	}
	if err := s.rest(ctx, c); err != nil {
		return r.undo(ctx, s, c, err)
	}
	if err := r.try(ctx, c, "note-applied", dropcap.Applied); err != nil {
		// It stands and has proven itself, and recover will find it so: a rollback would cost a
		// downtime and mend nothing.
		return c.Change, dropcap.Errorf(dropcap.CodeError,
			"mend that, then `dropcap recover` writes it down; the new container runs and has "+
				"passed",
			"cannot write down that %s is changed: %w", c.Title(), plain(err))
	}
	for _, m := range c.all() {
		r.idFile(ctx, m, m.Before, m.After)
	}
	return c.Change, nil
}

// idFile writes the container's id into the file of docker run --cidfile, which a service may go
// by, if the other's stands there. Nothing hangs on it: the file may be gone, and is not ours.
func (r *Runner) idFile(ctx context.Context, c *change, from, to string) {
	o, err := c.original()
	if err != nil || from == "" || to == "" || from == to {
		return
	}
	recipe, err := recreate.Read(o)
	if err != nil || !path.IsAbs(recipe.IDFile()) {
		return
	}
	e := dropcap.Effect{
		Name: "write-idfile", Says: "write the id of the container into " + recipe.IDFile(),
		Action: &dropcap.File{Path: recipe.IDFile(), Was: []byte(from), Is: []byte(to)},
	}
	if _, err := r.do(ctx, c, e); err != nil {
		r.log("%s: %v", c.Name, err)
	}
}

// try writes a note that nothing depends on any more, up to three times.
func (r *Runner) try(ctx context.Context, c *change, name string, state dropcap.ChangeState) error {
	before := c.Timeline
	for i := 0; ; i++ {
		c.Timeline = before
		err := r.note(ctx, c, name, state)
		if err == nil {
			return nil
		}
		if i == 2 {
			r.log("%s: %v", c.Name, err)
			return err
		}
		r.sleep(context.WithoutCancel(ctx), r.poll())
	}
}

// undo restores the old one because of an error, and returns the error with the result.
func (r *Runner) undo(ctx context.Context, s strategy, c *change,
	why error) (dropcap.Change, error) {
	c.Because = trimCannot(why.Error())
	r.log("%s: %s: rolling back", c.Title(), c.Because)
	touched := c.State != dropcap.Preparing
	if touched {
		r.try(ctx, c, "note-rolling-back", dropcap.RollingBack)
	}
	if err := s.back(ctx, c); err != nil {
		return r.person(ctx, c, err)
	}
	noted := r.try(ctx, c, "note-rolled-back", dropcap.RolledBack)
	how := "the old container runs as before"
	switch {
	case touched && len(c.Others) > 0:
		how = "the old containers run as before"
	case !touched:
		how = "nothing was stopped"
	case !c.ran():
		how = "the old container is as before"
	}
	code, hint := dropcap.CodeRolledBack, hintOf(why)
	if len(c.Kept) > 0 {
		how += "; what the new one has written is kept"
		hint = c.keptHint()
	}
	if codeOf(why) == dropcap.CodeInterrupt {
		return c.Change, dropcap.Errorf(dropcap.CodeInterrupt, "",
			"cannot finish: interrupted; %s was rolled back: %s", c.Title(), how)
	}
	if hint == "" && c.Logged {
		hint = "`dropcap history " + c.ID + " --log` shows what the new container printed last"
	}
	if noted != nil {
		hint = "mend the store, then `dropcap recover` writes it down"
	}
	return c.Change, dropcap.Errorf(code, hint, "cannot change %s: %w; rolled back: %s", c.Title(),
		plain(why), how)
}

// keptHint says how to get at what a rollback has kept.
func (c *change) keptHint() string {
	var names []string
	for _, m := range c.all() {
		if slices.Contains(c.Kept, m.After) {
			names = append(names, m.newName())
		}
	}
	return fmt.Sprintf("`docker diff %[1]s` lists what it has written, `docker cp %[1]s:PATH .` gets "+
		"at it%[2]s; `dropcap prune` removes it", names[0], more(len(names)-1))
}

// person ends a change that only a person can end.
func (r *Runner) person(ctx context.Context, c *change, err error) (dropcap.Change, error) {
	c.Because = joined(c.Because, trimCannot(err.Error()))
	r.try(ctx, c, "note-needs-person", dropcap.NeedsPerson)
	return c.Change, err
}

func codeOf(err error) dropcap.Code {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return dropcap.CodeError
}

func hintOf(err error) string {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

func trimCannot(s string) string {
	if i := strings.Index(s, "cannot change "); i == 0 {
		if _, rest, ok := strings.Cut(s, ": "); ok {
			return rest
		}
	}
	return s
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// Effects lists what applying a job would do to the engine, in order, and does none of it. What is
// not known before has a name that says so.
func (r *Runner) Effects(j *Job) ([]dropcap.Effect, error) {
	s, err := r.strategy(j.Step.Strategy)
	if err != nil {
		return nil, err
	}
	return s.effects(r.begin(j)), nil
}
