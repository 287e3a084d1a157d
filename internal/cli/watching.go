package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/apply"
	"dropcap/internal/bpf"
	"dropcap/internal/verdict"
)

// watch watches for denied capability checks while containers are changed, where this host can; else it says so, and the gate does without.
func (a *app) watch(off bool) (apply.Watcher, func()) {
	none := func() {}
	if off {
		return nil, none
	}
	t, err := bpf.Open(bpf.Options{})
	if err == nil {
		err = errors.Join(t.Default(true)) // before the new container starts: its first second matters most
		if err != nil {
			t.Close()
		}
	}
	if err != nil {
		a.say("not watching for denied checks: %v", err)
		return nil, none
	}
	return &denials{t: t, names: map[uint64]string{}}, func() { t.Close() }
}

// denials finds the denied checks of a container by its cgroup's name, which the engine gives it. That somebody else can have a cgroup called
// so costs a rollback at most.
type denials struct {
	t     *bpf.Tracer
	names map[uint64]string
}

// Denied names the first check of a dropped capability that was denied and decides something. The old container held those capabilities,
// so that it was granted what is denied now. Checks by docker exec do not count: probes answer for themselves.
func (d *denials) Denied(_ context.Context, container string, dropped caps.Set) (string, error) {
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
	var first dropcap.KernelCheck
	found := false
	for _, c := range checks {
		switch {
		case c.Granted || !dropped.Has(c.Cap) || c.Reach != dropcap.ReachOwn || !c.OwnCred || c.Origin != dropcap.OriginInit:
		case !strings.Contains(d.names[c.Cgroup], container) || verdict.Of(c).Class != dropcap.Decisive:
		case !found || c.First.Before(first.First):
			first, found = c, true
		}
	}
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
