package apply

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"dropcap"
	"dropcap/internal/source"
)

// Compose is services of a compose project, whose files are trusted and were edited in memory, with
// what compose makes of them compared. They are changed as one: the files may have to do with each
// other.
type Compose struct {
	Project  source.Project // how compose is called; its Service is the first of Services
	Program  []string       // "docker", "compose"; or the path of docker-compose
	Env      []string       // of the program, whole
	Files    []source.Edited
	Services []*Service `json:",omitempty"`
	// Beside are services that are named to compose and stay as they are: see Ready.
	Beside []source.Scale `json:",omitempty"`

	// Given are the texts that were checked; compose is given them, and reads nothing in their
	// place.
	Given source.Given
	// Reads are the digests of files that it reads beside them, by itself.
	Reads map[string]string

	// Replicas and Members are of the only service of a change that an older dropcap began.
	Replicas int               `json:",omitempty"`
	Members  []json.RawMessage `json:",omitempty"`
}

// Service is a service that is changed.
type Service struct {
	source.Wanted
	Replicas int // now
	// Members are the descriptions of its containers: each new one must be as its predecessor was.
	Members []json.RawMessage
}

// ready fills what follows from the rest, for a change.
func (s *Compose) ready(c *change) {
	if len(s.Services) == 0 {
		s.Services = []*Service{{
			Wanted: source.Wanted{Service: s.Project.Service,
				Declaration: source.Declaration{Was: c.Was, Is: c.Is}},
			Replicas: s.Replicas, Members: s.Members,
		}}
	}
	if c.others == nil {
		c.others = map[string]json.RawMessage{}
		for _, one := range s.Services {
			for _, f := range one.former() {
				if f.id != c.Before {
					c.others[f.id] = f.raw
				}
			}
		}
	}
}

// grant is what the service's containers declare, before the change or after it.
func (s *Service) grant(back bool) dropcap.Grant {
	if back {
		return s.Was
	}
	return s.Is
}

// Wanted are the services as they are to be declared.
func (s *Compose) Wanted() (list []source.Wanted) {
	for _, one := range s.Services {
		list = append(list, one.Wanted)
	}
	return list
}

// edits are the services whose declaration changes; the others are only made again.
func (s *Compose) edits() (list []source.Wanted) {
	for _, one := range s.Services {
		if !one.joined() {
			list = append(list, one.Wanted)
		}
	}
	return list
}

// joined reports whether the service keeps what it is granted, and is made again only since it
// lives in the namespaces of one that is changed.
func (s *Service) joined() bool { return reflect.DeepEqual(s.Was, s.Is) }

// Scale is how many containers each service is to have.
func (s *Compose) Scale() (list []source.Scale) {
	for _, one := range s.Services {
		list = append(list, source.Scale{Service: one.Service, Replicas: one.Replicas})
	}
	return append(list, s.Beside...)
}

// Copies are the texts for compose, edited or as they were.
func (s *Compose) Copies(edited bool) []dropcap.Copy {
	return s.copiesOf(s.Given.With(s.Files, edited))
}

func (s *Compose) copiesOf(texts []source.File) (out []dropcap.Copy) {
	for _, f := range s.Given.Placed(texts) {
		out = append(out, dropcap.Copy{Path: f.Path, Text: f.Text})
	}
	return out
}

// composing has compose make the services' containers again from the edited files. Compose removes
// each old one before the new one has proven itself, so what leads back are the former files.
type composing struct {
	nothingRetained
	*Runner
	from *Compose
	// late is set on the way back, when others may have changed since what the files say of other
	// services.
	late bool
}

func (s composing) effects(c *change) []dropcap.Effect {
	list := []dropcap.Effect{s.rehearse("rehearse", false, nil)}
	for _, f := range s.from.Files {
		list = append(list, s.write("write-source", f, false))
	}
	return append(list, s.rehearse("rehearse-new", true, nil), s.up("compose-up", true, nil))
}

// project is the project as compose is called for it, with copies in the place of its files.
func (s composing) project() source.Project { return s.from.Project.Explicit(s.from.Given) }

// byHand is the command that brings the files into effect, for a person.
func (s composing) byHand() string { return source.Line(s.from.Project.Up(s.from.Scale()...)) }

// program is compose with arguments, and with the edited files or the former ones. Its output may
// hold secrets and is not shown.
func (s composing) program(args []string, edited bool, keeper dropcap.Gatekeeper) *dropcap.Run {
	return &dropcap.Run{
		Args: append(append([]string{}, s.from.Program...), args...), Dir: "/", Env: s.from.Env,
		Copies: s.copies(edited), Engine: keeper,
	}
}

func (s composing) rehearse(name string, edited bool, keeper dropcap.Gatekeeper) dropcap.Effect {
	run := s.program(s.project().Rehearse(s.from.Scale()...), edited, keeper)
	run.Timeout = slow
	return dropcap.Effect{Name: name, Says: "ask compose what it would do", Action: run}
}

func (s composing) up(name string, edited bool, keeper dropcap.Gatekeeper) dropcap.Effect {
	run := s.program(s.project().Up(s.from.Scale()...), edited, keeper)
	run.Outlives, run.Timeout = true, 5*time.Minute+s.grace()
	if edited {
		// the way back is not barred by what somebody has changed since: what comes of it is
		// compared
		run.Unchanged = s.from.Reads
	}
	return dropcap.Effect{Name: name, Says: s.byHand(), Action: run}
}

// grace is how long all of the containers may take to stop, one after the other.
func (s composing) grace() (sum time.Duration) {
	for _, one := range s.from.Services {
		each := time.Minute // where nothing is known
		if former := one.former(); len(former) > 0 {
			if old, err := read(former[0].raw); err == nil {
				each = old.grace() + 10*time.Second
				if old.grace() < 0 {
					each = 30 * time.Minute
				}
			}
		}
		sum += time.Duration(one.Replicas) * each
	}
	return sum
}

func (s composing) write(name string, f source.Edited, back bool) dropcap.Effect {
	if back {
		return dropcap.Effect{
			Name: name, Says: "put the former " + f.Path + " back",
			Action: &dropcap.File{Path: f.Path, Was: f.Is, Is: f.Was},
		}
	}
	return dropcap.Effect{
		Name: name, Says: "edit " + f.Path, Action: &dropcap.File{Path: f.Path, Was: f.Was,
			Is: f.Is},
	}
}

// prepare edits the files once compose has said that nothing else is pending, and asks it again
// what it would do then.
func (s composing) prepare(ctx context.Context, c *change) error {
	names, beside, err := s.running(ctx, c)
	if err != nil {
		return err
	}
	if err := s.nothingPending(ctx, c, append(slices.Clone(names), beside...), false); err != nil {
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
	if result.Status != 0 && !source.BrokeOff(output(result)) {
		return s.failed(c, "rehearse the change", result)
	}
	if err := source.Replaces(output(result), names, beside); err != nil {
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
			"again",
		"cannot change %s: %w", c.Title(), why)
}

func (s composing) failed(c *change, what string, r dropcap.Result) error {
	return dropcap.Errorf(dropcap.CodeError, "run it yourself to see all that it says: "+s.byHand(),
		"cannot %s: %s ended with exit status %d%s", what, filepath.Base(s.from.Program[0]),
		r.Status,
		c.discreet(engineSays(output(r))))
}

// swap lets compose do it. Which containers it has made is seen from their labels.
func (s composing) swap(ctx context.Context, c *change) error {
	c.stopped = s.now()
	result, err := s.composeUp(ctx, c, "compose-up", false)
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return s.failed(c, "have compose make it again", result)
	}
	if err := s.made(ctx, c, false); err != nil {
		return err
	}
	c.DowntimeMS = s.elapsed(c.stopped)
	for _, f := range s.from.Files {
		if _, err := s.do(ctx, c, s.asLeft(f)); err != nil {
			s.log("%s: what stands in %s by now is not what was brought into effect: %v", c.Title(),
				f.Path, err)
		}
	}
	return nil
}

// asLeft looks whether a file is as the change has left it.
func (s composing) asLeft(f source.Edited) dropcap.Effect {
	return dropcap.Effect{
		Name: "check-source", Says: "look whether " + f.Path + " is as it was left",
		Action: &dropcap.File{Path: f.Path, Was: f.Is, Is: f.Is},
	}
}
