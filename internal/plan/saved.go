package plan

import (
	"encoding/json"

	"dropcap"
)

// Parse reads a saved plan. The name is used in errors.
func Parse(name string, text []byte) (dropcap.Plan, error) {
	const hint = "make one with `dropcap plan --out plan.json`"
	var p dropcap.Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return p, dropcap.Errorf(dropcap.CodeError, hint, "cannot read %s: %w", name, err)
	}
	if p.Schema != dropcap.SchemaPlan {
		return p, dropcap.Errorf(dropcap.CodeError, hint,
			"cannot read %s: its schema is %q, not %s", name,
			p.Schema, dropcap.SchemaPlan)
	}
	return p, nil
}
