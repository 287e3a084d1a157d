package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// recreating makes a new container and retains the old one. The order lets at most one of the two
// start by itself at any moment: the new one is created, connected and compared while the old one
// runs; the old one is stopped, both are renamed, and the old one loses its restart policy before
// the new one is started. An engine starts by itself what `always` says, even if it was stopped by
// hand, but never what was never started.
type recreating struct{ *Runner }

// effects lists the calls of the way forward.
func (s recreating) effects(c *change) []dropcap.Effect {
	var list []dropcap.Effect
	for _, m := range c.all() {
		if m.After = "ID-OF-THE-NEW"; m.lead != nil {
			m.After += "-" + m.Name
		}
		list = append(list, s.making(m, m.After)...)
	}
	_ = s.inOrder(c, func(m *change) string { return m.After },
		func(m *change, _ *containerState, e dropcap.Effect) error {
			list = append(list, m.titled(e))
			return nil
		})
	for _, m := range c.all() {
		if m.ran() {
			list = append(list,
				m.titled(inspect("inspect-gate", "look whether it runs well", m.After)))
		}
	}
	for _, m := range c.all() {
		list = append(list, m.titled(inspect("inspect-retained",
			"look whether the old one is at rest",
			m.Before)))
	}
	if c.released() {
		for _, m := range c.backwards() {
			list = append(list, m.titled(removeOld(m.Name, m.Before)))
		}
	}
	return list
}

// making are the calls that make the new one beside the old one.
func (s recreating) making(c *change, id string) (list []dropcap.Effect) {
	if c.point() != nil {
		return nil
	}
	creation, err := c.blueprint().Create(c.newName(), c.Is)
	if err != nil {
		return nil
	}
	list = []dropcap.Effect{create("create-new", "create "+c.newName()+", stopped", creation)}
	for _, to := range creation.Connect {
		list = append(list, connect("connect-new", id, to))
	}
	list = append(list, inspect("inspect-new", "compare it with "+c.Name, id))
	if c.carriesLayer() {
		list = append(list, carryLayer(c, id, !c.ran()))
	}
	list = append(list, inspect("inspect-old", "look whether "+c.Name+" is still the same",
		c.Before))
	for i, e := range list {
		list[i] = c.titled(e)
	}
	return list
}

// switching are the effects between the stop of the old and the start of the new.
func (s recreating) switching(c *change, old *containerState, id string) []dropcap.Effect {
	var list []dropcap.Effect
	if old.alive() {
		list = append(list, stop("stop-old", "stop "+c.Name, old.ID, old.grace()))
		if c.carriesLayer() {
			list = append(list, carryRest(c, id))
		}
	}
	list = append(list, rename("rename-old", old.ID, c.backupName()),
		rename("rename-new", id, c.Name))
	if !old.HostConfig.RestartPolicy.never() {
		list = append(list, policy("hold-old", "keep the engine from starting the old one", old.ID,
			restartPolicy{Name: "no"}))
	}
	if old.alive() {
		list = append(list, start("start-new", "start the new "+c.Name, id))
	}
	return list
}

func (s recreating) prepare(ctx context.Context, c *change) error {
	if err := c.each(func(m *change) error {
		if _, err := m.job.Recipe.Create(m.newName(), m.Is); err != nil {
			return err
		}
		return m.keepOriginal()
	}); err != nil {
		return err
	}
	if err := s.note(ctx, c, "note-begin", dropcap.Preparing); err != nil {
		return err
	}
	if err := c.each(func(m *change) error { return s.make(ctx, m) }); err != nil {
		return err
	}
	if err := s.note(ctx, c, "note-created", dropcap.Preparing); err != nil {
		return err
	}
	if err := c.each(func(m *change) error { return s.carry(ctx, m) }); err != nil {
		return err
	}
	if err := c.each(func(m *change) error { return s.unchanged(ctx, m) }); err != nil {
		return err
	}
	return interrupted(ctx)
}

// make builds the new one beside the old one, stopped, and compares them.
func (s recreating) make(ctx context.Context, c *change) error {
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err := c.point(); err != nil {
		return err
	}
	creation, err := c.blueprint().Create(c.newName(), c.Is)
	if err != nil {
		return err
	}
	result, err := s.do(ctx, c, create("create-new", "create "+c.newName()+", stopped", creation))
	if err != nil {
		return err
	}
	if c.After, err = createdID(result.Body); err != nil {
		return err
	}
	for _, to := range creation.Connect {
		if _, err := s.do(ctx, c, connect("connect-new", c.After, to)); err != nil {
			return err
		}
	}
	return s.compare(ctx, c)
}

func createdID(body json.RawMessage) (string, error) {
	var made struct {
		ID string `json:"Id"`
	}
	if err := json.Unmarshal(body, &made); err != nil || len(made.ID) != 64 {
		return "", dropcap.Errorf(dropcap.CodeError, "see the engine's log",
			"cannot read the engine's answer to a create: it names no id")
	}
	return made.ID, nil
}

// compare proves at no downtime that nothing but the capabilities became different.
func (s recreating) compare(ctx context.Context, c *change) error {
	new, err := s.look(ctx, c, "inspect-new", c.After)
	if err != nil {
		return err
	}
	if new == nil {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot go on: somebody has removed the new container of %s", c.Name)
	}
	list := c.blueprint().Check(new.raw, c.Is)
	if len(list) == 0 {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeError, "please report this; nothing was stopped",
		"cannot make the same container as %s: the engine made one that differs in more than "+
			"capabilities: %s", c.Name, places(list))
}

// places says briefly where containers differ.
func places(list []recreate.Difference) string {
	var out []string
	for _, d := range list[:min(len(list), 5)] {
		out = append(out, d.Path+" "+d.Because)
	}
	if len(list) > 5 {
		out = append(out, fmt.Sprintf("%d more", len(list)-5))
	}
	return strings.Join(out, ", ")
}

// unchanged looks whether the old one is still what the plan was made of: others may use the engine
// too.
func (r *Runner) unchanged(ctx context.Context, c *change) error {
	old, err := r.look(ctx, c, "inspect-old", c.Before)
	if err != nil {
		return err
	}
	was, err := read(c.job.Original.Inspect)
	if err != nil {
		return err
	}
	hint := "plan again"
	switch {
	case old == nil:
		return dropcap.Errorf(dropcap.CodeError, hint,
			"cannot change %s: somebody has removed it meanwhile", c.Name)
	case old.Name != was.Name:
		return dropcap.Errorf(dropcap.CodeError, hint,
			"cannot change %s: somebody has renamed it meanwhile, to %s", c.Name, old.Name)
	case old.State.Status != was.State.Status || !old.State.StartedAt.Equal(was.State.StartedAt):
		return dropcap.Errorf(dropcap.CodeError, hint,
			"cannot change %s: it was %s, and meanwhile is %s, started %s", c.Name,
			was.State.Status, old.State.Status,
			old.State.StartedAt.Format(time.RFC3339))
	}
	o := c.job.Original
	o.Inspect = old.raw
	now, err := recreate.Read(o)
	if err != nil {
		return err
	}
	if !bytes.Equal(now.Declared(), c.job.Recipe.Declared()) ||
		old.HostConfig.RestartPolicy != was.HostConfig.RestartPolicy {
		return dropcap.Errorf(dropcap.CodeError, hint,
			"cannot change %s: somebody has changed its configuration meanwhile", c.Name)
	}
	return nil
}

// swap is the downtime. It is not cut short by an interrupt: the gate comes right after it.
func (s recreating) swap(ctx context.Context, c *change) error {
	return s.inOrder(c, func(m *change) string { return m.After },
		func(m *change, old *containerState, e dropcap.Effect) error {
			switch e.Name {
			case "stop-old":
				if c.stopped.IsZero() {
					c.stopped = s.now()
				}
			case "start-new":
				if err := s.alone(ctx, m, old); err != nil {
					return err
				}
				if err := s.starting(ctx, m, e); err != nil {
					return err
				}
				c.DowntimeMS = max(1, s.now().Sub(c.stopped).Milliseconds())
				return nil
			}
			_, err := s.do(ctx, m, e)
			return err
		})
}

// alone makes sure that the old one does not run: an engine that was started again since the stop
// has started one with the policy "always" again, though it was stopped by hand (moby
// daemon/daemon.go, restore). It cannot do so any more once the policy is "no".
func (s recreating) alone(ctx context.Context, c *change, old *containerState) error {
	if old.HostConfig.RestartPolicy.never() && !c.carriesLayer() {
		return nil
	}
	now, err := s.look(ctx, c, "look-old", c.Before)
	if err != nil {
		return err
	}
	if now.alive() {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot start the new %s: the engine has started the old one again meanwhile", c.Name)
	}
	if c.carriesLayer() && now != nil && !now.State.StartedAt.Equal(old.State.StartedAt) {
		return dropcap.Errorf(dropcap.CodeError, "",
			"cannot start the new %s: the old one has run once more meanwhile, and may have written", c.Name)
	}
	return nil
}

// restOne makes sure that the old one neither runs nor is started by the engine: somebody may have
// started or updated it since it was held. One that is gone does no harm; a backout makes it again
// from the journal.
func (s recreating) restOne(ctx context.Context, c *change) (*containerState, error) {
	ctx = context.WithoutCancel(ctx) // the new one has passed: it is too late for an interrupt
	var failed error
	for range most {
		old, err := s.patiently(ctx, c, "inspect-retained", c.Before)
		switch {
		case err != nil:
			return nil, err
		case old.alive():
			return nil, dropcap.Errorf(dropcap.CodeError, "",
				"somebody has started the old container again meanwhile")
		case old == nil || old.HostConfig.RestartPolicy.never():
			return old, nil
		}
		if _, failed = s.do(ctx, c,
			policy("hold-retained", "keep the engine from starting the old one", old.ID,
				restartPolicy{Name: "no"})); failed != nil {
			s.sleep(ctx, s.poll())
		}
	}
	if failed == nil {
		failed = dropcap.Errorf(dropcap.CodeError, "",
			"somebody gives the old container a restart policy again and again")
	}
	return nil, failed
}

// starting starts a container; a port that is not free yet is waited for briefly, since the engine
// frees ports after it has told of a stop.
func (r *Runner) starting(ctx context.Context, c *change, e dropcap.Effect) error {
	for end := r.now().Add(5 * time.Second); ; {
		result, err := r.do(ctx, c, e)
		if err == nil || result.Status != http.StatusInternalServerError || !portTaken(err) ||
			r.now().After(end) {
			return err
		}
		r.sleep(context.WithoutCancel(ctx), r.poll())
	}
}

func portTaken(err error) bool {
	return strings.Contains(err.Error(), "port is already allocated") ||
		strings.Contains(err.Error(), "address already in use")
}

// keepOriginal has the journal keep what a backout, or a recovery, needs.
func (c *change) keepOriginal() error {
	o := c.job.Original
	o.Changes, o.Others, o.Sharers, o.Linkers, o.Down = nil, nil, nil, nil, nil
	var err error
	if c.keep[keepOriginal], err = json.Marshal(o); err != nil {
		return fmt.Errorf("keep what %s is like: %w", c.Name, err)
	}
	if !c.job.Carry && len(c.job.Recipe.Layer()) > 0 {
		c.keep[keepDiscard] = json.RawMessage("true")
	}
	c.keep[keepGate], err = json.Marshal(c.gate)
	return err
}

// interrupted is the error of a person who has had enough.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeInterrupt, "", "cannot finish: interrupted: %w", ctx.Err())
}
