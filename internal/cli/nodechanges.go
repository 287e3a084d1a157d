package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/printable"
)

// backout takes back what requests to apply have changed, the newest first.
func (w *worker) backout(ctx context.Context) error {
	list, err := w.named(ctx)
	if err != nil {
		return err
	}
	doc := dropcap.Changes{Schema: dropcap.SchemaChange, Changes: []dropcap.Change{}}
	if slices.ContainsFunc(list, unfinished) {
		if list, err = w.recoveredFor(ctx); err != nil {
			return err
		}
	}
	for _, c := range list {
		if c.State != dropcap.Applied && c.State != dropcap.NeedsPerson {
			continue
		}
		r, err := w.run(ctx, "backout", c.ID, "--yes", "--format", "json")
		var one dropcap.Changes
		if json.Unmarshal(r.document, &one) == nil {
			doc.Changes = append(doc.Changes, one.Changes...)
		}
		if r.failing != nil && w.r.Error == nil {
			w.r.Error = failing(&dropcap.Error{Code: r.failing.Code, Message: r.failing.Message,
				Hint: r.failing.Hint})
		}
		w.r.Status = dropcap.Worst(w.r.Status, r.status)
		w.r.Messages = append(w.r.Messages, r.said...)
		w.r.Messages = w.r.Messages[max(0, len(w.r.Messages)-mostMessages):]
		w.document(doc)
		if err != nil {
			return err
		}
		if r.status == dropcap.ExitInterrupt {
			break
		}
	}
	w.document(doc)
	w.countChanges()
	if len(doc.Changes) == 0 && w.r.Error == nil {
		w.r.Summary = "nothing to back out"
	}
	return nil
}

func unfinished(c dropcap.Change) bool { return !c.State.Over() }

// recoveredFor ends what the process of a request to apply left unfinished when it was killed, and
// gives the changes to back out then.
func (w *worker) recoveredFor(ctx context.Context) ([]dropcap.Change, error) {
	r, err := w.run(ctx, "recover", "--wait", "15s", "--busy")
	if err != nil {
		return nil, err
	}
	w.r.Messages = r.said
	list, err := w.named(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, unfinished); i >= 0 {
		return nil, dropcap.Errorf(dropcap.CodeIncomplete,
			"dropcap recover, on the host, tells why",
			"cannot back out change %s of %s: it is not at an end (%s)", list[i].ID, list[i].Name,
			list[i].State)
	}
	return list, nil
}

// applyPatience is how long a backout waits for the request that it takes back.
const applyPatience = time.Hour

// settled waits until a request to apply is over. One that has not arrived is recorded as taken
// back, so that it is not done when it arrives.
func (w *worker) settled(ctx context.Context, request string) (dropcap.Receipt, error) {
	r, err := w.s.Receipt(ctx, request)
	if errors.Is(err, dropcap.ErrNotFound) {
		none := w.app.newReceipt(nodeRequest{id: request, verb: "apply"})
		none.Command, none.State, none.Ended, none.Status = "", dropcap.ReceiptDone, none.Started,
			dropcap.ExitError
		none.Error = failing(dropcap.Errorf(dropcap.CodeError, "plan again",
			"cannot apply: the request was taken back before it arrived; nothing was changed"))
		none.Summary = none.Error.Message
		r, _, err = w.s.BeginReceipt(ctx, none)
	}
	if err != nil || r.Verb != "apply" || r.State.Over() {
		return r, err
	}
	return w.app.nodeWait(ctx, w.s, request, applyPatience, recovering(request))
}

// named are the changes of the requests that a request to back out names, as they are now, the
// newest first. One that still goes on is an error.
func (w *worker) named(ctx context.Context) ([]dropcap.Change, error) {
	all, err := w.s.Changes(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, request := range strings.Split(argument(w.r.Args, "of"), ",") {
		r, err := w.settled(ctx, request)
		switch {
		case err != nil:
			return nil, err
		case r.Verb != "apply":
			continue // nothing was changed for it
		case !r.State.Over():
			return nil, dropcap.Errorf(dropcap.CodeIncomplete,
				"ask for its receipt until it is over",
				"cannot back out request %s: it still goes on", request)
		}
		for _, c := range changesFor(r, all) {
			ids[c.ID] = true
		}
	}
	return slices.DeleteFunc(all, func(c dropcap.Change) bool { return !ids[c.ID] }), nil
}

// changesFor are the changes of the journal that a request to apply has made: those that its
// receipt names, and those of its plan that began while it went on, for one whose document was lost
// or never written.
func changesFor(r dropcap.Receipt, all []dropcap.Change) []dropcap.Change {
	var doc dropcap.Changes
	_ = json.Unmarshal(r.Document, &doc) // without one the plan decides
	plans := map[string]bool{}
	words := argument(r.Args, "plans") // of all hosts that were told at once
	if r.Plan != "" {
		words = r.Plan
	}
	for _, word := range strings.Split(words, ",") {
		id, _, _ := strings.Cut(word, ":")
		plans[id] = id != ""
	}
	var list []dropcap.Change
	for _, c := range all {
		within := plans[c.Plan] && moment(c.Started) >= moment(r.Started) &&
			(r.Ended == "" || moment(c.Started) <= moment(r.Ended))
		if within || slices.ContainsFunc(doc.Changes, func(d dropcap.Change) bool {
			return d.ID == c.ID
		}) {
			list = append(list, c)
		}
	}
	return list
}

// moment is a time in seconds; 0 for one that cannot be read.
func moment(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// argument gives the value of one of a receipt's arguments.
func argument(args []string, name string) string {
	for _, word := range args {
		if value, ok := strings.CutPrefix(word, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

// interrupted ends a request whose process died: what it left unfinished is recovered, and what it
// changed is told. False if that cannot be done now.
func (w *worker) interrupted(ctx context.Context) bool {
	w.r.State, w.r.Document, w.r.Messages = dropcap.ReceiptInterrupted, nil, []string{}
	what := "cannot tell what came of it: dropcap ended amid the request"
	w.r.Status = dropcap.ExitInterrupt
	w.r.Host.Docker = w.app.engineVersion(context.WithoutCancel(ctx))
	if changesContainers(w.r.Verb) {
		list, err := w.recovered(ctx)
		if err != nil {
			w.r.State, w.r.Error = dropcap.ReceiptRunning, failing(err)
			w.r.Summary = printable.Cut("interrupted; waits for a recovery: "+w.r.Error.Message,
				mostSummary)
			return false
		}
		w.document(dropcap.Changes{Schema: dropcap.SchemaChange, Changes: list})
		w.countChanges()
		what = "cannot finish: dropcap ended amid the request; nothing was changed"
		if len(list) > 0 {
			w.r.Status, what = statusOf(list),
				"cannot finish: dropcap ended amid the request; the changes that it began were "+
					"brought to an end"
		}
	}
	if w.r.Document == nil || w.r.Summary == "" {
		w.r.Summary = "interrupted"
	} else {
		w.r.Summary = "interrupted; " + w.r.Summary
	}
	w.r.Error = failing(&dropcap.Error{Code: dropcap.CodeInterrupt, Message: what,
		Hint: "send it again as a new request"})
	return true
}

// recovered recovers, and gives the changes of the request as they are then.
func (w *worker) recovered(ctx context.Context) ([]dropcap.Change, error) {
	r, err := w.run(ctx, "recover", "--wait", "15s", "--busy")
	if err != nil {
		return nil, err
	}
	w.r.Messages = r.said
	var list []dropcap.Change
	if w.r.Verb == "backout" {
		list, err = w.named(ctx)
	} else {
		all, failed := w.s.Changes(ctx)
		list, err = changesFor(w.r, all), failed
	}
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if !c.State.Over() {
			return nil, dropcap.Errorf(dropcap.CodeError, "dropcap recover, on the host, tells why",
				"cannot end change %s of %s (%s)", c.ID, c.Name, c.State)
		}
	}
	if r.status != dropcap.ExitOK && r.status != dropcap.ExitRolledBack &&
		r.status != dropcap.ExitPerson && len(list) == 0 {
		// nobody knows whether anything is unfinished
		return nil, fmt.Errorf("cannot recover: exit status %d", r.status)
	}
	if list == nil {
		list = []dropcap.Change{}
	}
	return list, nil
}

// statusOf is the exit status that tells how changes stand after an interruption; that not all was
// done is the least.
func statusOf(list []dropcap.Change) int {
	status := dropcap.ExitIncomplete
	for _, c := range list {
		switch c.State {
		case dropcap.RolledBack:
			status = dropcap.Worst(status, dropcap.ExitRolledBack)
		case dropcap.NeedsPerson:
			status = dropcap.Worst(status, dropcap.ExitPerson)
		}
	}
	return status
}
