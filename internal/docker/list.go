package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"dropcap"
)

// Listed is a container as the engine lists it, whatever else the entry contains.
type Listed struct {
	dropcap.Ref
	State   string
	Network string          // the network mode: "bridge", "container:ID"
	Mounts  json.RawMessage // as the engine lists them; nil if it does not, or if they are too long
}

// List returns the containers in the engine's order, the newest first, running or not. Filters are
// those of docker ps, "key=value" each.
func (c *Client) List(ctx context.Context, filters []string) ([]dropcap.Ref, error) {
	list, err := c.Overview(ctx, filters)
	refs := make([]dropcap.Ref, 0, len(list))
	for _, l := range list {
		refs = append(refs, l.Ref)
	}
	return refs, err
}

// Overview is like List but returns all that the engine lists of each container. Long labels of one
// container hide no other.
func (c *Client) Overview(ctx context.Context, filters []string) ([]Listed, error) {
	query := url.Values{"all": {"1"}}
	if len(filters) > 0 {
		encoded, err := encode(filters)
		if err != nil {
			return nil, err
		}
		query.Set("filters", encoded)
	}
	var list []Listed
	err := c.skim(ctx, "/containers/json", query, func(r io.Reader) error {
		return newSkimmer(r, "Id", "Names", "State", "HostConfig", "Mounts").
			list(func(m map[string]json.RawMessage) error {
				one, err := listed(m)
				list = append(list, one)
				return err
			})
	})
	if statusOf(err) == http.StatusBadRequest && len(filters) > 0 {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "see 'docker ps --help'",
			"cannot list containers: %w", engineError(err))
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// listed parses one container of a list. Only its id is required.
func listed(m map[string]json.RawMessage) (Listed, error) {
	l := Listed{Mounts: m["Mounts"]}
	var names []string
	var host struct{ NetworkMode string }
	if err := json.Unmarshal(m["Id"], &l.ID); err != nil || !fullID().MatchString(l.ID) {
		return l, badID(l.ID)
	}
	for key, into := range map[string]any{"Names": &names, "State": &l.State, "HostConfig": &host} {
		if raw, ok := m[key]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return l, jsonError(err)
			}
		}
	}
	l.Name, l.Network = ownName(names), host.NetworkMode
	return l, nil
}

// fullID protects the later search for cgroups.
var fullID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{64}$`)
})

func badID(id string) error {
	return fmt.Errorf("the id %q is not 64 hexadecimal digits", printable(id, 80))
}

// engineError returns the engine's own sentence.
func engineError(err error) error {
	var s *statusError
	errors.As(err, &s)
	return s
}

// ownName returns a container's own name: legacy links add names of the form /other/alias.
func ownName(names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return ""
}

// encode writes filters as the API takes them: {"label":{"a=b":true}}. It lowers keys and trims
// both sides, as docker does.
func encode(filters []string) (string, error) {
	set := map[string]map[string]bool{}
	for _, f := range filters {
		k, v, ok := strings.Cut(f, "=")
		if !ok {
			return "", dropcap.Errorf(dropcap.CodeUsage, "write it as --filter name=value",
				"cannot read the filter %q", f)
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
