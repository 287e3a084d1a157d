package e2e_test

import (
	"encoding/json"
	"slices"
	"testing"

	"dropcap"
)

func planOf(t *testing.T, r dropcap.Receipt) (p dropcap.Plan) {
	t.Helper()
	if err := json.Unmarshal(r.Document, &p); err != nil {
		t.Fatalf("%v: %+v %+v", err, r, r.Error)
	}
	return p
}

func TestANodePlansThoseOfTheNamedContainersThatItHas(t *testing.T) {
	s := newNodeStage(t)
	s.start("web")
	r := s.p.node(t, "plan", "--request="+s.request(), "--container=wbe", "--container=web")
	if p := planOf(t, r); r.Status != 3 || len(p.Steps) != 1 || p.Steps[0].Container.Name != "web" || !slices.Equal(p.Absent, []string{"wbe"}) {
		t.Errorf("one of two: %+v", r)
	}
	r = s.p.node(t, "plan", "--request="+s.request(), "--container=wbe")
	if p := planOf(t, r); r.Status != 0 || r.Error != nil || len(p.Steps) != 0 || !slices.Equal(p.Absent, []string{"wbe"}) {
		t.Errorf("none: %+v %+v", r, r.Error)
	}
}
