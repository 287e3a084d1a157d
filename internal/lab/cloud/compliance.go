package cloud

import (
	"slices"
	"strings"
)

// putCompliance replaces all of a resource's items of a type, unless the hash is unchanged.
func (c *Cloud) putCompliance(r *region, in map[string]any) (any, *failure) {
	kind := str(in, "ComplianceType")
	if !strings.HasPrefix(kind, "Custom:") {
		return nil, fail("ComplianceTypeCountLimitExceededException",
			"Only Custom: types can be put.")
	}
	types := r.compliance[str(in, "ResourceId")]
	if types == nil {
		types = map[string]any{}
		r.compliance[str(in, "ResourceId")] = types
	}
	if before, ok := types[kind].(map[string]any); ok && str(in, "ItemContentHash") != "" &&
		str(before, "ItemContentHash") == str(in, "ItemContentHash") {
		return map[string]any{}, nil
	}
	types[kind] = in
	return map[string]any{}, nil
}

func (c *Cloud) listCompliance(r *region, in map[string]any) (any, *failure) {
	list := []any{}
	for _, id := range texts(in["ResourceIds"]) {
		list = append(list, c.associationItems(r, id)...)
		for _, kind := range sortedKeys(r.compliance[id]) {
			put := r.compliance[id][kind].(map[string]any)
			items, _ := put["Items"].([]any)
			for _, item := range items {
				m, _ := item.(map[string]any)
				list = append(list, map[string]any{"ComplianceType": kind, "ResourceId": id,
					"ResourceType": put["ResourceType"], "Id": m["Id"],
					"Title": m["Title"], "Status": m["Status"], "Severity": m["Severity"],
					"Details": m["Details"]})
			}
		}
	}
	list = slices.DeleteFunc(list, func(item any) bool { return !isCompliance(item, in) })
	page, next, f := paged(list, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"ComplianceItems": page, "NextToken": next}, nil
}

// isCompliance reports whether an item is of the type that a request filters by, if it does; other
// filters are not applied.
func isCompliance(item any, in map[string]any) bool {
	m, _ := item.(map[string]any)
	filters, _ := in["Filters"].([]any)
	for _, v := range filters {
		f, _ := v.(map[string]any)
		if str(f, "Key") == "ComplianceType" && !slices.Contains(texts(f["Values"]),
			str(m, "ComplianceType")) {
			return false
		}
	}
	return true
}

// Compliance returns a node's items of a type, as "ID STATUS".
func (c *Cloud) Compliance(account, regionName, node, kind string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	put, _ := c.region(account, regionName).compliance[node][kind].(map[string]any)
	items, _ := put["Items"].([]any)
	out := []string{}
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, str(m, "Id")+" "+str(m, "Status"))
	}
	return out
}
