package apply

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"dropcap"
)

// back puts the former lists into the file, if they are not there, and restarts the container if it
// was started with the others.
func (s inPlacing) back(ctx context.Context, c *change) error {
	ctx = context.WithoutCancel(ctx)
	if c.State == dropcap.Preparing {
		return nil
	}
	p, err := c.inPlace()
	if err != nil {
		return err
	}
	for i := range most {
		if err = s.backOnce(ctx, c, p, i); err == nil {
			return nil
		}
		s.log("%s: %v", c.Name, err)
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	return dropcap.Errorf(dropcap.CodePerson, fmt.Sprintf("mend that, then `dropcap backout %s`",
		c.ID), "cannot put %s back as it was: %w", c.Name, plain(err))
}

// backOnce brings back what the engine says of the container, and then its own configuration.
func (s inPlacing) backOnce(ctx context.Context, c *change, p *InPlace, tried int) error {
	err := s.declareBack(ctx, c, p, tried)
	if back := s.giveBack(ctx, c, "-back"); err == nil {
		err = back
	}
	return err
}

func (s inPlacing) declareBack(ctx context.Context, c *change, p *InPlace, tried int) error {
	w, err := c.wanted()
	if err != nil {
		return err
	}
	now, err := s.look(ctx, c, "look-new", c.Before)
	if err != nil { // it may have been left stopped
		if up := s.awake(ctx, c, p, "-back"); up != nil {
			return up
		}
		if now, err = s.look(ctx, c, "look-new", c.Before); err != nil {
			return err
		}
	}
	if now == nil {
		return fmt.Errorf("somebody has removed the container")
	}
	// What ran with the new lists must be restarted. Which it had is not told; if it was started
	// since, it may have been those.
	again := w.ran && (s.restarted(c, now) || !now.alive())
	if !now.declares(c.Was) {
		if err := s.rewriteOne(ctx, c, former, "-back"); err != nil {
			return err
		}
		if now, err = s.look(ctx, c, "inspect-back", c.Before); err != nil || now == nil ||
			!now.declares(c.Was) {
			return fmt.Errorf("the engine has not taken its former file over")
		}
	} else if err := s.revive(ctx, c, p, "-back"); err != nil {
		return err
	}
	if !again || tried > 0 && now.alive() && now.State.StartedAt.After(
		cmp.Or(c.when("restart-back"), s.now())) {
		return nil // an earlier try had no answer, and was done
	}
	_, err = s.do(ctx, c, s.restart("restart-back", c, w.grace))
	return err
}

// InPlacePending tells which program starts the engine again for a change that stopped it and did
// not come to its end; nil if there is none. An engine that does not answer cannot be asked
// anything, so this needs the journal alone.
func InPlacePending(ctx context.Context, j Journal) ([]string, error) {
	list, err := j.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	for _, known := range list {
		if known.Strategy != dropcap.StrategyInPlace || known.State == dropcap.Preparing {
			continue
		}
		kept, err := j.Kept(ctx, known.ID)
		if err != nil {
			return nil, err
		}
		if p, err := (&change{Change: known, keep: kept}).inPlace(); err == nil {
			return p.Start, nil
		}
	}
	return nil, nil
}
