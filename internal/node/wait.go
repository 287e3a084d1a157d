package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/store"
	"dropcap/internal/wire"
)

// pollInterval is how often a waiting process reads the receipt of a request.
const pollInterval = 100 * time.Millisecond

// once starts a request unless it was done, and returns its receipt when it ends or the time to
// wait is over.
func (n *Node) once(ctx context.Context, q wire.Request) (dropcap.Receipt, error) {
	s, err := n.open()
	if err != nil {
		return dropcap.Receipt{}, err
	}
	defer s.Close()
	r, err := s.Receipt(ctx, q.ID)
	if errors.Is(err, dropcap.ErrNotFound) || err == nil && r.Verb == q.Verb.Name {
		r, err = n.wait(ctx, s, q, q.Wait)
	}
	if err == nil && (r.Verb != q.Verb.Name || !q.Same(r.Args)) {
		err = dropcap.Errorf(dropcap.CodeError, "each request has a name of its own",
			"cannot do request %s: it was to %s %s", q.ID, r.Verb, strings.Join(r.Args, " "))
	}
	return r, err
}

// receipt returns the receipt of a request. It ends one whose process died, except that a request
// that only reads may not end one that changed containers.
func (n *Node) receipt(ctx context.Context, q wire.Request) (dropcap.Receipt, error) {
	of := q.Of[0]
	s, err := n.open()
	if err != nil {
		return dropcap.Receipt{}, err
	}
	defer s.Close()
	r, err := s.Receipt(ctx, of)
	switch {
	case errors.Is(err, dropcap.ErrNotFound):
		r = n.newReceipt(wire.Request{ID: of})
		r.Command, r.Started, r.State = "", "", dropcap.ReceiptAbsent
		r.Summary = "this host has never heard of the request"
		return r, nil
	case err != nil || r.State.Over():
		return r, err
	case q.Verb.Recovers || !wire.Changes(r.Verb):
		return n.wait(ctx, s, recovering(of), q.Wait)
	}
	return n.see(ctx, s, of, q.Wait)
}

// recovering returns the request that ends another one whose process died.
func recovering(id string) wire.Request {
	verb, _ := wire.Lookup("recover")
	return wire.Request{Verb: verb, ID: id, Args: wire.Args{Of: []string{id}}, Wait: verb.Wait}
}

// see waits as wait does, but starts nothing: it reports if no process is at work.
func (n *Node) see(ctx context.Context, s *store.Store, id string,
	most time.Duration) (dropcap.Receipt, error) {
	for end := time.Now().Add(most); ; {
		idle, err := isIdle(s, id)
		if err != nil {
			return dropcap.Receipt{}, err
		}
		r, err := s.Receipt(ctx, id) // after the lock: its holder may have ended the request
		switch {
		case err != nil || r.State.Over():
			return r, err
		case idle:
			r.Recovery = true
			if r.Summary == "" {
				r.Summary = "interrupted; waits for a recovery"
			}
			return r, nil
		case time.Now().After(end):
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, goesOn(id)
		case <-time.After(pollInterval):
		}
	}
}

// wait waits until a request is over, or for that time, and ensures that a process works on it
// until then.
func (n *Node) wait(ctx context.Context, s *store.Store, q wire.Request,
	most time.Duration) (dropcap.Receipt, error) {
	const mostBegun = 50 // processes: one that finds another at work ends at once
	end := time.Now().Add(most)
	for begun := 0; ; {
		r, err := s.Receipt(ctx, q.ID)
		unknown := errors.Is(err, dropcap.ErrNotFound)
		if err != nil && !unknown || r.State.Over() {
			return r, err
		}
		idle, err := isIdle(s, q.ID)
		switch {
		case err != nil:
			return r, err
		case idle && begun < mostBegun:
			begun++
			if err := n.begin(ctx, s, q); ctx.Err() != nil {
				return r, goesOn(q.ID)
			} else if err != nil {
				return r, err
			}
			if unknown {
				continue
			}
		case unknown && begun >= mostBegun:
			return r, dropcap.Errorf(dropcap.CodeError, "see the log in the store's folder",
				"cannot begin request %s: no process stays at work on it", q.ID)
		case !unknown && time.Now().After(end):
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, goesOn(q.ID)
		case <-time.After(pollInterval):
		}
	}
}

// goesOn is the error of an interrupted wait: the work goes on.
func goesOn(id string) error {
	return dropcap.Errorf(dropcap.CodeInterrupt,
		"`dropcap node receipt --of="+id+"` tells what comes of it",
		"cannot wait for the end: interrupted; request %s goes on", id)
}

// isIdle reports whether no process works on a request.
func isIdle(s *store.Store, id string) (bool, error) {
	held, ok, err := s.LockRequest(id)
	if ok {
		store.Release(held)
	}
	return ok, err
}

// EndDead ends requests whose process died, so that their receipts show the result. Each error is
// of one of them.
func (n *Node) EndDead(ctx context.Context) []error {
	if _, err := os.Stat(filepath.Join(n.Store, "store.db")); err != nil {
		return nil // nor is one created
	}
	s, err := n.open()
	if err != nil {
		return nil
	}
	defer s.Close()
	var failed []error
	list, err := s.Running(ctx)
	if err != nil {
		failed = append(failed, err)
	}
	for _, id := range list {
		idle, err := isIdle(s, id)
		if err == nil && idle {
			_, err = n.wait(ctx, s, recovering(id), time.Minute)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
