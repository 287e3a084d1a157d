package audit

import (
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Filter selects judged containers by key. As in docker, values of one key are
// alternatives and different keys must all match.
type Filter map[string][]string

var filterKeys = []string{"verdict", "rule", "cap", "owner"}

// SplitFilters separates docker's filters, which the engine applies, from dropcap's.
func SplitFilters(list []string) (engine []string, ours Filter, err error) {
	ours = Filter{}
	for _, f := range list {
		key, value, found := strings.Cut(f, "=")
		if !found || key == "" {
			return nil, nil, dropcap.Errorf(dropcap.CodeUsage,
				"for example --filter status=running",
				"cannot read the filter %q: it is no key=value", f)
		}
		if !slices.Contains(filterKeys, key) {
			engine = append(engine, f)
			continue
		}
		if err := checkFilter(key, value); err != nil {
			return nil, nil, err
		}
		ours[key] = append(ours[key], value)
	}
	return engine, ours, nil
}

func checkFilter(key, value string) error {
	switch key {
	case "verdict":
		all := []dropcap.Verdict{dropcap.Pass, dropcap.Fail, dropcap.Mitigated, dropcap.Waived,
			dropcap.Unknown}
		if !slices.Contains(all, dropcap.Verdict(value)) {
			return dropcap.Errorf(dropcap.CodeUsage, "pass, fail, mitigated, waived or unknown",
				"cannot filter by verdict %q", value)
		}
	case "rule":
		if !slices.Contains(dropcap.Rules(), dropcap.Rule(value)) {
			return dropcap.Errorf(dropcap.CodeUsage, "rules: "+strings.Join(ruleNames(), ", "),
				"cannot filter by rule %q",
				value)
		}
	case "cap":
		if _, err := caps.Parse(value); err != nil {
			return dropcap.Errorf(dropcap.CodeUsage, "`dropcap explain` lists the capabilities",
				"cannot filter by capability: %v", err)
		}
	}
	return nil
}

func ruleNames() []string {
	var l []string
	for _, r := range dropcap.Rules() {
		l = append(l, string(r))
	}
	return l
}

// Apply keeps the containers that match, and updates the summary.
func (f Filter) Apply(a dropcap.Audit) dropcap.Audit {
	if len(f) == 0 {
		return a
	}
	kept := make([]dropcap.Judged, 0, len(a.Containers))
	for _, c := range a.Containers {
		if f.matches(c) {
			kept = append(kept, c)
		}
	}
	a.Containers, a.Summary = kept, dropcap.Count(kept)
	return a
}

func (f Filter) matches(c dropcap.Judged) bool {
	for key, values := range f {
		if !slices.ContainsFunc(values, func(v string) bool { return has(c, key, v) }) {
			return false
		}
	}
	return true
}

func has(c dropcap.Judged, key, value string) bool {
	switch key {
	case "verdict":
		return string(c.Verdict) == value
	case "rule":
		return slices.ContainsFunc(c.Findings, func(f dropcap.Finding) bool {
			return string(f.Rule) == value
		})
	case "cap":
		p, err := caps.Parse(value)
		held := c.Holds()
		return err == nil && held != nil && (*held | c.GaveUp()).Has(p)
	default:
		return c.Owner.Kind == value
	}
}
