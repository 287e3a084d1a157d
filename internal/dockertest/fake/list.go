package fake

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// list answers GET /containers/json, the newest first, or sorted by id as Podman does.
func (e *Engine) list(w http.ResponseWriter, r *http.Request) {
	filters, bad := readFilters(r.URL.Query().Get("filters"))
	if bad != "" {
		fail(w, http.StatusBadRequest, bad)
		return
	}
	all := r.URL.Query().Get("all") == "1" || r.URL.Query().Get("all") == "true"
	out := []any{}
	ordered := slices.Clone(e.containers)
	slices.Reverse(ordered)
	if e.options.Podman {
		slices.SortFunc(ordered, func(a, b *Container) int { return strings.Compare(a.ID, b.ID) })
	}
	for _, c := range ordered {
		running := c.State == "running" || c.State == "paused" || c.State == "restarting"
		if (all || running || filters["status"] != nil) && passes(c, filters) {
			out = append(out, listBody(c))
		}
	}
	reply(w, 200, out)
	e.removeVanishing()
}

// readFilters accepts both forms of the API: {"label":{"a":true}} and {"label":["a"]}.
func readFilters(text string) (map[string][]string, string) {
	out := map[string][]string{}
	if text == "" {
		return out, ""
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, "invalid filter"
	}
	for k, v := range raw {
		if !slices.Contains([]string{"label", "name", "status", "id"}, k) {
			return nil, "invalid filter '" + k + "'"
		}
		var set map[string]bool
		var list []string
		if json.Unmarshal(v, &set) == nil {
			for s := range set {
				list = append(list, s)
			}
		} else if json.Unmarshal(v, &list) != nil {
			return nil, "invalid filter"
		}
		out[k] = list
	}
	return out, ""
}

// passes reports whether a container matches: all of the labels, and any of the other filters.
func passes(c *Container, filters map[string][]string) bool {
	for _, want := range filters["label"] {
		k, v, exact := strings.Cut(want, "=")
		if have, ok := c.Labels[k]; !ok || exact && have != v {
			return false
		}
	}
	return some(filters["status"], func(s string) bool { return c.State == s }) &&
		some(filters["id"], func(s string) bool { return strings.HasPrefix(c.ID, s) }) &&
		some(filters["name"], func(s string) bool {
			re, err := regexp.Compile(s)
			return err == nil && re.MatchString(c.Name)
		})
}

func some(list []string, match func(string) bool) bool {
	return list == nil || slices.ContainsFunc(list, match)
}

func listBody(c *Container) any {
	return map[string]any{
		"Id": c.ID, "Names": []string{"/" + c.Name}, "Image": c.Image, "ImageID": c.ImageID,
		"Command": "sleep 1000",
		"Created": c.Created.Unix(), "Ports": []any{}, "Labels": c.Labels, "State": c.State,
		"Status":     "Up 2 hours",
		"HostConfig": map[string]string{"NetworkMode": c.HostConfig.NetworkMode},
		"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]any{
			"NetworkID": digest("network", 0), "Gateway": "172.17.0.1", "IPAddress": "172.17.0.2",
			"IPPrefixLen": 16, "MacAddress": "02:42:ac:11:00:02",
		}}},
		"Mounts": []any{},
	}
}
