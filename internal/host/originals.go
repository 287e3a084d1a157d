package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/owner"
	"dropcap/internal/recreate"
	"dropcap/internal/snapshot"
)

// readers is how many containers are read at once: each is some requests, and one of them walks the
// container's layer.
const readers = 8

// originals reads what re-creates containers, several at once.
type originals struct {
	h    *Session
	snap dropcap.Snapshot
	here snapshot.Machine

	refs    []dropcap.Ref // every container of the engine
	raw     map[string]json.RawMessage
	labels  map[string]dropcap.Labels // of each container, for package owner
	uses    map[string][]recreate.Use
	minAPI  string
	mu      sync.Mutex
	image   map[string]json.RawMessage
	network map[string]json.RawMessage
	found   map[string]recreate.Original // by the container's id; one that is gone has none
	trust   *Trusting                    // of files on this host; nil where nothing may be trusted
	units   Units                        // of systemd, that run docker here
	failed  map[string]error             // why one could not be read
	// where containers' own layers are; nil: noLayers says why they are not known
	layers   *layerStore
	noLayers string
	dark     map[string]dark   // those that cannot be read, whether they are to be changed or not
	darkOf   map[string]string // by service, the name of a dark one that belongs to it
	unknown  error             // why it is not known what all containers mount
	retained map[string]bool   // by id, what changes have left behind
	// what each container would become, once that is decided
	decided []dropcap.Step
}

// readOriginals reads those of a snapshot's containers.
func readOriginals(ctx context.Context, h *Session, snap dropcap.Snapshot,
	retained map[string]bool) (*originals, error) {
	o := &originals{h: h, retained: retained, snap: snap, here: h.Machine(),
		image:   map[string]json.RawMessage{},
		network: map[string]json.RawMessage{}}
	if err := o.survey(ctx); err != nil {
		return nil, err
	}
	o.readLayers(ctx)
	o.found, o.failed = map[string]recreate.Original{}, map[string]error{}
	err := o.readAll(ctx, snap.Containers)
	if o.isHere() {
		o.units = h.Units()
		o.readTrust(ctx)
	}
	return o, err
}

// readAll reads what re-creates containers. Of one that is gone nothing is found.
func (o *originals) readAll(ctx context.Context, list []dropcap.Container) error {
	return each(ctx, list, func(ctx context.Context, c dropcap.Container) error {
		one, err := o.read(ctx, c)
		if errors.Is(err, dropcap.ErrNotFound) {
			if _, again := o.h.RawContainer(ctx, c.ID); errors.Is(again, dropcap.ErrNotFound) {
				return nil // it is gone; else something of it is
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if err != nil {
			// one that cannot be read must not keep the others from being planned
			o.failed[c.ID] = err
			return nil
		}
		o.found[c.ID] = one
		return nil
	})
}

// readTrust finds what the containers reach of this host. Where that is not known of all, no file
// is trusted.
func (o *originals) readTrust(ctx context.Context) {
	raw := maps.Clone(o.raw)
	if o.unknown = o.darkMounts(raw); o.unknown == nil {
		o.trust, o.unknown = o.h.Trusting(ctx, raw)
	}
}

// trusted reads the file that a label names, if it may be trusted; the error says why not.
func (o *originals) trusted(file string) ([]byte, error) {
	if o.unknown != nil {
		return nil, o.unknown
	}
	return o.trust.Read(file)
}

// isHere reports whether the engine runs on this machine.
func (o *originals) isHere() bool { return o.here.Engine && o.here.Release == o.snap.Host.Kernel }

// survey reads what concerns all of them: whoever uses whom.
func (o *originals) survey(ctx context.Context) (err error) {
	version, err := o.h.Raw(ctx, "/version", nil)
	if err != nil {
		return err
	}
	var v struct{ MinAPIVersion string }
	_ = json.Unmarshal(version, &v) // an engine that does not tell has no floor that is known
	o.minAPI = v.MinAPIVersion
	list, err := o.h.Overview(ctx, nil)
	if err != nil {
		return err
	}
	for _, l := range list {
		o.refs = append(o.refs, l.Ref)
	}
	o.raw, o.uses, o.labels = map[string]json.RawMessage{}, map[string][]recreate.Use{},
		map[string]dropcap.Labels{}
	o.dark, o.darkOf = map[string]dark{}, map[string]string{}
	if err := each(ctx, list, o.surveyOne); err != nil {
		return err
	}
	return o.darkServices(ctx)
}

func (o *originals) surveyOne(ctx context.Context, l docker.Listed) error {
	raw, err := o.h.RawContainer(ctx, l.ID)
	if errors.Is(err, dropcap.ErrNotFound) {
		return nil
	}
	if err != nil {
		return o.darken(ctx, l, err)
	}
	labels, err := o.h.Labels(ctx, raw)
	if err != nil {
		return o.darken(ctx, l, err)
	}
	uses, err := recreate.Uses(raw)
	if err != nil {
		return o.darken(ctx, l, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.raw[l.ID], o.uses[l.ID], o.labels[l.ID] = raw, uses, labels
	return nil
}

func (o *originals) read(ctx context.Context, c dropcap.Container) (recreate.Original, error) {
	if d, ok := o.dark[c.ID]; ok {
		return recreate.Original{}, d.why
	}
	raw, ok := o.raw[c.ID]
	if !ok {
		return recreate.Original{}, dropcap.ErrNotFound
	}
	if err := o.darkUse(c.ID); err != nil {
		return recreate.Original{}, err
	}
	out := recreate.Original{
		API: o.h.Version(), MinAPI: o.minAPI, Engine: o.snap.Host.Engine.Name,
		Version: o.snap.Host.Engine.Version,
		Inspect: raw, Carries: o.connectionThrough(c, raw), Sources: map[string]json.RawMessage{},
		Others: []dropcap.Ref{},
	}
	o.neighbours(&out, c.ID)
	var err error
	if out.Execs, err = o.h.UserExecs(ctx, raw); err != nil {
		return out, err
	}
	if newer(o.h.Version(), "1.51") {
		r, err := o.h.Perform(ctx, dropcap.Call{Method: "GET", Path: "/containers/" + c.ID +
			"/json", API: "1.51"})
		if err != nil {
			return out, err
		}
		out.Older = r.Body
	}
	if out.Image, err = o.cached(o.image, c.ImageID, func() (json.RawMessage, error) {
		return o.h.RawImage(ctx, c.ImageID)
	}); err != nil {
		return out, err
	}
	if out.Networks, err = o.networks(ctx, raw); err != nil {
		return out, err
	}
	if out.Changes, err = o.h.RawLayer(ctx, c.ID); err != nil {
		return out, err
	}
	o.local(&out, c, raw)
	out.Layer, out.NoLayer = o.layerFacts(ctx, c.ID)
	return out, nil
}

// local reads what only the engine's own machine tells.
func (o *originals) local(out *recreate.Original, c dropcap.Container, raw json.RawMessage) {
	if !o.isHere() {
		return
	}
	if c.Kernel.Visible {
		out.MountInfo = o.h.Kernel.MountInfo(c.PID)
	}
	var b struct {
		Mounts []struct{ Type, Source, Destination string }
	}
	_ = json.Unmarshal(raw, &b) // without mounts nothing is known to be filled
	for _, m := range b.Mounts {
		if m.Type == "volume" && m.Source != "" && HasEntries(m.Source) {
			out.Filled = append(out.Filled, m.Destination)
		}
	}
}

// neighbours fills who else is there, and who uses this one.
func (o *originals) neighbours(out *recreate.Original, id string) {
	var name string
	for _, r := range o.refs {
		if r.ID == id {
			name = r.Name
		}
	}
	for _, r := range o.refs {
		if r.ID == id {
			continue
		}
		out.Others = append(out.Others, r)
		for _, u := range o.uses[r.ID] {
			switch {
			case u.Container != id && u.Container != name, o.atRest(r.ID):
			case u.Namespace() && !slices.Contains(out.Sharers, r):
				out.Sharers = append(out.Sharers, r)
			case u.Kind == "link" && !slices.Contains(out.Linkers, r):
				out.Linkers = append(out.Linkers, r)
			}
		}
	}
	for _, u := range o.uses[id] {
		other, ok := o.find(u.Container)
		switch {
		case !ok:
		case u.Kind == "volumes":
			out.Sources[u.Container] = o.raw[other]
		case !o.runs(other):
			if down := (dropcap.Ref{ID: other, Name: o.nameOf(other)}); !slices.Contains(out.Down,
				down) {
				out.Down = append(out.Down, down)
			}
		}
	}
}

// find returns the id of a container by its id or name.
func (o *originals) find(idOrName string) (string, bool) {
	for _, r := range o.refs {
		if r.ID == idOrName || r.Name == idOrName {
			return r.ID, true
		}
	}
	return "", false
}

// dependencies are the ids of the containers that one uses, and of those that its owner starts
// before it.
func (o *originals) dependencies(c dropcap.Container, of []dropcap.Container) []string {
	var ids []string
	for _, u := range o.uses[c.ID] {
		if id, ok := o.find(u.Container); ok && u.Kind != "volumes" {
			ids = append(ids, id)
		}
	}
	for _, service := range owner.Of(c.Owner.Kind).DependsOn(c.LabelValues) {
		theirs := dropcap.Owner{Kind: c.Owner.Kind, Project: c.Owner.Project, Service: service}
		for _, other := range of {
			its := other.Owner
			its.Claimed = ""
			if its == theirs {
				ids = append(ids, other.ID)
			}
		}
	}
	return ids
}

func (o *originals) networks(ctx context.Context,
	raw json.RawMessage) (map[string]json.RawMessage, error) {
	var b struct {
		NetworkSettings struct{ Networks map[string]json.RawMessage }
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("cannot read the networks of a container: %w", err)
	}
	out := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(b.NetworkSettings.Networks)) {
		n, err := o.cached(o.network, name, func() (json.RawMessage, error) {
			return o.h.RawNetwork(ctx, name)
		})
		if err != nil {
			return nil, err
		}
		if n != nil {
			out[name] = n
		}
	}
	return out, nil
}

// cached asks once, or twice at the same time.
func (o *originals) cached(in map[string]json.RawMessage, key string,
	ask func() (json.RawMessage, error)) (json.RawMessage, error) {
	o.mu.Lock()
	v, ok := in[key]
	o.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		o.mu.Lock()
		in[key] = v
		o.mu.Unlock()
	}
	return v, err
}

// newer reports whether an API version is later than another: "1.9" is not later than "1.51".
func newer(version, than string) bool {
	var a, b, c, d int
	_, err1 := fmt.Sscanf(version, "%d.%d", &a, &b)
	_, err2 := fmt.Sscanf(than, "%d.%d", &c, &d)
	return err1 == nil && err2 == nil && (a > c || a == c && b > d)
}

// each does something with every member, several at once; the first error ends it.
func each[T any](ctx context.Context, list []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(readers, len(list)) {
		wg.Go(func() {
			for v := range next {
				if err := do(ctx, v); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, v := range list {
		if ctx.Err() != nil {
			break
		}
		next <- v
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
