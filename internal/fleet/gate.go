package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/printable"
	"dropcap/internal/wire"
)

// gate says why the next wave must not begin; empty if it may. What an earlier process decided is
// decided again: only the last audit is repeated for that, which is cheap.
func (j *journey) gate(ctx context.Context, w *dropcap.Wave) (string, error) {
	if !wire.Changes(j.run.Verb) {
		return "", nil
	}
	if why := j.receipts(); why != "" {
		return why, nil
	}
	if err := j.soak(ctx, w); err != nil {
		return "", err
	}
	if args := j.run.Rules.Probe; len(args) > 0 && j.Probe != nil {
		if err := j.Probe(ctx, args, w.Hosts); err != nil {
			return "the probe failed: " + printable.Line(err.Error()), ctx.Err()
		}
	}
	if w.Before == "" {
		return "", nil
	}
	return j.compare(ctx, w)
}

// receipts counts the bad hosts of all waves so far.
func (j *journey) receipts() string {
	causes, order, bad := map[string]int{}, []string{}, 0
	asked := map[string]bool{}
	for _, w := range j.run.Waves[:j.wave+1] {
		for _, h := range w.Hosts {
			asked[h] = true
		}
	}
	for _, h := range j.hosts {
		if !asked[h.Host] || !Bad(h) {
			continue
		}
		if h.Receipt == nil && h.Failure == nil {
			continue // it was not asked any more
		}
		c := Cause(h)
		if causes[c] == 0 {
			order = append(order, c)
		}
		causes[c]++
		bad++
	}
	if bad <= j.run.Rules.MaxErrors {
		return ""
	}
	var list []string
	for _, c := range order {
		list = append(list, fmt.Sprintf("%d %s", causes[c], c))
	}
	return fmt.Sprintf("%d of %s failed, and --max-errors is %d (%s)", bad,
		printable.Count(len(asked), "host"), j.run.Rules.MaxErrors, strings.Join(list, ", "))
}

// Cause returns the slug of a host's failure, by which errors are grouped; empty if there is none.
func Cause(h dropcap.FleetHost) string {
	switch {
	case h.Failure != nil:
		return h.Failure.Cause
	case h.Receipt == nil:
		return "not-asked"
	case h.Receipt.State == dropcap.ReceiptInterrupted:
		return "interrupted"
	}
	switch h.Receipt.Status {
	case dropcap.ExitRolledBack:
		return "rolled-back"
	case dropcap.ExitPerson:
		return "person"
	case dropcap.ExitHost:
		if h.Receipt.Host.Docker == "" {
			return "no-engine"
		}
		return "host"
	case dropcap.ExitOK, dropcap.ExitFindings, dropcap.ExitIncomplete:
		if h.Receipt.State.Over() && Bad(h) {
			return "not-backed-out"
		}
		return ""
	}
	if h.Receipt.Error != nil && h.Receipt.Error.Code != "" &&
		h.Receipt.Error.Code != dropcap.CodeError {
		if s := slug(string(h.Receipt.Error.Code)); s != "" {
			return s
		}
	}
	return "error"
}

// slug limits a host's error kind to the form of a slug.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '-' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 30)]
}

// soak waits for the soak time of the wave.
func (j *journey) soak(ctx context.Context, w *dropcap.Wave) error {
	ended, err := time.Parse(time.RFC3339, w.Ended)
	if err != nil {
		return nil
	}
	wait := ended.Add(time.Duration(j.run.Rules.SoakSeconds) * time.Second).Sub(j.Clock.Now())
	if wait <= 0 {
		return nil
	}
	j.tell(Progress{Run: j.run, Wave: j.wave, Done: len(w.Hosts), Total: len(w.Hosts),
		Note: "soaking for " + wait.Round(time.Second).String()})
	return j.Clock.Sleep(ctx, wait)
}

// compare audits the wave's hosts again: there must be no new findings, and what ran must still
// run.
func (j *journey) compare(ctx context.Context, w *dropcap.Wave) (string, error) {
	changed := j.changedIn(w)
	if len(changed) == 0 {
		return "", nil
	}
	after, err := j.auditOf(ctx, changed)
	if err != nil {
		return "", err
	}
	was, err := j.audits(ctx, w.Before)
	if err != nil {
		return "", err
	}
	is, err := j.audits(ctx, after.ID)
	if err != nil {
		return "", err
	}
	for _, h := range changed {
		a, seen := is[h]
		if !seen {
			return "cannot see how " + h + " is after the change: its audit failed", nil
		}
		b, ok := was[h]
		if !ok {
			continue // the host could not be looked at before; its receipt is good
		}
		if why := worse(b, a); why != "" {
			return h + ": " + why, nil
		}
	}
	return "", nil
}

// changedIn returns the hosts of a wave on which something was, or may have been, changed.
func (j *journey) changedIn(w *dropcap.Wave) []string {
	var list []string
	in := setOf(w.Hosts)
	for _, h := range j.hosts {
		if in[h.Host] && h.Receipt != nil && h.Failure == nil {
			list = append(list, h.Host)
		}
	}
	return list
}

func (j *journey) audits(ctx context.Context, run string) (map[string]dropcap.Audit, error) {
	_, hosts, err := j.Ledger.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	out := map[string]dropcap.Audit{}
	for _, h := range hosts {
		var a dropcap.Audit
		if foreign.Decode(foreign.Document(h), &a) == nil && a.Schema == dropcap.SchemaAudit {
			out[h.Host] = a
		}
	}
	return out, nil
}

func cutHost(host string) (place, id string) {
	at := strings.LastIndexByte(host, '/')
	return host[:max(at, 0)], host[at+1:]
}

// levelOf returns the arguments of a run that an audit of all containers takes.
func levelOf(run dropcap.FleetRun) []string {
	args, _ := wire.ParseArgs(run.Verb, run.Args) // the run could not have been sent
	return wire.Words("audit", wire.Args{Level: args.Level})
}

// otherVersions names the hosts that answered an audit with another version than the run requires;
// empty if none. The gate handles those that did not answer.
func (j *journey) otherVersions(ctx context.Context, audit string) (string, error) {
	want := j.run.Rules.Version
	if want == "" {
		return "", nil
	}
	_, hosts, err := j.Ledger.Run(ctx, audit)
	if err != nil {
		return "", err
	}
	count, example := 0, ""
	for _, h := range hosts {
		if h.Receipt != nil && h.Receipt.Host.Dropcap != want {
			count++
			example = fmt.Sprintf("%s runs %s", h.Host, printable.Line(h.Receipt.Host.Dropcap))
		}
	}
	if count == 0 {
		return "", nil
	}
	return fmt.Sprintf("%s of another version than %s (%s): `dropcap fleet install` brings it, "+
		"--any-version goes on without", printable.Count(count, "host"), want, example), nil
}
