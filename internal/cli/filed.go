package cli

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dropcap"
	"dropcap/internal/apply"
	"dropcap/internal/host"
)

const hintPlan = "make one with `dropcap plan --out plan.json`"

// filedPlan reads the plan that the arguments name; nil if they name containers.
func (a *app) filedPlan(ctx context.Context, args []string) (*dropcap.Plan, error) {
	isFile := func(s string) bool { return s == "-" || strings.HasSuffix(s, ".json") || strings.Contains(s, "/") }
	if !slices.ContainsFunc(args, isFile) {
		return nil, nil
	}
	if len(args) > 1 {
		return nil, usageError("apply one plan at a time, or name containers only", "cannot apply a plan together with something else: %s", strings.Join(args, " "))
	}
	if err := trusted(args[0]); err != nil {
		return nil, err
	}
	b, err := readAll(ctx, a.in, args[0], mostDocument)
	if err != nil {
		return nil, err
	}
	name := called(a.in, args[0])
	var p dropcap.Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, hintPlan, "cannot read %s: %w", name, err)
	}
	if p.Schema != dropcap.SchemaPlan {
		return nil, dropcap.Errorf(dropcap.CodeError, hintPlan, "cannot read %s: its schema is %q, not %s", name, p.Schema, dropcap.SchemaPlan)
	}
	return &p, nil
}

// trusted refuses, as root, a file that others may write, or whose folder is such that others may put another in its place. Whatever stands
// in it is checked all the same; this keeps others from choosing what root does.
func trusted(path string) error {
	if path == "-" || os.Geteuid() != 0 {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", path, host.Cause(err))
	}
	for _, chain := range []string{path, real} {
		for p := chain; ; p = filepath.Dir(p) {
			if err := ours(p, p != chain); err != nil {
				return err
			}
			if p == filepath.Dir(p) {
				break
			}
		}
	}
	return nil
}

// ours tells what is wrong with a file or folder on the way. In a sticky folder (/tmp) nobody can replace what is not his.
func ours(path string, parent bool) error {
	i, err := os.Lstat(path)
	if err != nil {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", path, host.Cause(err))
	}
	s, ok := i.Sys().(*syscall.Stat_t)
	invoker := os.Getenv("SUDO_UID")
	link := i.Mode()&os.ModeSymlink != 0
	switch {
	case ok && s.Uid != 0 && strconv.Itoa(int(s.Uid)) != invoker:
		return dropcap.Errorf(dropcap.CodeError, "copy it to a place of root's", "cannot trust a plan at %s: it belongs to another user", path)
	case !link && i.Mode().Perm()&0o022 != 0 && !(parent && i.Mode()&os.ModeSticky != 0):
		return dropcap.Errorf(dropcap.CodeError, "chmod go-w "+path, "cannot trust a plan at %s: others may write there", path)
	}
	return nil
}

// planAsFiled plans again what a file says, and refuses each step that comes out otherwise: what is applied is only ever what was just planned.
func (a *app) planAsFiled(ctx context.Context, ch *host.Changing, filed *dropcap.Plan, f *planFlags) (planned, error) {
	var all planned
	if f.level == "" {
		f.level = string(filed.Policy.Level)
	}
	fresh := map[string]dropcap.Step{}
	for _, g := range groups(filed.Steps) {
		// The file does not say what its maker accepted. Of the two answers the one that he has seen counts.
		for _, accept := range []string{f.accept, "low"} {
			flags := *f
			flags.accept, flags.strategy, flags.inPlace, flags.deprivilege = accept, string(g.strategy), false, g.deprivilege || f.deprivilege
			flags.ifPresent = true
			p, err := a.makePlan(ctx, ch.Session, ch.Store, g.ids, &flags)
			if err != nil {
				return all, err
			}
			for _, s := range p.plan.Steps {
				if old, seen := fresh[s.Container.ID]; !seen || !apply.Equal(old, g.steps[s.Container.ID]) {
					fresh[s.Container.ID] = s
				}
			}
			all = merged(all, p)
		}
	}
	all.plan.ID, all.plan.Steps = filed.ID, nil
	for _, s := range filed.Steps {
		if !s.Changes() && s.Refused == "" {
			continue
		}
		now, ok := fresh[s.Container.ID]
		all.plan.Steps = append(all.plan.Steps, apply.Agreed(s, now, ok))
	}
	return all, nil
}

// group are steps that are planned together.
type group struct {
	strategy    dropcap.Strategy
	deprivilege bool
	ids         []string
	steps       map[string]dropcap.Step
}

func groups(steps []dropcap.Step) []group {
	var list []group
	for _, s := range steps {
		if !s.Changes() || s.Refused != "" {
			continue
		}
		key := group{strategy: s.Strategy, deprivilege: s.Before.Privileged && !s.After.Privileged}
		at := slices.IndexFunc(list, func(g group) bool { return g.strategy == key.strategy && g.deprivilege == key.deprivilege })
		if at < 0 {
			key.steps = map[string]dropcap.Step{}
			list, at = append(list, key), len(list)
		}
		list[at].ids = append(list[at].ids, s.Container.ID)
		list[at].steps[s.Container.ID] = s
	}
	return list
}

func merged(all, p planned) planned {
	if all.recipes == nil {
		return p
	}
	maps.Copy(all.recipes, p.recipes)
	maps.Copy(all.original, p.original)
	all.Subjects = append(all.Subjects, p.Subjects...)
	if all.plan.Host.ID == "" {
		all.plan.Host = p.plan.Host
	}
	return all
}
