package policy

import (
	"encoding/json"

	"dropcap"
)

// ParseBaseline reads an earlier audit, and returns what [Known] says of it. The name is for
// errors.
func ParseBaseline(name string, text []byte) (func(string, dropcap.Finding) bool, error) {
	const hint = "make one with `dropcap audit --format json=FILE`"
	var a dropcap.Audit
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, hint, "cannot read %s: %w", name, err)
	}
	if a.Schema != dropcap.SchemaAudit {
		return nil, dropcap.Errorf(dropcap.CodeError, hint,
			"cannot read %s: its schema is %q, not %s",
			name, a.Schema, dropcap.SchemaAudit)
	}
	return Known(a), nil
}

// Identity returns what a finding is recognised by: the workload, which survives a re-creation,
// else the name.
func Identity(c dropcap.Container) string {
	if c.Workload != "" {
		return c.Workload
	}
	return c.Name
}

// Known returns a function that reports whether an earlier audit already had a finding: of the same
// rule, for the same [Identity], with all of the finding's capabilities, so that one more
// capability is new. For rule privileged it does not compare the capabilities, since a newer kernel
// has more of them. The identity of findings without a container is ""; they are known if their
// sentence is the same too.
//
// What a waiver accepted in the baseline is not known: else a baseline would make a waiver last for
// ever. Hosts are not compared.
func Known(baseline dropcap.Audit) func(identity string, f dropcap.Finding) bool {
	type key struct {
		identity string
		rule     dropcap.Rule
	}
	had := map[key][]dropcap.Finding{}
	remember := func(identity string, list []dropcap.Finding) {
		for _, f := range list {
			if f.Waiver == nil {
				k := key{identity, f.Rule}
				had[k] = append(had[k], f)
			}
		}
	}
	remember("", baseline.Findings)
	for _, c := range baseline.Containers {
		if id := Identity(c.Container); id != "" {
			remember(id, c.Findings)
		}
	}
	return func(identity string, f dropcap.Finding) bool {
		for _, old := range had[key{identity, f.Rule}] {
			if same(old, f) && (identity != "" || old.Because == f.Because) {
				return true
			}
		}
		return false
	}
}

func same(old, f dropcap.Finding) bool {
	return f.Rule == dropcap.RulePrivileged || f.Caps.Minus(old.Caps).Empty()
}
