package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// wanted reads the goal of the way back from the journal.
func (c *change) wanted() (wanted, error) {
	o, err := c.original()
	if err != nil {
		return wanted{}, err
	}
	was, err := read(o.Inspect)
	if err != nil {
		return wanted{}, err
	}
	w := wanted{
		id: c.Before, name: c.Name, backup: c.backupName(), aside: c.newName(),
		policy: was.HostConfig.RestartPolicy, ran: was.alive(),
		first: was.ID, layerCarried: c.carriesLayer(), touched: c.State != dropcap.Preparing,
		linkedTo: c.linked(),
		keepNew:  c.State == dropcap.BackingOut, grace: was.grace(), startedAt: was.State.StartedAt,
	}
	if c.State != dropcap.BackingOut {
		w.switched = c.when("note-switching")
	}
	return w, nil
}

// ran reports whether the old container ran when the change began, so that the new one has to.
func (c *change) ran() bool {
	w, err := c.wanted()
	return err == nil && w.ran
}

// backOne brings the old one back.
func (s recreating) backOne(ctx context.Context, c *change) error {
	b := &backing{Runner: s.Runner, c: c, tries: map[string]int{}, mute: map[string]int{},
		hope: s.now().Add(s.patience())}
	// An interrupt must not stop it halfway.
	return b.run(context.WithoutCancel(ctx))
}

// backing is one attempt to bring the old one back.
type backing struct {
	*Runner
	c     *change
	m     memory
	tries map[string]int // failures and repetitions of each effect
	mute  map[string]int // how often each had no answer
	// until then an engine that does not answer is waited for; each success moves it on
	hope time.Time
}

// most is how often one effect is tried where the engine refuses it, or does it without a visible
// end.
const most = 6

func (b *backing) run(ctx context.Context) error {
	w, err := b.c.wanted()
	if err != nil {
		return b.lost(err)
	}
	for {
		old, new, err := b.observe(ctx)
		if err != nil {
			if b.now().After(b.hope) {
				return b.lost(err)
			}
			b.sleep(ctx, b.poll())
			continue
		}
		w.id = b.c.Before
		if w.touched && b.astray(old) {
			if err := b.relink(ctx, old); err != nil {
				return b.lost(err)
			}
			continue
		}
		e, wait := w.next(b.now(), old, new, b.m)
		switch {
		case wait:
			b.hope = b.now().Add(b.patience())
			b.sleep(ctx, b.poll())
		case e == nil:
			if w.keepNew {
				b.idFile(ctx, b.c, b.c.After, b.c.Before)
			}
			if !b.m.unnoted {
				b.sweepStrays(ctx)
			}
			if err := b.ended(w, old); err != nil {
				return err
			}
			if err := b.succeed(ctx, w, old); err != nil {
				b.log("%s: earlier changes cannot be taken back: %v", b.c.Name, err)
			}
			b.discard(ctx, w, new)
			return nil
		default:
			if e.Name == "remove-new" {
				b.keepLog(ctx, b.c, new)
			}
			if err := b.step(ctx, *e, old); err != nil {
				return err
			}
		}
	}
}

// observe looks at both, by id; one whose id never reached the journal, by the name that only we
// give.
func (b *backing) observe(ctx context.Context) (old, new *containerState, err error) {
	if old, err = b.look(ctx, b.c, "look-old", b.c.Before); err != nil {
		return nil, nil, err
	}
	if old == nil {
		if old, err = b.look(ctx, b.c, "look-old", b.c.backupName()); err != nil {
			return nil, nil, err
		}
	}
	if b.c.After != "" {
		new, err = b.look(ctx, b.c, "look-new", b.c.After)
		return old, new, err
	}
	// A recent create may still be under way in the engine.
	for end := b.c.when("note-begin").Add(3 * time.Second); ; b.sleep(ctx, b.poll()) {
		new, err = b.look(ctx, b.c, "look-new", b.c.newName())
		if err != nil || new != nil || !b.now().Before(end) {
			return old, new, err
		}
	}
}

// step does one effect. An error that it returns ends the attempt; all others are tried again, from
// what is observed then.
func (b *backing) step(ctx context.Context, e dropcap.Effect, old *containerState) error {
	if b.tries[e.Name]++; b.tries[e.Name] > most {
		return b.lost(fmt.Errorf("%s does not come to its end", e.Says))
	}
	var result dropcap.Result
	var err error
	switch e.Name {
	case "create-again":
		result, err = b.again(ctx)
	case "carry-again":
		if result, err = b.do(ctx, b.c, e); err == nil { // it is about to be all that there is
			result, err = b.do(ctx, b.c, dropcap.Effect{Name: "sync-again",
				Says:   "bring the old one's layer to the disk",
				Action: &dropcap.Sync{Container: old.ID}})
		}
	default:
		result, err = b.do(ctx, b.c, e)
	}
	switch {
	case err == nil:
		b.hope = b.now().Add(b.patience())
		b.m.started = b.m.started || e.Name == "start-old"
		b.m.stopped = b.m.stopped || e.Name == "stop-old"
		if e.Name == "carry-again" {
			b.m.carried = true
			b.c.Because = joined(b.c.Because,
				"what its own layer held was carried back from the new one's")
		}
		return nil
	case result.Status == 0: // no answer: nobody knows whether it was done, so look
		switch b.mute[e.Name]++; {
		case b.mute[e.Name] == 1: // one request may take as long as all patience
			b.hope = b.now().Add(b.patience())
		case b.now().After(b.hope):
			return b.lost(err)
		}
		b.tries[e.Name]--
	case e.Name == "remove-new" && b.tries[e.Name] >= most/2:
		b.m.irremovable = true
	case e.Name == "rename-old-back" && result.Status == http.StatusConflict && b.foreign(ctx):
		return b.lost(fmt.Errorf("the name %s belongs to another container now, which dropcap "+
			"did not make", b.c.Name))
	case b.tries[e.Name] >= most:
		return b.lost(err)
	}
	b.sleep(ctx, b.poll()*time.Duration(1+b.tries[e.Name]))
	return nil
}

// foreign reports whether the container's name belongs to one that is neither the old nor the new
// one.
func (b *backing) foreign(ctx context.Context) bool {
	s, err := b.look(ctx, b.c, "look-name", b.c.Name)
	return err == nil && s != nil && s.Name == b.c.Name && s.ID != b.c.Before && s.ID != b.c.After
}

// again builds the old container again, since somebody has removed the retained one: under the
// backup name, never started.
func (b *backing) again(ctx context.Context) (dropcap.Result, error) {
	id, result, err := b.makeAgain(ctx, "create-again", b.c.backupName())
	if err != nil {
		return result, err
	}
	b.replaced(ctx, id, "the retained container was gone; it was made again from the journal")
	return result, nil
}

// makeAgain makes the old container once more, from the journal.
func (b *backing) makeAgain(ctx context.Context, effect, name string) (id string,
	result dropcap.Result, err error) {
	result.Status = http.StatusGone
	o, err := b.c.original()
	if err != nil {
		return "", result, err
	}
	// a volume may have been emptied since: nothing of the image's may be copied into it
	o.Filled = nil
	o = o.Pointing(b.c.partners(false))
	recipe, err := recreate.Read(o)
	if err != nil {
		return "", result, err
	}
	creation, err := recipe.Exact(name)
	if err != nil {
		return "", result, err
	}
	result, err = b.do(ctx, b.c, create(effect, "make the old "+b.c.Name+
		" again, from the journal", creation))
	if err != nil {
		return "", result, err
	}
	if id, err = createdID(result.Body); err != nil {
		return "", result, err
	}
	for _, to := range creation.Connect {
		if result, err := b.do(ctx, b.c, connect("connect-again", id, to)); err != nil {
			return "", result, err
		}
	}
	return id, result, nil
}

// replaced notes that another container is the old one by now.
func (b *backing) replaced(ctx context.Context, id, because string) (noted bool) {
	b.m.whole = true
	b.c.Before = id
	b.c.Because = joined(b.c.Because, because)
	return b.try(ctx, b.c, "note-made-again", b.c.State) == nil
}

// ended judges the result.
func (b *backing) ended(w wanted, old *containerState) error {
	switch {
	case old == nil:
		b.c.Because = joined(b.c.Because,
			"somebody has removed the container before anything was stopped")
	case b.m.started && !old.alive() && old.State.ExitCode != 0:
		return b.lost(fmt.Errorf("it was started, and ended with exit status %d%s",
			old.State.ExitCode, ofError(old.State.Error)))
	}
	return nil
}

// lost says what a person has to do.
func (b *backing) lost(err error) error {
	hint := fmt.Sprintf("mend that, then `dropcap backout %s`; by hand: `docker rename %s %s; "+
		"docker start %s`, once the new one is stopped",
		b.c.ID, short(b.c.Before), b.c.Name, b.c.Name)
	return dropcap.Errorf(dropcap.CodePerson, hint, "cannot put the old %s back: %w", b.c.Name,
		plain(err))
}

// plain strips the beginning of a sentence that becomes part of another.
func plain(err error) error {
	var e *dropcap.Error
	if errors.As(err, &e) {
		return &dropcap.Error{Code: e.Code, Message: trimCannot(e.Message), Hint: e.Hint, Err: e}
	}
	return err
}
