package apply

import (
	"context"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/source"
)

// back puts the former files back and lets compose make the containers from them, unless nothing
// was stopped yet.
func (s composing) back(ctx context.Context, c *change) error {
	for _, f := range s.from.Files {
		if err := s.restore(ctx, c, f); err != nil {
			return s.lost(c, err)
		}
	}
	if c.State == dropcap.Preparing {
		return nil
	}
	if c.State == dropcap.RollingBack {
		s.keepLogOfOne(ctx, c)
	}
	var last error
	for i, end := 0, s.now().Add(s.patience()); i < most || s.now().Before(end); i++ {
		if err := s.sweepInterim(ctx, c); err != nil {
			s.log("%s: %v", c.Name, err) // compose goes on from what is there
		}
		if s.asBefore(ctx, c) {
			return nil
		}
		result, err := s.composeUp(ctx, c, "compose-up-back", false, c.Was)
		switch {
		case err == nil && result.Status == 0:
			if _, err = s.made(ctx, c, c.Was); err == nil {
				return nil
			}
		case err == nil:
			err = s.failed(c, "have compose make it again from the former file", result)
		}
		last = err
		if i >= most-1 && result.Status != 0 {
			break
		}
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	return s.lost(c, last)
}

// restore puts one former file back. Where it stands already, writing it over itself says so.
func (s composing) restore(ctx context.Context, c *change, f source.Edited) error {
	var err error
	for i := range most {
		if _, err = s.do(ctx, c, s.write("restore-source", f, true)); err == nil {
			return nil
		}
		same := dropcap.Effect{Name: "check-source", Says: "look whether the former " + f.Path +
			" stands", Action: &dropcap.File{Path: f.Path, Was: f.Was, Is: f.Was}}
		if _, no := s.do(ctx, c, same); no == nil {
			return nil
		}
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	return err
}

func (s composing) lost(c *change, err error) error {
	return dropcap.Errorf(dropcap.CodePerson,
		fmt.Sprintf("mend that, then `dropcap backout %s`; by hand: take the change of the file "+
			"back, and %s", c.ID,
			source.Line(s.from.Project.Up(s.from.Replicas))), "cannot put the old %s back: %w",
		c.Name,
		plain(err))
}

// mayBack refuses where a backout would bring more about than it says.
func (s composing) mayBack(ctx context.Context, c *change) error {
	list, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return dropcap.Errorf(dropcap.CodeError, "take the change of the file back by hand",
			"cannot back out change %s: the service has no containers any more", c.ID)
	}
	s.from.Replicas = len(list)
	names, err := s.running(ctx, c)
	if err != nil {
		return err
	}
	for _, f := range s.from.Files {
		if _, err := s.do(ctx, c, s.asLeft(f)); err != nil {
			return dropcap.Errorf(dropcap.CodeError, "take the change of the file back by hand",
				"cannot back out change %s: %w", c.ID, err)
		}
	}
	return s.nothingPending(ctx, c, names, true)
}
