package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/source"
)

// Compose is a service of a compose project, whose files are trusted and were edited in memory,
// with what compose makes of them compared.
type Compose struct {
	Project  source.Project
	Program  []string // "docker", "compose"; or the path of docker-compose
	Env      []string // of the program, whole
	Files    []source.Edited
	Replicas int // of the service, now

	// Given are the texts that were checked; compose is given them, and reads nothing in their
	// place.
	Given source.Given
	// Reads are the digests of files that it reads beside them, by itself.
	Reads map[string]string
	// Members are the descriptions of the service's containers: each new one must be as its
	// predecessor was.
	Members []json.RawMessage
}

// Copies are the texts for compose, edited or as they were.
func (c *Compose) Copies(edited bool) []dropcap.Copy {
	var out []dropcap.Copy
	for _, f := range c.Given.With(c.Files, edited) {
		out = append(out, dropcap.Copy{Path: f.Path, Text: f.Text})
	}
	return out
}

// composing has compose make the service's containers again from the edited file. Compose removes
// each old one before the new one has proven itself, so what leads back is the former file.
type composing struct {
	nothingRetained
	*Runner
	from *Compose
}

func (s composing) effects(c *change) []dropcap.Effect {
	list := []dropcap.Effect{s.rehearse("rehearse", false, nil)}
	for _, f := range s.from.Files {
		list = append(list, s.write("write-source", f, false))
	}
	return append(list, s.rehearse("rehearse-new", true, nil), s.up(c, "compose-up", true, nil))
}

// project is the project as compose is called for it, with copies in the place of its files.
func (s composing) project() source.Project { return s.from.Project.Explicit(s.from.Given) }

// program is compose with arguments, and with the edited files or the former ones. Its output may
// hold secrets and is not shown.
func (s composing) program(args []string, edited bool, keeper dropcap.Gatekeeper) *dropcap.Run {
	return &dropcap.Run{
		Args: append(append([]string{}, s.from.Program...), args...), Dir: "/", Env: s.from.Env,
		Copies: s.from.Copies(edited), Engine: keeper,
	}
}

func (s composing) rehearse(name string, edited bool, keeper dropcap.Gatekeeper) dropcap.Effect {
	run := s.program(s.project().Rehearse(s.from.Replicas), edited, keeper)
	run.Timeout = slow
	return dropcap.Effect{Name: name, Says: "ask compose what it would do", Action: run}
}

func (s composing) up(c *change, name string, edited bool,
	keeper dropcap.Gatekeeper) dropcap.Effect {
	run := s.program(s.project().Up(s.from.Replicas), edited, keeper)
	run.Outlives, run.Timeout = true, 5*time.Minute+time.Duration(s.from.Replicas)*s.grace(c)
	if edited {
		// the way back is not barred by what somebody has changed since: what comes of it is
		// compared
		run.Unchanged = s.from.Reads
	}
	return dropcap.Effect{Name: name, Says: source.Line(s.from.Project.Up(s.from.Replicas)),
		Action: run}
}

// grace is how long one of its containers may take to stop.
func (s composing) grace(c *change) time.Duration {
	o, err := c.original()
	if err != nil {
		return time.Minute
	}
	old, err := read(o.Inspect)
	if err != nil {
		return time.Minute
	}
	if old.grace() < 0 {
		return 30 * time.Minute
	}
	return old.grace() + 10*time.Second
}

func (s composing) write(name string, f source.Edited, back bool) dropcap.Effect {
	if back {
		return dropcap.Effect{Name: name, Says: "put the former " + f.Path + " back",
			Action: &dropcap.File{Path: f.Path, Was: f.Is, Is: f.Was}}
	}
	return dropcap.Effect{Name: name, Says: "edit " + f.Path, Action: &dropcap.File{Path: f.Path,
		Was: f.Was, Is: f.Is}}
}

// listAll gives the service's containers, and the name of one that only its image's labels make one
// of them: compose would take it for one.
func (s composing) listAll(ctx context.Context,
	c *change) (list []member, imposter string, err error) {
	p := s.from.Project
	all, err := s.members(ctx, c, "com.docker.compose.project="+p.Name,
		"com.docker.compose.service="+p.Service)
	if err != nil {
		return nil, "", err
	}
	for _, m := range all {
		switch {
		case owner.OfService(m.believed, p.Name, p.Service):
			list = append(list, m)
		case owner.OfService(m.Labels, p.Name, p.Service):
			imposter = m.name()
		}
	}
	return list, imposter, nil
}

func (s composing) list(ctx context.Context, c *change) ([]member, error) {
	list, _, err := s.listAll(ctx, c)
	return list, err
}

// prepare edits the file once compose has said that nothing else is pending, and asks it again what
// it would do then.
func (s composing) prepare(ctx context.Context, c *change) error {
	names, err := s.running(ctx, c)
	if err != nil {
		return err
	}
	if err := s.nothingPending(ctx, c, names, false); err != nil {
		return err
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	for _, f := range s.from.Files {
		if _, err := s.do(ctx, c, s.write("write-source", f, false)); err != nil {
			return err
		}
	}
	result, err := s.do(ctx, c, s.rehearse("rehearse-new", true, s.looking(c)))
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return s.failed(c, "rehearse the change", result)
	}
	if err := source.Replaces(output(result), names); err != nil {
		return s.cannot(c, err)
	}
	if err := s.note(ctx, c, "note-created", dropcap.Preparing); err != nil {
		return err
	}
	if err := s.unchanged(ctx, c); err != nil {
		return err
	}
	return interrupted(ctx)
}

// running gives the names of the service's containers, which must be as many as were planned for,
// and run.
func (s composing) running(ctx context.Context, c *change) ([]string, error) {
	list, imposter, err := s.listAll(ctx, c)
	if err != nil {
		return nil, err
	}
	if imposter != "" {
		return nil, dropcap.Errorf(dropcap.CodeError, "remove it, or make it without those labels",
			"cannot change %s: %w", c.Name, source.Imposter(imposter))
	}
	var names []string
	for _, m := range list {
		if m.State != "running" {
			return nil, dropcap.Errorf(dropcap.CodeError, "start it, or edit the file and leave it",
				"cannot change %s: its container %s does not run, and compose would start it",
				c.Name, m.name())
		}
		names = append(names, m.name())
	}
	if len(list) != s.from.Replicas {
		return nil, dropcap.Errorf(dropcap.CodeError, "plan again",
			"cannot change %s: it has %s now, and had %d", c.Name,
			count(len(list), "container", "containers"), s.from.Replicas)
	}
	return names, nil
}

func (s composing) nothingPending(ctx context.Context, c *change, names []string,
	edited bool) error {
	result, err := s.do(ctx, c, s.rehearse("rehearse", edited, s.looking(c)))
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return s.failed(c, "rehearse the change", result)
	}
	if err := source.Pending(output(result), names); err != nil {
		return s.cannot(c, err)
	}
	return nil
}

func (s composing) cannot(c *change, why error) error {
	return dropcap.Errorf(dropcap.CodeError,
		"bring those into effect, or take them back, with docker compose up yourself; then plan "+
			"again", "cannot change %s: %w", c.Name, why)
}

func (s composing) failed(c *change, what string, r dropcap.Result) error {
	return dropcap.Errorf(dropcap.CodeError, "run it yourself to see all that it says: "+
		source.Line(s.from.Project.Up(s.from.Replicas)),
		"cannot %s: %s ended with exit status %d%s", what, filepath.Base(s.from.Program[0]),
		r.Status, c.discreet(engineSays(output(r))))
}

// swap lets compose do it. Which containers it has made is seen from their labels.
func (s composing) swap(ctx context.Context, c *change) error {
	c.stopped = s.now()
	result, err := s.composeUp(ctx, c, "compose-up", true, c.Is)
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return s.failed(c, "have compose make it again", result)
	}
	ids, err := s.made(ctx, c, c.Is)
	if err != nil {
		return err
	}
	c.DowntimeMS = s.since(c.stopped)
	for _, f := range s.from.Files {
		if _, err := s.do(ctx, c, s.asLeft(f)); err != nil {
			s.log("%s: what stands in %s by now is not what was brought into effect: %v", c.Name,
				f.Path, err)
		}
	}
	return s.gated(ctx, c, ids)
}

// asLeft looks whether a file is as the change has left it.
func (s composing) asLeft(f source.Edited) dropcap.Effect {
	return dropcap.Effect{Name: "check-source", Says: "look whether " + f.Path +
		" is as it was left", Action: &dropcap.File{Path: f.Path, Was: f.Is, Is: f.Is}}
}

// made gives the ids of the service's containers, all of which must run with what g declares. The
// change's own becomes the one of its name.
func (s composing) made(ctx context.Context, c *change, g dropcap.Grant) ([]string, error) {
	list, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(list) != s.from.Replicas {
		return nil, fmt.Errorf("compose has left %s of the service, not %d",
			count(len(list), "container", "containers"), s.from.Replicas)
	}
	var ids []string
	for _, m := range list {
		now, err := s.look(ctx, c, "inspect-made", m.ID)
		switch {
		case err != nil:
			return nil, err
		case now == nil:
			return nil, fmt.Errorf("the container %s is gone again", m.name())
		case !now.declares(g):
			return nil, fmt.Errorf("compose has not given %s the capabilities that the file says",
				m.name())
		case !now.alive():
			return nil, fmt.Errorf("%s has ended with exit status %d%s", m.name(),
				now.State.ExitCode, ofError(now.State.Error))
		}
		if !s.former(m.ID) {
			if err := s.differing(c, now, g, true); err != nil {
				return nil, err
			}
		}
		ids = append(ids, m.ID)
	}
	if err := s.finalNames(ctx, c, list); err != nil {
		return nil, err
	}
	own := list[0].ID
	for _, m := range list {
		if m.name() == c.Name {
			own = m.ID
		}
	}
	if g.Privileged == c.Is.Privileged && source.SameNames(g.CapAdd, c.Is.CapAdd) &&
		source.SameNames(g.CapDrop, c.Is.CapDrop) {
		c.After = own
	} else {
		c.Before = own
	}
	return ids, nil
}

// stands tells whether all of the service's containers run as the edited file says.
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
	_, err := s.made(ctx, c, c.Is)
	if err == nil && c.DowntimeMS == 0 && !c.when("note-switching").IsZero() {
		if now, err := s.look(ctx, c, "inspect-made", c.After); err == nil && now != nil {
			c.DowntimeMS = max(0, now.State.StartedAt.Sub(c.when("note-switching")).Milliseconds())
		}
	}
	return err == nil, nil
}
