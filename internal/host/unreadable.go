package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
	"dropcap/internal/recreate"
)

// dark is a container that the engine does not describe in a way that can be read. It is changed by
// nobody, and of the others only those are left alone for its sake that may depend on it.
type dark struct {
	dropcap.Ref
	why    error
	uses   bool            // it is known what it uses of other containers
	mounts json.RawMessage // an inspect with its mounts; nil if they are not known
	runs   bool            // it runs, or may
}

// darken takes up a container that cannot be read, with what a sketch or the list tells of it.
func (o *originals) darken(ctx context.Context, l docker.Listed, why error) error {
	if ctx.Err() != nil || errors.Is(why, dropcap.ErrUnreachable) {
		return why
	}
	d := dark{Ref: l.Ref, why: why, runs: l.State != "exited" && l.State != "created" &&
		l.State != "dead"}
	var uses []recreate.Use
	var sketch json.RawMessage
	if !errors.Is(why, context.DeadlineExceeded) { // it would hang again
		sketch, _ = o.h.Sketch(ctx, l.ID) // then the list has to do
	}
	var has struct{ HostConfig, Mounts json.RawMessage }
	_ = json.Unmarshal(sketch, &has) // what is not there has no members
	if u, err := recreate.Uses(sketch); err == nil && has.HostConfig != nil {
		uses, d.uses = u, true
	} else {
		host := map[string]any{"HostConfig": map[string]string{"NetworkMode": l.Network}}
		text, _ := json.Marshal(host) // of strings
		uses, _ = recreate.Uses(text)
	}
	switch {
	case has.Mounts != nil:
		d.mounts = sketch
	case l.Mounts != nil:
		// it was read as JSON
		d.mounts, _ = json.Marshal(map[string]any{"Name": l.Name, "Mounts": l.Mounts})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dark[l.ID], o.uses[l.ID] = d, uses
	return nil
}

// darkServices finds the services of compose and swarm to which one of the dark belongs by the
// engine's own word.
func (o *originals) darkServices(ctx context.Context) error {
	if len(o.dark) == 0 {
		return nil
	}
	for _, l := range o.labels {
		for key, filters := range owner.Services(owner.TrustedLabels(l)) {
			if _, done := o.darkOf[key]; done {
				continue
			}
			list, err := o.h.List(ctx, filters)
			if err != nil {
				return err
			}
			o.darkOf[key] = ""
			for _, r := range list {
				if _, ok := o.dark[r.ID]; ok {
					o.darkOf[key] = r.Name
				}
			}
		}
	}
	return nil
}

// darkPeer refuses to change a service of which one container cannot be read.
func (o *originals) darkPeer(key string) error {
	if name := o.darkOf[key]; name != "" {
		return fmt.Errorf("the container %s belongs to the same service and cannot be read",
			printable.Line(name))
	}
	return nil
}

// darkMounts returns the mounts of those that cannot be read; the error names one of which they are
// not known.
func (o *originals) darkMounts(into map[string]json.RawMessage) error {
	for id, d := range o.dark {
		if d.mounts == nil {
			return fmt.Errorf(
				"the container %s cannot be read, so that nobody knows what it mounts",
				printable.Line(d.Name))
		}
		into[id] = d.mounts
	}
	return nil
}

// darkNotes say what is not known about the use of a container by those that cannot be read.
func (o *originals) darkNotes() []string {
	var list []string
	for _, r := range o.refs {
		if d, ok := o.dark[r.ID]; ok && !d.uses {
			list = append(list,
				fmt.Sprintf("whether the container %s, which cannot be read, uses its processes, "+
					"memory, links or volumes is not known", printable.Line(r.Name)))
		}
	}
	return list
}

// darkUse refuses a container that uses one that cannot be read.
func (o *originals) darkUse(id string) error {
	for _, u := range o.uses[id] {
		if other, ok := o.find(u.Container); ok {
			if _, ok := o.dark[other]; ok {
				return dropcap.Errorf(dropcap.CodeError, "see what docker inspect says of it",
					"cannot read the container %s, which it uses", printable.Line(u.Container))
			}
		}
	}
	return nil
}
