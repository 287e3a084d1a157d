package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/source"
)

// Source is what is needed to change the owner's source; exactly one member is set.
type Source struct {
	Compose *Compose `json:"compose,omitempty"`
	Swarm   *Swarm   `json:"swarm,omitempty"`
}

// keepSource is the name under which the journal keeps the Source: the former files, and the
// environment in which they were understood, since a file may name its variables.
const keepSource = "source"

// newSource is decided by each change, since the journal holds changes of either kind.
func newSource(r *Runner) strategy { return sourcing{r} }

type sourcing struct{ *Runner }

// of returns the owner's strategy for a change.
func (s sourcing) of(c *change) (strategy, error) {
	if c.source == nil {
		from := &Source{}
		if c.job != nil {
			from = c.job.Source
		} else if err := json.Unmarshal(c.keep[keepSource], from); err != nil {
			return nil, dropcap.Errorf(dropcap.CodePerson, "put it back by hand",
				"cannot find in the journal how %s was changed: %w", c.Name, err)
		}
		c.source = from
	}
	switch from := c.source; {
	case from != nil && from.Compose != nil:
		from.Compose.ready(c)
		return composing{Runner: s.Runner, from: from.Compose}, nil
	case from != nil && from.Swarm != nil:
		return swarming{Runner: s.Runner, from: from.Swarm}, nil
	}
	return nil, dropcap.Errorf(dropcap.CodeError, "do by hand what the plan says",
		"cannot change %s at its source: it is not known", c.Name)
}

func (s sourcing) effects(c *change) []dropcap.Effect {
	o, err := s.of(c)
	if err != nil {
		return nil
	}
	return o.effects(c)
}

func (s sourcing) prepare(ctx context.Context, c *change) error {
	o, err := s.of(c)
	if err != nil {
		return err
	}
	if err := c.keepOriginal(); err != nil {
		return err
	}
	if c.keep[keepSource], err = json.Marshal(c.job.Source); err != nil {
		return fmt.Errorf("keep the source of %s: %w", c.Name, err)
	}
	if err := s.note(ctx, c, "note-begin", dropcap.Preparing); err != nil {
		return err
	}
	return o.prepare(ctx, c)
}

func (s sourcing) swap(ctx context.Context, c *change) error {
	o, err := s.of(c)
	if err != nil {
		return err
	}
	return o.swap(ctx, c)
}

func (s sourcing) stands(ctx context.Context, c *change) (bool, error) {
	o, err := s.of(c)
	if err != nil {
		return false, err
	}
	return o.stands(context.WithoutCancel(ctx), c)
}

func (s sourcing) back(ctx context.Context, c *change) error {
	o, err := s.of(c)
	if err != nil {
		return err
	}
	return o.back(context.WithoutCancel(ctx), c)
}

// mayBack asks the owner's strategy.
func (s sourcing) mayBack(ctx context.Context, c *change) error {
	o, err := s.of(c)
	if err != nil {
		return err
	}
	return o.mayBack(ctx, c)
}

// rest asks the owner's strategy.
func (s sourcing) rest(ctx context.Context, c *change) error {
	o, err := s.of(c)
	if err != nil {
		return err
	}
	return o.rest(ctx, c)
}

// member is a container of a service, as the engine lists it.
type member struct {
	ID      string `json:"Id"`
	Names   []string
	State   string
	ImageID string
	Labels  map[string]string

	believed map[string]string
}

func (m member) name() string {
	if len(m.Names) == 0 {
		return m.ID
	}
	return strings.TrimPrefix(m.Names[0], "/")
}

// members lists the containers with these labels, running or not, by name. Whether the labels are
// believed is the caller's to ask.
func (r *Runner) members(ctx context.Context, c *change, labels ...string) ([]member, error) {
	filters, err := json.Marshal(map[string][]string{"label": labels})
	if err != nil {
		return nil, err
	}
	result, err := r.do(ctx, c, dropcap.Effect{Name: "list-service",
		Says: "look at the containers of " + c.Workload, Action: &dropcap.Call{
			Method: http.MethodGet, Path: "/containers/json", Query: map[string]string{"all": "1",
				"filters": string(filters)},
		}})
	if err != nil {
		return nil, err
	}
	var list []member
	if err := json.Unmarshal(result.Body, &list); err != nil {
		return nil, fmt.Errorf("read the engine's list of containers: %w", err)
	}
	images := map[string]dropcap.Labels{}
	for i, m := range list {
		l, ok := images[m.ImageID]
		if !ok {
			if l, err = r.imageLabels(ctx, c, m.ImageID); err != nil {
				return nil, err
			}
			images[m.ImageID] = l
		}
		l.Own = m.Labels
		list[i].believed = owner.TrustedLabels(l)
	}
	slices.SortFunc(list, func(a, b member) int { return strings.Compare(a.name(), b.name()) })
	return list, nil
}

// imageLabels returns the labels of an image; of one that is gone they are not known.
func (r *Runner) imageLabels(ctx context.Context, c *change, id string) (dropcap.Labels, error) {
	if id == "" || strings.ContainsAny(id, "/?#%") {
		return dropcap.Labels{}, nil
	}
	result, err := r.do(ctx, c, dropcap.Effect{Name: "look-image",
		Says: "look at the labels of an image", Action: &dropcap.Call{
			Method: http.MethodGet, Path: "/images/" + id + "/json",
			Fine: []int{http.StatusNotFound},
		}})
	if err != nil || result.Status == http.StatusNotFound {
		return dropcap.Labels{}, err
	}
	var b struct {
		Config struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(result.Body, &b); err != nil {
		return dropcap.Labels{}, fmt.Errorf("read the engine's description of an image: %w", err)
	}
	return dropcap.Labels{Image: b.Config.Labels, ImageKnown: true}, nil
}

// declares reports whether the engine says that a container was made with these capabilities.
func (s *containerState) declares(g dropcap.Grant) bool {
	h, err := s.declared()
	return err == nil && h.Privileged == g.Privileged && source.SameNames(h.CapAdd, g.CapAdd) &&
		source.SameNames(h.CapDrop, g.CapDrop)
}

// declared is what the engine says that a container was made with.
func (s *containerState) declared() (dropcap.Grant, error) {
	var b struct {
		HostConfig struct {
			Privileged      bool
			CapAdd, CapDrop []string
		}
	}
	if err := json.Unmarshal(s.raw, &b); err != nil {
		return dropcap.Grant{}, fmt.Errorf("read the engine's description of %s: %w", s.Name, err)
	}
	h := b.HostConfig
	return dropcap.Grant{Privileged: h.Privileged, CapAdd: h.CapAdd, CapDrop: h.CapDrop}, nil
}

// gated lets every member pass the gate but the one that is the change's own, whose turn comes by
// itself.
func (r *Runner) gated(ctx context.Context, c *change, ids []string) error {
	return r.gate(ctx, c, slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return id == c.After
	})...)
}

// output is what a program printed.
func output(r dropcap.Result) string {
	var text string
	_ = json.Unmarshal(r.Body, &text) // of what is no string nothing is known
	return text
}

// engineSays is the last thing that a program repeated of the engine's own errors. Its other words
// may be of files that hold secrets.
func engineSays(text string) string {
	said := ""
	for line := range strings.Lines(text) {
		if _, after, ok := strings.Cut(line, "Error response from daemon:"); ok {
			said = ": " + strings.TrimSpace(after)
		}
	}
	return said
}

// elapsed is the downtime so far, in milliseconds.
func (r *Runner) elapsed(at time.Time) int64 { return max(1, r.now().Sub(at).Milliseconds()) }
