package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/layer"
)

// carriers copy layers of containers into others', and keep their state between the passes of one
// change.
type carriers struct {
	session *Session
	open    map[[2]string]*layer.Carrier // by the ids of both containers
	carried map[string]layer.Carried     // into a container, by its id, until that is kept
}

// close drops all that was begun.
func (l *carriers) close() {
	for key := range l.open {
		l.forget(key)
	}
}

func (l *carriers) forget(key [2]string) {
	if c := l.open[key]; c != nil {
		c.Close()
		delete(l.open, key)
	}
}

// carrier returns the carrier of two containers, opened at the first pass.
func (l *carriers) carrier(ctx context.Context, from, to string) (*layer.Carrier, error) {
	key := [2]string{from, to}
	if c := l.open[key]; c != nil {
		return c, nil
	}
	folders, err := l.folders(ctx, from, to)
	if err != nil {
		return nil, err
	}
	c, err := layer.Open(folders[0], folders[1])
	if err != nil {
		return nil, err
	}
	if l.open == nil {
		l.open, l.carried = map[[2]string]*layer.Carrier{}, map[string]layer.Carried{}
	}
	l.open[key] = c
	return c, nil
}

func (l *carriers) folders(ctx context.Context, ids ...string) ([]string, error) {
	store, err := l.session.layerStore(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		if list[i], err = store.folder(ctx, id); err != nil {
			return nil, err
		}
	}
	if len(list) == 2 && list[0] == list[1] {
		return nil, fmt.Errorf("the engine says that two containers have one layer, %s", list[0])
	}
	return list, nil
}

// carry does one effect. An error leaves the layer that is read as it was; the other one is for
// whoever asked to be removed, or carried into once more.
func (l *carriers) carry(ctx context.Context, a dropcap.Carry) (dropcap.Result, error) {
	c, err := l.carrier(ctx, a.From, a.To)
	if err != nil {
		return unseen(err, "carry its own layer along")
	}
	if a.Final {
		if err = lastPass(ctx, c); err == nil {
			l.carried[a.To] = c.Carried()
		}
	} else {
		err = firstPasses(ctx, c)
	}
	if a.Final || err != nil {
		l.forget([2]string{a.From, a.To})
	}
	return done(err, "carry its own layer along")
}

// mostPasses is how often a layer is looked through while its container runs, and worthwhile how
// much must have been copied by one for another one to be.
const (
	mostPasses = 4
	worthwhile = 8 << 20
)

// firstPasses copy while the container runs: again where the first one took long and so left much
// to be done again, until that no longer becomes less.
func firstPasses(ctx context.Context, c *layer.Carrier) error {
	for i, before := 1, int64(-1); ; i++ {
		done, err := c.Pass(ctx)
		if err != nil {
			return err
		}
		_, differs := c.Check(ctx)
		less := before < 0 || done.Copied < before/2
		before = done.Copied
		switch again := i < mostPasses && (done.Copied >= worthwhile && less || differs != nil); {
		case again && ctx.Err() == nil:
			continue
		case differs != nil:
			return differs
		}
		room, err := c.Room()
		if err == nil && room < done.Copied+layer.Reserve && i > 1 {
			err = layer.ErrRoom // what changes next needs as much again
		}
		return err
	}
}

// lastPass copies the rest, and verifies everything.
func lastPass(ctx context.Context, c *layer.Carrier) error {
	if _, err := c.Last(ctx); err != nil {
		return err
	}
	_, err := c.Verify(ctx)
	return err
}

// mostWritten is how many entries are told of a layer.
const mostWritten = 1000

// compare returns what a layer holds that was not copied into it, in the form of GET
// /containers/ID/changes.
func (l *carriers) compare(ctx context.Context, a dropcap.Compare) (dropcap.Result, error) {
	folders, err := l.folders(ctx, a.From, a.To)
	if err != nil {
		return unseen(err, "look at what was written into its own layer")
	}
	list, err := layer.Since(ctx, folders[0], folders[1], a.Since, mostWritten)
	if err != nil {
		return done(err, "look at what was written into its own layer")
	}
	type change struct {
		Path string
		Kind int // moby pkg/archive, ChangeType
	}
	changes := []change{}
	for _, w := range list {
		kind := 1
		if w.Deleted {
			kind = 2
		}
		changes = append(changes, change{"/" + w.Path, kind})
	}
	body, err := json.Marshal(changes)
	return dropcap.Result{Status: http.StatusOK, Body: body}, err
}

// sync writes a layer to disk, and what was carried into it.
func (l *carriers) sync(ctx context.Context, a dropcap.Sync) (dropcap.Result, error) {
	folders, err := l.folders(ctx, a.Container)
	if err != nil {
		return unseen(err, "bring its own layer to disk")
	}
	if carried := l.carried[a.Container]; carried != nil {
		if err := carried.Keep(folders[0]); err != nil {
			return done(err, "keep what was carried into its own layer")
		}
		delete(l.carried, a.Container)
	}
	return done(layer.Sync(folders[0]), "bring its own layer to disk")
}

// unseen is the result of what was not begun, since the engine did not say where the layers are:
// whoever asked may ask again.
func unseen(err error, what string) (dropcap.Result, error) {
	return dropcap.Result{}, dropcap.Errorf(dropcap.CodeError, "", "cannot %s: %w", what, err)
}

// done is the result of something that was certainly done, or not.
func done(err error, what string) (dropcap.Result, error) {
	if err == nil {
		return dropcap.Result{Status: http.StatusOK}, nil
	}
	hint := ""
	if errors.Is(err, layer.ErrRoom) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		hint = "make room on the engine's disk, keep those files in a volume, or say " +
			"--discard-layer"
	}
	if errors.Is(err, layer.ErrFlags) {
		hint = "`chattr -i -a` it, keep it in a volume, or say --discard-layer"
	}
	return dropcap.Result{Status: http.StatusInternalServerError},
		dropcap.Errorf(dropcap.CodeError, hint, "cannot %s: %w", what, err)
}
