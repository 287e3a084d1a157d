package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dropcap"
	"dropcap/internal/source"
)

// InPlace is what is needed to change the engine's own file.
type InPlace struct {
	File string `json:"file"` // hostconfig.json of the container
	// the program that stops the engine, and its socket, and waits for it
	Stop  []string `json:"stop"`
	Start []string `json:"start"` // and the one that starts it
	// Survive tells that containers run on while the engine is stopped (live-restore). Otherwise
	// Running, the ids of all that ran, are started again.
	Survive bool     `json:"survive"`
	Running []string `json:"running"`
	// Config is the engine's own configuration file (daemon.json), in which live-restore is
	// switched on for the time of the stop where it is off; empty where that cannot be. Switch says
	// that it was off just now.
	Config string `json:"config,omitempty"`
	Switch bool   `json:"switch,omitempty"`
}

// keepInPlace is the name under which the journal keeps it, keepFile the former file.
const (
	keepInPlace = "in-place"
	keepFile    = "file"
)

// bounce is how long an engine may take to stop, or to start; reloading, to read its configuration.
const (
	bounce    = 5 * time.Minute
	reloading = 30 * time.Second
)

// inPlacing changes the lists in the engine's own file while the engine is stopped, since a running
// one writes the file from its memory (moby container/container.go, CheckpointTo). It stays the
// same container.
type inPlacing struct {
	*Runner
	nothingRetained
}

// rest restores the engine's configuration, even after a crash.
func (s inPlacing) rest(ctx context.Context, c *change) error {
	return s.giveBack(context.WithoutCancel(ctx), c, "")
}

func newInPlace(r *Runner) strategy { return inPlacing{Runner: r} }

func (c *change) inPlace() (*InPlace, error) {
	if c.job != nil && c.job.InPlace != nil {
		return c.job.InPlace, nil
	}
	var p InPlace
	if err := json.Unmarshal(c.keep[keepInPlace], &p); err != nil || p.File == "" {
		return nil, dropcap.Errorf(dropcap.CodePerson, "put it back by hand",
			"cannot find in the journal how %s was changed", c.Name)
	}
	return &p, nil
}

func (s inPlacing) engine(name, says string, args []string) dropcap.Effect {
	return dropcap.Effect{Name: name, Says: says, Action: &dropcap.Run{Args: args, Dir: "/",
		Timeout: bounce}}
}

func (s inPlacing) restart(name string, c *change, grace time.Duration) dropcap.Effect {
	limit := grace + slow
	if grace < 0 {
		limit = 30 * time.Minute
	}
	return post(name, "restart "+c.Name, "/containers/"+c.Before+"/restart", nil, nil, limit)
}

func (s inPlacing) effects(c *change) []dropcap.Effect {
	p, err := c.inPlace()
	if err != nil {
		return nil
	}
	list := []dropcap.Effect{inspect("inspect-old", "look whether "+c.Name+" is still the same",
		c.Before)}
	if p.Switch {
		list = append(list, dropcap.Effect{Name: "write-config",
			Says: "switch live-restore on in " + p.Config},
			dropcap.Effect{Name: "reload-engine", Says: "have the engine read it",
				Action: &dropcap.Reload{Config: p.Config}})
	}
	list = append(list, s.engine("stop-engine", "stop the engine", p.Stop),
		dropcap.Effect{Name: "write-file", Says: "change the lists in " + p.File},
		s.engine("start-engine", "start the engine", p.Start))
	if p.Switch {
		list = append(list, dropcap.Effect{Name: "unset-config",
			Says: "switch live-restore off in " + p.Config},
			dropcap.Effect{Name: "reload-engine-off", Says: "have the engine read it",
				Action: &dropcap.Reload{Config: p.Config}},
			dropcap.Effect{Name: "restore-config", Says: "put back what was in " + p.Config})
	}
	list = append(list, inspect("inspect-new", "look whether the engine has read it", c.Before))
	if c.ran() {
		list = append(list, s.restart("restart-new", c, 0),
			inspect("inspect-gate", "look whether it runs well", c.Before))
	}
	return list
}

func (s inPlacing) prepare(ctx context.Context, c *change) error {
	p, err := c.inPlace()
	if err != nil {
		return err
	}
	former, err := s.file(c, p, c.Is)
	if err != nil {
		return err
	}
	if err := c.keepOriginal(); err != nil {
		return err
	}
	if c.keep[keepInPlace], err = json.Marshal(p); err != nil {
		return err
	}
	if c.keep[keepFile], err = json.Marshal(string(former.Was)); err != nil {
		return err
	}
	c.After = c.Before
	if err := s.note(ctx, c, "note-begin", dropcap.Preparing); err != nil {
		return err
	}
	if err := s.unchanged(ctx, c); err != nil {
		return err
	}
	return interrupted(ctx)
}

// file is the replacement of the engine's file by one with the lists of g, from what stands there
// now.
func (s inPlacing) file(c *change, p *InPlace, g dropcap.Grant) (*dropcap.File, error) {
	if s.Read == nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read files here")
	}
	now, err := s.Read(p.File)
	if err != nil {
		return nil, err
	}
	if is, err := source.HostConfig(now, g, g); err == nil { // it says so already
		return &dropcap.File{Path: p.File, Was: now, Is: is}, nil
	}
	from := c.Was
	if source.SameNames(g.CapAdd, c.Was.CapAdd) && source.SameNames(g.CapDrop, c.Was.CapDrop) {
		from = c.Is
	}
	is, err := source.HostConfig(now, from, g)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "plan again", "cannot change %s: %w", c.Name,
			err)
	}
	return &dropcap.File{Path: p.File, Was: now, Is: is}, nil
}

// rewrite stops the engine, changes the files of these changes so that they say what lists wants,
// and starts the engine again, whatever became of the files. An error of one file is that change's
// own; any other is all theirs.
func (s inPlacing) rewrite(ctx context.Context, batch []*change, lists func(*change) dropcap.Grant,
	suffix string) ([]error, error) {
	p, err := batch[0].inPlace()
	if err != nil {
		return nil, err
	}
	first := batch[0]
	each := make([]error, len(batch))
	if err = s.outlive(ctx, batch, p, suffix); err == nil {
		err = s.bounced(ctx, first, p, suffix, func() {
			for i, c := range batch {
				each[i] = s.writeOne(ctx, c, lists(c), suffix)
			}
		})
	}
	if back := s.giveBack(ctx, first, suffix); err == nil {
		err = back
	}
	return each, err
}

// bounced does something while the engine is stopped.
func (s inPlacing) bounced(ctx context.Context, c *change, p *InPlace, suffix string,
	do func()) error {
	err := s.program(ctx, c, s.engine("stop-engine"+suffix, "stop the engine", p.Stop))
	if err == nil {
		err = s.asleep(ctx, c)
	}
	if err == nil {
		do()
	}
	if up := s.awake(ctx, c, p, suffix); err == nil {
		err = up
	}
	return err
}

func (s inPlacing) writeOne(ctx context.Context, c *change, g dropcap.Grant, suffix string) error {
	p, err := c.inPlace()
	if err != nil {
		return err
	}
	f, err := s.file(c, p, g)
	if err != nil {
		return err
	}
	_, err = s.do(ctx, c, dropcap.Effect{Name: "write-file" + suffix, Says: "change the lists in " +
		p.File, Action: f})
	return err
}

func former(c *change) dropcap.Grant { return c.Was }
func wished(c *change) dropcap.Grant { return c.Is }

// rewriteOne is rewrite for one.
func (s inPlacing) rewriteOne(ctx context.Context, c *change, lists func(*change) dropcap.Grant,
	suffix string) error {
	each, err := s.rewrite(ctx, []*change{c}, lists, suffix)
	if err != nil {
		return err
	}
	return each[0]
}

// asleep makes sure that it is this engine that was stopped: a running one would write its file
// over ours, and there may be several on a host.
func (s inPlacing) asleep(ctx context.Context, c *change) error {
	result, err := s.do(ctx, c, inspect("look-engine", "look whether the engine is stopped",
		c.Before))
	if err == nil || result.Status != 0 {
		return fmt.Errorf("the engine answers though it was stopped: another one was, or it was " +
			"started at once")
	}
	return nil
}

// program runs one of the engine's programs.
func (s inPlacing) program(ctx context.Context, c *change, e dropcap.Effect) error {
	result, err := s.do(ctx, c, e)
	if err == nil && result.Status != 0 {
		err = fmt.Errorf("%s: %s ended with exit status %d", e.Says,
			e.Action.(*dropcap.Run).Args[0], result.Status)
	}
	return err
}

// awake starts the engine, waits until it answers, and starts what ran before.
func (s inPlacing) awake(ctx context.Context, c *change, p *InPlace, suffix string) error {
	var err error
	for i := range most {
		if err = s.program(ctx, c, s.engine("start-engine"+suffix, "start the engine",
			p.Start)); err == nil {
			break
		}
		s.sleep(ctx, s.poll()*time.Duration(1+i))
	}
	if err != nil {
		return err
	}
	for end := s.now().Add(s.patience()); ; s.sleep(ctx, s.poll()) {
		if _, err = s.look(ctx, c, "look-engine", c.Before); err == nil {
			break
		}
		if s.now().After(end) {
			return err
		}
	}
	return s.revive(ctx, c, p, suffix)
}

// wake starts an engine that a stop has ended only after recover had found it running: the program
// that stops it outlives dropcap. It reports whether the engine answers.
func (s inPlacing) wake(ctx context.Context, c *change) bool {
	if c.State == dropcap.Preparing {
		return false
	}
	p, err := c.inPlace()
	return err == nil && s.awake(context.WithoutCancel(ctx), c, p, "-back") == nil
}

// revive starts the containers that the engine's stop has stopped and its start has not started.
func (s inPlacing) revive(ctx context.Context, c *change, p *InPlace, suffix string) error {
	if p.Survive {
		return nil
	}
	var lost []string
	for _, id := range p.Running {
		now, err := s.look(ctx, c, "look-other", id)
		if err == nil && now != nil && !now.alive() && id != c.Before {
			_, err = s.do(ctx, c, start("start-other"+suffix, "start "+now.Name+" again", id))
		}
		if err != nil {
			lost = append(lost, short(id))
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("containers that ran before do not run again: %v", lost)
	}
	return nil
}

func (s inPlacing) swap(ctx context.Context, c *change) error {
	began := s.now()
	if err := s.rewriteOne(ctx, c, wished, ""); err != nil {
		return err
	}
	return s.taken(ctx, c, began)
}

// taken makes sure that the engine has read the file, and restarts the container with what it says.
// Began is when the engine was told to stop.
func (s inPlacing) taken(ctx context.Context, c *change, began time.Time) error {
	p, err := c.inPlace()
	if err != nil {
		return err
	}
	old, err := read(c.job.Original.Inspect)
	if err != nil {
		return err
	}
	now, err := s.look(ctx, c, "inspect-new", c.Before)
	switch {
	case err != nil:
		return err
	case now == nil:
		return fmt.Errorf("the container is gone since the engine was started again")
	case !now.declares(c.Is):
		return fmt.Errorf("the engine has not taken the change of its file over")
	}
	if d := c.job.Recipe.Check(now.raw, c.Is); len(d) > 0 {
		return fmt.Errorf("the engine tells more than capabilities otherwise now: %s", d[0].Path)
	}
	if !old.alive() {
		return nil
	}
	if p.Survive {
		began = s.now() // it has run until here
	}
	if _, err := s.do(ctx, c, s.restart("restart-new", c, old.grace())); err != nil {
		return err
	}
	c.stopped, c.DowntimeMS = began, s.elapsed(began)
	return nil
}

// stands reports whether the engine has the new lists and the container was started since with
// them, if it should run.
func (s inPlacing) stands(ctx context.Context, c *change) (bool, error) {
	w, err := c.wanted()
	if err != nil {
		return false, err
	}
	now, err := s.look(context.WithoutCancel(ctx), c, "look-new", c.Before)
	if err != nil || now == nil {
		return false, err
	}
	if !now.declares(c.Is) || now.alive() != w.ran {
		return false, nil
	}
	return !w.ran || s.restarted(c, now), nil
}

// restarted reports whether the container was started since the change began.
func (s inPlacing) restarted(c *change, now *containerState) bool {
	w, err := c.wanted()
	return err == nil && !now.State.StartedAt.Equal(w.startedAt)
}
