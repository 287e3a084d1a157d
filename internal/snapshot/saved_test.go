package snapshot

import (
	"errors"
	"strings"
	"testing"

	"dropcap"
)

func TestASavedSnapshotOrAuditIsRead(t *testing.T) {
	for _, schema := range []string{dropcap.SchemaSnapshot, dropcap.SchemaAudit} {
		s, err := Parse("host.json",
			[]byte(`{"schema":"`+schema+`","containers":[{"name":"web"}]}`))
		if err != nil || s.Schema != dropcap.SchemaSnapshot || len(s.Containers) != 1 {
			t.Errorf("%s: %+v, %v", schema, s, err)
		}
	}
	for _, bad := range []string{"", "{", `{"schema":"dropcap.plan/v1"}`} {
		if _, err := Parse("host.json", []byte(bad)); err == nil ||
			!strings.HasPrefix(err.Error(), "cannot read host.json: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestContainersOfASavedSnapshotArePicked(t *testing.T) {
	s := dropcap.Snapshot{Containers: []dropcap.Container{
		{ID: "1234567890", Name: "web"}, {ID: "abcdef0123", Name: "db"},
	}}
	for name, want := range map[string]string{"web": "web", "abcd": "db", "abc": "", "wbe": ""} {
		got, err := Pick(s, []string{name})
		if want == "" {
			if !errors.Is(err, dropcap.ErrNotFound) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		if err != nil || len(got.Containers) != 1 || got.Containers[0].Name != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if all, err := Pick(s, nil); err != nil || len(all.Containers) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}
