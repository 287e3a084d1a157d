package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/apply"
	"dropcap/internal/bpf"
	"dropcap/internal/evidence"
	"dropcap/internal/store"
	"dropcap/internal/verdict"
)

// watch records denied capability checks during changes, if this host can; else it reports that,
// and the gate works without.
func (h *Host) watch(ctx context.Context, off bool, s *store.Store) (apply.Watcher, func()) {
	none := func() {}
	if off {
		return nil, none
	}
	t, err := bpf.Open(bpf.Options{})
	if err == nil {
		// before the new container starts: its first second matters most
		err = errors.Join(t.Default(true))
		if err != nil {
			t.Close()
		}
	}
	if err != nil {
		h.observer.Progress(Note{fmt.Sprintf("dropcap: not watching for denied checks: %v", err)})
		return nil, none
	}
	known, err := Stored(ctx, s, "")
	if err != nil {
		h.observer.Warn(fmt.Errorf("watching without what was denied before: %w", err))
	}
	return &denials{t: t, names: map[uint64]string{}, evidence: known}, func() { t.Close() }
}

// denials finds the denied checks of a container by its cgroup's name, which the engine gives it.
// That somebody else can have a cgroup called so costs a rollback at most.
type denials struct {
	t        *bpf.Tracer
	names    map[uint64]string
	evidence []dropcap.WorkloadEvidence // shows what was denied before as well
}

// Denied names the first check that the old container would have been granted: see verdict.Denied.
// Checks by docker exec do not count: probes have their own result.
func (d *denials) Denied(_ context.Context, change dropcap.Change,
	dropped caps.Set) (string, error) {
	seen, err := d.t.Sightings()
	if err != nil {
		return "", err
	}
	for _, s := range seen {
		d.names[s.Cgroup] = s.Name
	}
	checks, _, err := d.t.Checks()
	if err != nil {
		return "", err
	}
	checks = slices.DeleteFunc(checks, func(c dropcap.KernelCheck) bool {
		return !strings.Contains(d.names[c.Cgroup], change.After)
	})
	first, found := verdict.Denied(checks, dropped, evidence.DenialsOf(d.evidence, change.Workload).
		Knows)
	if !found {
		return "", nil
	}
	return fmt.Sprintf("%s needed %s at %s", programOf(first), first.Cap, place(first)), nil
}

func programOf(c dropcap.KernelCheck) string {
	if c.Exe.Path == "" {
		return "a program"
	}
	return path.Base(c.Exe.Path)
}

func place(c dropcap.KernelCheck) string {
	if c.Syscall != "" {
		return c.Syscall
	}
	return verdict.Of(c).Site
}
