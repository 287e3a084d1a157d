package host

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/store"
)

// EvidenceRequest names a workload; empty means all. "web" is enough for "docker:web".
type EvidenceRequest struct{ Workload string }

// Evidence returns what workloads were observed to need, merged by workload and revision.
func (h *Host) Evidence(ctx context.Context, q EvidenceRequest) (dropcap.Evidence, error) {
	doc := dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: []dropcap.WorkloadEvidence{}}
	err := h.withStore(func(s *store.Store) error {
		list, err := Stored(ctx, s, q.Workload)
		if list != nil {
			doc.Workloads = list
		}
		return err
	})
	return doc, err
}

// Import stores evidence that another host exported, separate from this host's own.
func (h *Host) Import(ctx context.Context, doc dropcap.Evidence) error {
	return h.withStore(func(s *store.Store) error {
		for _, w := range doc.Workloads {
			if len(w.Sources) == 0 {
				continue
			}
			if err := (Keeper{s, w.Sources[0].Host.ID}).Keep(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget removes all evidence of a workload, of every revision and host, and returns how many
// records that were.
func (h *Host) Forget(ctx context.Context, q EvidenceRequest) (records int, err error) {
	err = h.withStore(func(s *store.Store) error {
		list, err := Stored(ctx, s, q.Workload)
		if err != nil {
			return err
		}
		for _, w := range list {
			n, err := s.Forget(ctx, w.Workload, "")
			if err != nil {
				return err
			}
			records += n
		}
		return nil
	})
	return records, err
}

// ApproveRequest approves a flagged need as the workload's own, or revokes that.
type ApproveRequest struct {
	Workload string
	Cap      caps.Cap
	Undo     bool
}

// Approve makes a flagged need count as required at all revisions on which it was seen.
func (h *Host) Approve(ctx context.Context, q ApproveRequest) error {
	return h.withStore(func(s *store.Store) error {
		list, err := Stored(ctx, s, q.Workload)
		if err != nil {
			return err
		}
		named := map[string]bool{}
		for _, w := range list {
			named[w.Workload] = true
		}
		total, err := approve(ctx, s, q, named)
		if err == nil && total == 0 {
			err = dropcap.Errorf(dropcap.CodeError, "`dropcap evidence "+q.Workload+
				"` shows what is flagged",
				"cannot approve: no need of %s by %s is flagged", q.Cap.Short(), q.Workload)
		}
		return err
	})
}

func approve(ctx context.Context, s *store.Store, q ApproveRequest,
	named map[string]bool) (int, error) {
	all, err := s.Evidence(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, w := range all {
		if !named[w.Workload] {
			continue
		}
		change := func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
			if old == nil {
				return w, dropcap.Errorf(dropcap.CodeError, "",
					"cannot approve: the evidence of %s was forgotten meanwhile", w.Workload)
			}
			changed, n := evidence.Approve(*old, q.Cap, !q.Undo)
			total += n
			return changed, nil
		}
		if err := s.Update(ctx, w.Workload, w.Revision, change); err != nil {
			return total, err
		}
	}
	return total, nil
}

// withStore opens the store for the time of one call.
func (h *Host) withStore(do func(*store.Store) error) error {
	s, err := store.Open(h.config.Store)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// Stored reads the store's evidence, merged by workload and revision; an empty name means all.
func Stored(ctx context.Context, s *store.Store, name string) ([]dropcap.WorkloadEvidence, error) {
	all, err := s.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = withoutHost(all[i])
	}
	list := evidence.Merge(all, evidence.ByHost)
	if name == "" {
		return list, nil
	}
	if list, _ = Choose(list, []string{name}); len(list) == 0 {
		return nil, dropcap.Errorf(dropcap.CodeError,
			"`dropcap evidence` lists what there is; `dropcap learn` records it",
			"cannot find evidence of %q", name)
	}
	return list, nil
}

// Choose returns the workloads of these names, and the names that none has. A name without its kind
// is enough.
func Choose(all []dropcap.WorkloadEvidence,
	names []string) (list []dropcap.WorkloadEvidence, missing []string) {
	found := map[string]bool{}
	list = []dropcap.WorkloadEvidence{}
	for _, w := range all {
		_, short, _ := strings.Cut(w.Workload, ":")
		if slices.Contains(names, w.Workload) || slices.Contains(names, short) {
			found[w.Workload], found[short] = true, true
			list = append(list, w)
		}
	}
	for _, name := range names {
		if !found[name] {
			missing = append(missing, name)
		}
	}
	return list, missing
}

// recall returns the evidence and, for a snapshot of this host, the changes that there are, and
// marks in it the containers that changes retain. Without a store there is none of these; one that
// cannot be read is warned of.
func (h *Host) recall(ctx context.Context, snap *dropcap.Snapshot,
	here bool) ([]dropcap.WorkloadEvidence, []dropcap.Change) {
	m := h.remember(ctx, here)
	m.mark(snap)
	return m.evidence, m.changes
}

// memory is what the store knows, as far as audits go by it.
type memory struct {
	denied   map[string]caps.Set // by holds, in the kernel, by container
	evidence []dropcap.WorkloadEvidence
	changes  []dropcap.Change // the newest first
	trials   []dropcap.Trial  // the newest first
	unread   bool             // some of it could not be read

	hardenings []dropcap.Hardening
}

// remember reads the evidence and, if asked for, what else concerns this host. What cannot be read
// is warned of.
func (h *Host) remember(ctx context.Context, here bool) (m memory) {
	if _, err := os.Stat(h.config.Store); err != nil {
		return m
	}
	warn := func(what string, err error) {
		if err != nil {
			m.unread = true
			h.observer.Warn(fmt.Errorf("judging %s: %w", what, err))
		}
	}
	s, err := store.Open(h.config.Store)
	if err != nil {
		warn("without evidence", err)
		return m
	}
	defer s.Close()
	m.evidence, err = Stored(ctx, s, "")
	warn("without evidence", err)
	if !here {
		return m
	}
	m.changes, err = s.Changes(ctx)
	warn("retained containers like any other", err)
	m.hardenings, err = s.Hardenings(ctx)
	warn("without what is being hardened", err)
	trials, err := s.Trials(ctx)
	warn("without trials and holds", err)
	for _, t := range trials {
		m.trials = append(m.trials, t.Trial)
	}
	m.denied, err = h.deniedByHolds(m.trials)
	warn("without what is held", err)
	return m
}

// mark marks in a snapshot of this host what the store knows of its containers.
func (m memory) mark(snap *dropcap.Snapshot) {
	markRetained(m.changes, snap)
	markHeld(m.trials, m.denied, snap)
}

// MarkRetained marks the stopped containers that changes retain. A nil store has none.
func MarkRetained(ctx context.Context, s *store.Store, snap *dropcap.Snapshot) error {
	if s == nil {
		return nil
	}
	changes, err := s.Changes(ctx)
	if err != nil {
		return err
	}
	markRetained(changes, snap)
	return nil
}

func markRetained(changes []dropcap.Change, snap *dropcap.Snapshot) {
	kept := map[string]string{}
	for _, c := range changes {
		for _, id := range c.AllRetained() {
			kept[id] = c.ID
		}
	}
	for i, c := range snap.Containers {
		// Once started, it is a container like any other.
		if c.State == "exited" || c.State == "created" || c.State == "dead" {
			snap.Containers[i].Retained = kept[c.ID]
		}
	}
}

// Keeper keeps evidence of one host in the store. Evidence of other hosts stands beside ours, never
// in it: the store's key names the host.
type Keeper struct {
	*store.Store
	Host string
}

// workloadsAtOnce is how many are stored in one transaction, during which other users of the store
// wait.
const workloadsAtOnce = 200

// Keep merges new records with what the store has of the same workload, revision and host.
func (k Keeper) Keep(ctx context.Context, list ...dropcap.WorkloadEvidence) error {
	groups := map[[2]string][]dropcap.WorkloadEvidence{}
	for _, w := range list {
		at := [2]string{w.Workload, w.Revision + "@" + k.Host}
		groups[at] = append(groups[at], w)
	}
	for keys := range slices.Chunk(slices.Collect(maps.Keys(groups)), workloadsAtOnce) {
		merge := func(i int, old *dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
			return merged(groups[keys[i]], old)
		}
		if err := k.UpdateMany(ctx, keys, merge); err != nil {
			return fmt.Errorf("keep the evidence of %d workloads: %w", len(groups), err)
		}
	}
	return nil
}

// Unscanned returns what is stored of this host whose files no recording has come to look at.
func (k Keeper) Unscanned(ctx context.Context) ([]dropcap.WorkloadEvidence, error) {
	all, err := k.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	var list []dropcap.WorkloadEvidence
	for _, w := range all {
		if strings.HasSuffix(w.Revision, "@"+k.Host) && evidence.Unscanned(w) {
			list = append(list, withoutHost(w))
		}
	}
	return list, nil
}

// Scanned adds what files show that were looked at only after the recordings.
func (k Keeper) Scanned(ctx context.Context, w dropcap.WorkloadEvidence, static []dropcap.Need,
	why string) error {
	add := func(old *dropcap.WorkloadEvidence) (dropcap.WorkloadEvidence, error) {
		if old == nil {
			return w, fmt.Errorf("the evidence of %s was forgotten meanwhile", w.Workload)
		}
		return evidence.Scanned(*old, static, why), nil
	}
	return k.Update(ctx, w.Workload, w.Revision+"@"+k.Host, add)
}

// merged joins new records of one workload with what is stored of it.
func merged(fresh []dropcap.WorkloadEvidence,
	old *dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	present := map[string]bool{}
	for _, w := range fresh {
		present[w.Sources[0].Container] = true
	}
	if old != nil {
		fresh = append(slices.Clone(fresh), withoutHost(*old))
	}
	w := evidence.Merge(fresh, evidence.AcrossHosts)[0]
	return evidence.Trim(w, func(s dropcap.Source) bool { return present[s.Container] })
}

// withoutHost takes the host off a revision that comes from the store.
func withoutHost(w dropcap.WorkloadEvidence) dropcap.WorkloadEvidence {
	w.Revision, _, _ = strings.Cut(w.Revision, "@")
	return w
}
