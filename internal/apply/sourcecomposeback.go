package apply

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/source"
)

// stands reports whether all of the services' containers run as the edited files say.
func (s composing) stands(ctx context.Context, c *change) (bool, error) {
	for end := s.now().Add(s.patience()); ; s.sleep(ctx, s.poll()) {
		_, err := s.list(ctx, c)
		if err == nil {
			break
		}
		if s.now().After(end) {
			return false, err
		}
	}
	err := s.made(ctx, c, false)
	if err == nil && c.DowntimeMS == 0 && !c.when("note-switching").IsZero() {
		for _, id := range c.made() {
			if now, err := s.look(ctx, c, "inspect-made", id); err == nil && now != nil {
				c.DowntimeMS = max(c.DowntimeMS, now.State.StartedAt.Sub(c.when("note-switching")).
					Milliseconds())
			}
		}
	}
	if err != nil {
		return false, nil
	}
	apart, err := s.apart(ctx, c)
	return err == nil && len(apart) == 0, nil
}

// back takes the edits back and lets compose make the containers from the former files, unless
// nothing was stopped yet.
func (s composing) back(ctx context.Context, c *change) error {
	s.late = true
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
			s.log("%s: %v", c.Title(), err) // compose goes on from what is there
		}
		if s.asBefore(ctx, c) {
			return s.reach(ctx, c)
		}
		result, err := s.composeUp(ctx, c, "compose-up-back", true)
		switch {
		case err == nil && result.Status == 0:
			if err = s.made(ctx, c, true); err == nil {
				return s.reach(ctx, c)
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

// restore takes the edit of one file back. Where that is done already, writing the file over itself
// says so.
func (s composing) restore(ctx context.Context, c *change, f source.Edited) error {
	var err error
	for i := range most {
		var w dropcap.Effect
		if w, err = s.reversal(f); err == nil {
			if _, err = s.do(ctx, c, w); err == nil {
				return nil
			}
		}
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	return err
}

// reversal is what takes an edit back in the file as it is now: the former file where nothing else
// has changed, else the file without this change's own edits.
func (s composing) reversal(f source.Edited) (dropcap.Effect, error) {
	now, err := s.Read(f.Path)
	if err != nil {
		return dropcap.Effect{}, fmt.Errorf("read %s: %w", f.Path, err)
	}
	is, err := source.Reversed(f, now, s.from.edits())
	if err != nil {
		return dropcap.Effect{}, dropcap.Errorf(dropcap.CodeError, s.patch(f),
			"cannot take the change of %s back: %w", f.Path, err)
	}
	says := "put the former " + f.Path + " back"
	switch {
	case bytes.Equal(is, now):
		return dropcap.Effect{
			Name: "check-source", Says: "look whether the former " + f.Path + " stands",
			Action: &dropcap.File{Path: f.Path, Was: now, Is: now},
		}, nil
	case !bytes.Equal(is, f.Was):
		says = "take the change back in " + f.Path
	}
	return dropcap.Effect{Name: "restore-source", Says: says, Action: &dropcap.File{Path: f.Path,
		Was: now, Is: is}}, nil
}

// copies are the texts for compose. On the way back, services that are only named beside the
// others, or made again with them, must be found as they are by now: then it is given the files of
// now, where these differ in capabilities only from what was checked.
func (s composing) copies(edited bool) []dropcap.Copy {
	list := s.from.Given.With(s.from.Files, edited)
	if !s.late || len(s.from.Beside) == 0 && len(s.from.edits()) == len(s.from.Services) {
		return s.from.copiesOf(list)
	}
	for i, f := range list {
		now, err := s.Read(f.Path)
		for _, e := range s.from.Files {
			if err == nil && e.Path == f.Path && !edited {
				now, err = source.Reversed(e, now, s.from.edits())
			}
		}
		if err == nil && source.SameButCapabilities(f.Text, now) {
			list[i].Text = now
		}
	}
	return s.from.copiesOf(list)
}

// patch is what a person has to take back by hand.
func (s composing) patch(f source.Edited) string {
	back := source.Edited{Path: f.Path, Was: f.Is, Is: f.Was}
	var wanted []source.Wanted
	for _, w := range s.from.edits() {
		w.Was, w.Is = w.Is, w.Was
		wanted = append(wanted, w)
	}
	return "take it back by hand:\n" + strings.TrimSuffix(source.Patch([]source.Edited{back},
		wanted), "\n")
}

func (s composing) lost(c *change, err error) error {
	hint := fmt.Sprintf("mend that, then `dropcap backout %s`; by hand: take the change of the "+
		"file back, and %s",
		c.ID, s.byHand())
	return dropcap.Errorf(dropcap.CodePerson, hint, "cannot put the old %s back: %w", c.Title(),
		plain(err))
}

// mayBack refuses where a backout would bring more about than it says.
func (s composing) mayBack(ctx context.Context, c *change) error {
	s.late = true
	list, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	s.from.Services = slices.DeleteFunc(s.from.Services, func(one *Service) bool {
		return one.joined() && len(membersOf(list, one)) == 0 // somebody has removed it since
	})
	for _, one := range s.from.Services {
		n := len(membersOf(list, one))
		if n == 0 {
			return dropcap.Errorf(dropcap.CodeError, "take the change of the file back by hand",
				"cannot back out change %s: the service %s has no containers any more", c.ID,
				one.Service)
		}
		one.Replicas = n
		if err := s.keepJoined(ctx, c, membersOf(list, one)[0]); err != nil {
			return err
		}
	}
	if err := s.keepPlaces(ctx, c, list); err != nil {
		return err
	}
	names, beside, err := s.running(ctx, c)
	if err != nil {
		return err
	}
	for _, f := range s.from.Files {
		if _, err := s.reversal(f); err != nil {
			return dropcap.Errorf(dropcap.CodeError, hintOf(err), "cannot back out change %s: %w",
				c.ID, plain(err))
		}
	}
	return s.nothingPending(ctx, c, append(names, beside...), true)
}
