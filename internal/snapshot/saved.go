package snapshot

import (
	"encoding/json"
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Parse reads a saved snapshot, or an audit, whose verdicts are then computed again. The name is
// used in errors only.
func Parse(name string, text []byte) (dropcap.Snapshot, error) {
	const hint = "save one with `dropcap audit --snapshot FILE`"
	var s dropcap.Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return s, dropcap.Errorf(dropcap.CodeError, hint, "cannot read %s: %w", name, err)
	}
	if s.Schema != dropcap.SchemaSnapshot && s.Schema != dropcap.SchemaAudit {
		return s, dropcap.Errorf(dropcap.CodeError, hint,
			"cannot read %s: its schema is %q, not %s", name,
			s.Schema, dropcap.SchemaSnapshot)
	}
	s.Schema = dropcap.SchemaSnapshot
	return s, nil
}

// Pick returns the snapshot with only the containers of these names or id prefixes; all, if there
// are no names.
func Pick(s dropcap.Snapshot, names []string) (dropcap.Snapshot, error) {
	if len(names) == 0 {
		return s, nil
	}
	var list []dropcap.Container
	for _, n := range names {
		found := false
		for _, c := range s.Containers {
			if c.Name == n || len(n) >= 4 && strings.HasPrefix(c.ID, n) {
				list, found = append(list, c), true
				break
			}
		}
		if !found {
			return s, notSaved(s, n)
		}
	}
	s.Containers = list
	return s, nil
}

// notSaved returns the error for a name that no container of a saved snapshot has. It names the
// nearest one.
func notSaved(s dropcap.Snapshot, name string) error {
	var names []string
	for _, c := range s.Containers {
		names = append(names, c.Name)
	}
	hint := "`dropcap audit --from FILE` without a name lists them"
	if near, ok := caps.NearestWord(name, names); ok {
		hint = "did you mean " + near + "?"
	}
	return &dropcap.Error{Code: dropcap.CodeError, Hint: hint, Err: dropcap.ErrNotFound,
		Message: fmt.Sprintf("cannot find a container named %q in the snapshot", name)}
}
