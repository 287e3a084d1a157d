package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dropcap"
	"dropcap/internal/host"
)

const hintPlan = "make one with `dropcap plan --out plan.json`"

// savedPlan reads the plan that the arguments name; nil if they name containers.
func (a *app) savedPlan(ctx context.Context, args []string) (*dropcap.Plan, error) {
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
