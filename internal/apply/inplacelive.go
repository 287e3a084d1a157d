package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"dropcap"
	"dropcap/internal/source"
)

// keepLive is the name under which the journal keeps a lent liveRestore.
const keepLive = "live-restore"

// lent is the engine's configuration file as it was before live-restore was switched on in it for
// the time of a stop of the engine. It is in the journal before the file is touched.
type lent struct {
	File    string `json:"file"`
	Was     []byte `json:"was"`
	Missing bool   `json:"missing"` // there was no file
	Backing bool   `json:"backing"` // it was for a backout; else for the change itself
}

// texts are the file's contents with live-restore on and off. Set reports whether it said anything
// about it.
func (l lent) texts() (on, off []byte, set bool, err error) {
	return source.LiveRestore(l.Was)
}

// lent is what the journal keeps of the file from this attempt: what it keeps from before a backout
// says nothing about the file as it is now.
func (c *change) lent() (lent, bool) {
	var l lent
	err := json.Unmarshal(c.keep[keepLive], &l)
	return l, err == nil && l.File != "" && l.Backing == (c.State == dropcap.BackingOut)
}

func (s inPlacing) config(c *change, p *InPlace) (l lent, err error) {
	l = lent{File: p.Config, Backing: c.State == dropcap.BackingOut}
	l.Was, err = s.Read(p.Config)
	if errors.Is(err, fs.ErrNotExist) {
		l.Missing, err = true, nil
	}
	return l, err
}

// outlive sees to it that the containers outlive the stop of the engine, and its start, at which it
// goes by its file alone. Where that does not say so, live-restore is switched on there and by a
// reload; giveBack is the way back. Each change of the batch has it in its journal, since nobody
// knows which is recovered first.
func (s inPlacing) outlive(ctx context.Context, batch []*change, p *InPlace, suffix string) error {
	if !p.Survive {
		return nil
	}
	c := batch[0]
	if err := s.giveBack(ctx, c, suffix); err != nil { // an earlier attempt has come half the way
		return err
	}
	live, err := s.live(ctx, c)
	switch {
	case err != nil || live && p.Config == "":
		return err
	case p.Config == "":
		return dropcap.Errorf(dropcap.CodeError, "switch live-restore on, then try again",
			"cannot stop the engine: all containers would stop with it")
	}
	l, err := s.config(c, p)
	if err != nil {
		return err
	}
	on, _, set, err := l.texts()
	if err != nil {
		return fmt.Errorf("switch live-restore on in %s: %w", l.File, err)
	}
	says := set && bytes.Equal(on, l.Was)
	if live && says {
		return nil
	}
	if err := s.lend(ctx, batch, l); err != nil {
		return err
	}
	if !says {
		f := &dropcap.File{Path: l.File, Was: l.Was, Is: on, Missing: l.Missing}
		e := dropcap.Effect{Name: "write-config" + suffix, Says: "switch live-restore on in " +
			l.File, Action: f}
		if _, err := s.do(ctx, c, e); err != nil {
			return err
		}
	}
	return s.reload(ctx, c, l, true, suffix)
}

// lend writes down what the file is, unless the journal knows.
func (s inPlacing) lend(ctx context.Context, batch []*change, l lent) error {
	kept, err := json.Marshal(l)
	if err != nil {
		return err
	}
	for _, c := range batch {
		if bytes.Equal(kept, c.keep[keepLive]) {
			continue
		}
		former := c.keep[keepLive]
		c.keep[keepLive] = kept
		if err := s.note(ctx, c, "note-live-restore", c.State); err != nil {
			c.keep[keepLive] = former
			return err
		}
	}
	return nil
}

// live asks the engine whether containers outlive it.
func (s inPlacing) live(ctx context.Context, c *change) (bool, error) {
	result, err := s.do(ctx, c, dropcap.Effect{
		Name: "look-live-restore", Says: "ask whether live-restore is on",
		Action: &dropcap.Call{Method: http.MethodGet, Path: "/info"},
	})
	if err != nil {
		return false, err
	}
	var info struct{ LiveRestoreEnabled bool }
	if err := json.Unmarshal(result.Body, &info); err != nil {
		return false, fmt.Errorf("read what the engine says of itself: %w", err)
	}
	return info.LiveRestoreEnabled, nil
}

// reload has the engine read the file, and waits until it says that it has: it reads it some time
// after the signal, and tells nobody that it refuses what stands there.
func (s inPlacing) reload(ctx context.Context, c *change, l lent, want bool, suffix string) error {
	e := dropcap.Effect{
		Name: "reload-engine" + suffix, Says: "have the engine read " + l.File,
		Action: &dropcap.Reload{Config: l.File},
	}
	if _, err := s.do(ctx, c, e); err != nil {
		return err
	}
	for end := s.now().Add(reloading); ; s.sleep(ctx, s.poll()) {
		on, err := s.live(ctx, c)
		switch {
		case err == nil && on == want:
			return nil
		case !s.now().After(end):
		case err != nil:
			return err
		default:
			return dropcap.Errorf(dropcap.CodeError, "its log says why",
				"cannot switch live-restore %s: the engine does not take %s over", word(want),
				l.File)
		}
	}
}

func word(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// giveBack puts the engine's configuration file back to the byte, and live-restore with it. What is
// to be done follows from what stands in the file, so that it may be called again after any crash.
// A file that somebody has changed meanwhile is his, and stays.
func (s inPlacing) giveBack(ctx context.Context, c *change, suffix string) error {
	l, ok := c.lent()
	if !ok {
		return nil
	}
	on, off, set, err := l.texts()
	if err != nil {
		return err
	}
	now, err := s.Read(l.File)
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return err
	}
	write := func(name, says string, f dropcap.File) error {
		f.Path = l.File
		_, err := s.do(ctx, c, dropcap.Effect{Name: name + suffix, Says: says + l.File, Action: &f})
		return err
	}
	switch {
	case gone && l.Missing:
		return nil
	case !gone && !l.Missing && bytes.Equal(now, l.Was):
		return s.asItSays(ctx, c, l, set, suffix)
	case !gone && bytes.Equal(now, off):
	case !gone && bytes.Equal(now, on):
		if err := write("unset-config", "switch live-restore off in ",
			dropcap.File{Was: on, Is: off}); err != nil {
			return err
		}
	default:
		s.left(c, l)
		return nil
	}
	if err := s.reload(ctx, c, l, false, suffix+"-off"); err != nil ||
		!l.Missing && bytes.Equal(off, l.Was) {
		return err
	}
	return write("restore-config", "put back what was in ", dropcap.File{Was: off, Is: l.Was,
		Remove: l.Missing, Folder: l.Missing})
}

// asItSays brings an engine into the state that its file asks for, which is the former one to the
// byte.
func (s inPlacing) asItSays(ctx context.Context, c *change, l lent, set bool, suffix string) error {
	if !set {
		return nil // the file is put back last, when live-restore is off again
	}
	_, off, _, err := l.texts()
	if err != nil || !bytes.Equal(off, l.Was) {
		// it asked for live-restore all the time, and had not been read
		return err
	}
	if on, err := s.live(ctx, c); err != nil || !on {
		return err
	}
	return s.reload(ctx, c, l, false, suffix+"-off")
}

// left tells once that the file is somebody else's now.
func (s inPlacing) left(c *change, l lent) {
	why := "somebody has changed " + l.File +
		" meanwhile: it stays as it is, and live-restore may be on"
	s.log("%s: %s", c.Name, why)
	c.Because = joined(c.Because, why)
	delete(c.keep, keepLive)
}
