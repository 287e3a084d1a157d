package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/evidence"
	"dropcap/internal/harden"
	"dropcap/internal/printable"
	"dropcap/internal/snapshot"
	"dropcap/internal/store"
)

// HardenRequest says which workloads to harden, and how.
type HardenRequest struct {
	// Names are ids, id prefixes or names of containers, or workloads.
	Names []string
	All   bool // all workloads that run
	// Settings are the operator's; UsualHardening is where nothing was said.
	Settings dropcap.HardenSettings
}

// Harden keeps that these workloads are to be hardened. It changes nothing: HardenService carries
// them on. Those that are under way get the new settings, those that are over begin again.
func (h *Host) Harden(ctx context.Context, q HardenRequest) (dropcap.Hardenings, error) {
	doc := emptyHardenings()
	s, err := h.Open(ctx)
	if err != nil {
		return doc, err
	}
	defer s.Close()
	_, here, err := s.learnable(ctx)
	if err != nil {
		return doc, err
	}
	kept, err := store.Open(h.config.Store)
	if err != nil {
		return doc, err
	}
	defer kept.Close()
	workloads, err := h.workloads(ctx, s, kept, q)
	if err != nil {
		return doc, err
	}
	begin := func(former *dropcap.Hardening, workload string) (dropcap.Hardening, error) {
		return harden.Begin(now(), former, workload, here.ID, q.Settings), nil
	}
	for _, w := range workloads {
		one, err := editHardening(ctx, kept, w, begin)
		if err != nil {
			return doc, err
		}
		doc.Hardenings = append(doc.Hardenings, one)
	}
	return doc, nil
}

func emptyHardenings() dropcap.Hardenings {
	return dropcap.Hardenings{Schema: dropcap.SchemaHarden, Hardenings: []dropcap.Hardening{}}
}

// workloads finds the workloads that are asked for.
func (h *Host) workloads(ctx context.Context, s *Session, kept *store.Store,
	q HardenRequest) ([]string, error) {
	snap, err := snapshot.Take(ctx, s, noProcesses{}, s.Machine, snapshot.Query{})
	if err != nil {
		return nil, err
	}
	if err := MarkRetained(ctx, kept, &snap); err != nil {
		return nil, err
	}
	var list []string
	found := map[string]bool{}
	for _, c := range snap.Containers {
		asked := q.All && c.Running()
		for _, name := range q.Names {
			if c.Name == name || c.Workload == name || len(name) >= 4 &&
				strings.HasPrefix(c.ID, name) {
				asked, found[name] = true, true
				if c.Retained != "" {
					return nil, dropcap.Errorf(dropcap.CodeUsage, "name the one that runs",
						"cannot harden %s: change %s retains it for a backout", c.Name, c.Retained)
				}
			}
		}
		if asked && c.Retained == "" && c.Workload != "" && !slices.Contains(list, c.Workload) {
			list = append(list, c.Workload)
		}
	}
	for _, name := range q.Names {
		if !found[name] {
			return nil, &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
				Message: "cannot find a container or workload " + printable.Line(name),
				Hint:    "`docker ps --all` lists the containers"}
		}
	}
	slices.Sort(list)
	return list, nil
}

// editHardening replaces one hardening by what edit makes of it. The one that carries it on may
// write it at the same time: then it is edited again.
func editHardening(ctx context.Context, s *store.Store, workload string,
	edit func(former *dropcap.Hardening, workload string) (dropcap.Hardening, error),
) (dropcap.Hardening, error) {
	for range 10 {
		all, err := s.Hardenings(ctx)
		if err != nil {
			return dropcap.Hardening{}, err
		}
		var former *dropcap.Hardening
		for i := range all {
			if all[i].Workload == workload {
				former = &all[i]
			}
		}
		is, err := edit(former, workload)
		if err != nil {
			return dropcap.Hardening{}, err
		}
		kept, err := s.KeepHardening(ctx, former, is)
		if err != nil || kept {
			return is, err
		}
	}
	return dropcap.Hardening{}, dropcap.Errorf(dropcap.CodeError, "try it again",
		"cannot edit the hardening of %s: it is being changed all the time", workload)
}

// HardenWish is what a person asks about hardenings.
type HardenWish func(dropcap.Hardening) (dropcap.Hardening, error)

// The wishes.
var (
	HardenPause   HardenWish = wish(harden.Pause)
	HardenResume  HardenWish = wish(harden.Resume)
	HardenStop    HardenWish = wish(harden.Stop)
	HardenApprove HardenWish = wish(harden.Approve)
)

// HardenWished does that to the hardenings of these names, of all if there is none. What it cannot
// be done to is an error where it was named, and is left alone where it was not.
func (h *Host) HardenWished(ctx context.Context, names []string,
	do HardenWish) (dropcap.Hardenings, error) {
	doc := emptyHardenings()
	err := h.withStore(func(s *store.Store) error {
		all, err := s.Hardenings(ctx)
		if err != nil {
			return err
		}
		chosen, err := chosenHardenings(all, names)
		if err != nil {
			return err
		}
		for _, c := range chosen {
			one, err := editHardening(ctx, s, c.Workload,
				func(former *dropcap.Hardening, _ string) (dropcap.Hardening, error) {
					if former == nil {
						return c, fmt.Errorf("the hardening of %s is gone", c.Workload)
					}
					return do(*former)
				})
			if err != nil && len(names) == 0 && CodeOf(err) == dropcap.CodeError {
				continue
			}
			if err != nil {
				return err
			}
			doc.Hardenings = append(doc.Hardenings, one)
		}
		return nil
	})
	return doc, err
}

// chosenHardenings are those of the names: workloads, with or without their kind, or containers.
func chosenHardenings(all []dropcap.Hardening, names []string) ([]dropcap.Hardening, error) {
	if len(names) == 0 {
		return all, nil
	}
	var list []dropcap.Hardening
	for _, name := range names {
		i := slices.IndexFunc(all, func(h dropcap.Hardening) bool {
			_, short, _ := strings.Cut(h.Workload, ":")
			return name == h.Workload || name == short || slices.Contains(h.Containers, name)
		})
		if i < 0 {
			return nil, &dropcap.Error{Code: dropcap.CodeError, Err: dropcap.ErrNotFound,
				Message: "cannot find a hardening of " + printable.Line(name),
				Hint: "`dropcap harden status` lists them; `dropcap harden " +
					printable.Shell(name) + "` begins one"}
		}
		list = append(list, all[i])
	}
	return list, nil
}

// Hardenings returns the hardenings of these names, all if there is none, with what is known by
// now. No engine is asked.
func (h *Host) Hardenings(ctx context.Context, names []string) (dropcap.Hardenings, error) {
	doc := emptyHardenings()
	if !store.Exists(h.config.Store) && len(names) == 0 {
		return doc, nil
	}
	err := h.withStore(func(s *store.Store) error {
		all, err := s.Hardenings(ctx)
		if err != nil {
			return err
		}
		chosen, err := chosenHardenings(all, names)
		if err != nil {
			return err
		}
		trials, err := trialsOf(ctx, s)
		if err != nil {
			return err
		}
		for _, one := range chosen {
			seen, err := evidenceOf(ctx, s, one.Workload, one.Revision, one.Host)
			if err != nil {
				return err
			}
			trial := newestTrial(trials, one.Workload, one.Revision)
			doc.Hardenings = append(doc.Hardenings, harden.Shown(one, seen.learned, trial,
				seen.tried))
		}
		return nil
	})
	return doc, err
}

// trialsOf returns the trials, those whose process is gone as what they are.
func trialsOf(ctx context.Context, s *store.Store) ([]store.KeptTrial, error) {
	list, err := s.Trials(ctx)
	for i := range list {
		died(&list[i])
	}
	return list, err
}

// newestTrial is the last trial of a workload at a revision, one that runs before all others.
func newestTrial(all []store.KeptTrial, workload, revision string) *dropcap.Trial {
	var newest *dropcap.Trial
	for i := range all {
		t := &all[i].Trial
		if t.Kind != dropcap.KindTrial || t.Workload != workload || t.Revision != revision {
			continue
		}
		if !t.State.Over() {
			return t
		}
		if newest == nil {
			newest = t
		}
	}
	return newest
}

// seenOf is what evidence says of one workload at one revision on this host.
type seenOf struct {
	learned int64 // seconds, of the container that was watched longest
	tried   []dropcap.Tried
	all     []dropcap.WorkloadEvidence // of every revision
}

func evidenceOf(ctx context.Context, s *store.Store, workload, revision,
	host string) (seenOf, error) {
	list, err := s.EvidenceOf(ctx, workload)
	if err != nil {
		return seenOf{}, err
	}
	for i := range list {
		list[i] = withoutHost(list[i])
	}
	out := seenOf{all: evidence.Merge(list, evidence.ByHost)}
	by := map[string]int64{}
	for _, w := range out.all {
		if w.Revision != revision {
			continue
		}
		out.tried = append(out.tried, w.Tried...)
		for _, src := range w.Sources {
			if src.Host.ID == host && src.Trial == "" {
				by[src.Container] += src.Seconds
				out.learned = max(out.learned, by[src.Container])
			}
		}
	}
	return out, nil
}

func wish(do func(time.Time, dropcap.Hardening) (dropcap.Hardening, error)) HardenWish {
	return func(h dropcap.Hardening) (dropcap.Hardening, error) { return do(now(), h) }
}

// book keeps the hardenings of a service, and reads them again only after somebody has written.
type book struct {
	kept *store.Store
	mark string
	list []dropcap.Hardening
}

func (b *book) Hardenings(ctx context.Context) ([]dropcap.Hardening, error) {
	mark, _, err := b.kept.Marks(ctx)
	if err == nil && (mark != b.mark || b.list == nil) {
		if b.list, err = b.kept.Hardenings(ctx); err == nil {
			b.mark = mark
		}
	}
	return b.list, err
}

func (b *book) KeepHardening(ctx context.Context, was, is dropcap.Hardening) error {
	kept, err := b.kept.KeepHardening(ctx, &was, is)
	if err == nil && !kept {
		err = harden.ErrChanged
	}
	b.list = nil
	return err
}

var _ harden.Book = (*book)(nil)
