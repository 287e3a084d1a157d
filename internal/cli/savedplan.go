package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/trust"
)

const hintPlan = "make one with `dropcap plan --out plan.json`"

// savedPlan reads the plan that the arguments name; nil if they name containers.
func (a *app) savedPlan(ctx context.Context, args []string) (*dropcap.Plan, error) {
	isFile := func(s string) bool {
		return s == "-" || strings.HasSuffix(s, ".json") || strings.Contains(s, "/")
	}
	if !slices.ContainsFunc(args, isFile) {
		return nil, nil
	}
	if len(args) > 1 {
		return nil, usageError("apply one plan at a time, or name containers only",
			"cannot apply a plan together with something else: %s", strings.Join(args, " "))
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
		return nil, dropcap.Errorf(dropcap.CodeError, hintPlan,
			"cannot read %s: its schema is %q, not %s", name, p.Schema, dropcap.SchemaPlan)
	}
	return &p, nil
}

// trusted refuses, as root, a plan that others may have written.
func trusted(path string) error {
	if path == "-" || os.Geteuid() != 0 {
		return nil
	}
	err := host.TrustPlan(path)
	var un *trust.Untrusted
	switch {
	case errors.As(err, &un):
		return dropcap.Errorf(dropcap.CodeError,
			"copy it to a place of root's that nobody else may write",
			"cannot trust a plan at %s: %w", path, err)
	case err != nil:
		return dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", path, err)
	}
	return nil
}
