package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"dropcap"
)

// List gives the containers in the engine's order, the newest first, running or not. Filters are those of docker ps, "key=value" each.
func (c *Client) List(ctx context.Context, filters []string) ([]dropcap.Ref, error) {
	query := url.Values{"all": {"1"}}
	if len(filters) > 0 {
		encoded, err := encode(filters)
		if err != nil {
			return nil, err
		}
		query.Set("filters", encoded)
	}
	var body []listBody
	if err := c.get(ctx, "/containers/json", query, maxList, &body); err != nil {
		if statusOf(err) == http.StatusBadRequest && len(filters) > 0 {
			return nil, dropcap.Errorf(dropcap.CodeUsage, "see 'docker ps --help'", "cannot list containers: %w", said400(err))
		}
		return nil, err
	}
	refs := make([]dropcap.Ref, 0, len(body))
	for _, b := range body {
		if !fullID.MatchString(b.ID) {
			return nil, unreadable(request{method: http.MethodGet, path: "/containers/json"}, badID(b.ID))
		}
		refs = append(refs, dropcap.Ref{ID: b.ID, Name: ownName(b.Names)})
	}
	return refs, nil
}

type listBody struct {
	ID    string `json:"Id"`
	Names []string
}

// fullID guards what is later used to find cgroups.
var fullID = regexp.MustCompile(`^[0-9a-f]{64}$`)

func badID(id string) error {
	return fmt.Errorf("the id %q is not 64 hexadecimal digits", printable(id, 80))
}

// said400 is the engine's own sentence.
func said400(err error) error {
	var s *statusError
	errors.As(err, &s)
	return s
}

// ownName picks a container's own name: legacy links add names of the form /other/alias.
func ownName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

// encode writes filters as the API takes them: {"label":{"a=b":true}}. Keys are lowered and both sides trimmed, as docker does.
func encode(filters []string) (string, error) {
	set := map[string]map[string]bool{}
	for _, f := range filters {
		k, v, ok := strings.Cut(f, "=")
		if !ok {
			return "", dropcap.Errorf(dropcap.CodeUsage, "write it as --filter name=value", "cannot read the filter %q", f)
		}
		k = strings.ToLower(strings.TrimSpace(k))
		if set[k] == nil {
			set[k] = map[string]bool{}
		}
		set[k][strings.TrimSpace(v)] = true
	}
	b, err := json.Marshal(set)
	return string(b), err
}
