package serve

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/policy"
	"dropcap/internal/render"
)

type policyPage struct {
	Level    dropcap.Level
	Digest   string
	Keeps    []keepView
	Waivers  []waiverView
	Findings []findingView
	// of a policy that is checked
	Text     string
	Checked  bool
	Mistakes string
	Summary  string
	Turns    []turn
}

type keepView struct{ For, Caps, Reason string }

type waiverView struct {
	For, Caps, Owner, Reason, Until string
	Soon, Over                      bool
}

// turn is a container that another policy would judge otherwise.
type turn struct {
	Name, At  string
	Was, Then dropcap.Verdict
}

// soon is how long before its end a waiver is marked.
const soon = 14 * 24 * time.Hour

func selected(s dropcap.Selector) string {
	var parts []string
	for _, p := range [][2]string{{"name", s.Name}, {"image", s.Image}, {"label", s.Label},
		{"workload", s.Workload}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+render.Visible(p[1]))
		}
	}
	if len(parts) == 0 {
		return "all containers"
	}
	return strings.Join(parts, ", ")
}

func newPolicy(p dropcap.Policy, now time.Time) policyPage {
	v := policyPage{Level: p.Level, Digest: render.Visible(p.Digest)}
	for _, k := range p.Keeps {
		v.Keeps = append(v.Keeps, keepView{selected(k.Containers), k.Caps.Short(),
			render.Visible(k.Reason)})
	}
	waivers := slices.Clone(p.Waivers)
	slices.SortStableFunc(waivers, func(a, b dropcap.Waiver) int {
		return a.Expires.Compare(b.Expires)
	})
	for _, w := range waivers {
		v.Waivers = append(v.Waivers, waiverView{selected(w.Containers), w.Caps.Short(),
			render.Visible(w.Owner), render.Visible(w.Reason), w.LastDay(),
			!w.Expires.IsZero() && w.Expires.Sub(now) < soon, w.Expired(now)})
	}
	return v
}

// policyPage shows the policy that counts.
func (s *Server) policyPage(w http.ResponseWriter, r *http.Request) {
	sc := s.live.scene()
	p := newPolicy(sc.policy, time.Now())
	p.Findings = findings(sc.audit.Findings)
	s.show(w, r, "policy", page{Title: "Policy", Here: "policy", Topics: topicPolicy, Of: p}, sc)
}

// policyCheck judges what was seen last by a policy that a person gave. Nothing is kept of it.
func (s *Server) policyCheck(w http.ResponseWriter, r *http.Request) {
	sc := s.live.scene()
	text := r.PostFormValue("text")
	p := newPolicy(sc.policy, time.Now())
	p.Text, p.Checked = text, true
	other, err := policy.Parse("the policy", []byte(text))
	if err == nil {
		err = s.judge(r, sc, other, &p)
	}
	if err != nil {
		p.Mistakes = render.VisibleLines(dropcap.AsError(err).Message)
	}
	s.show(w, r, "policy", page{Title: "Policy", Here: "policy", Of: p}, sc)
}

func (s *Server) judge(r *http.Request, sc scene, other dropcap.Policy, p *policyPage) error {
	saved := sc.snap
	saved.Containers = slices.Clone(saved.Containers)
	result, err := s.asking().Audit(r.Context(), host.AuditRequest{Policy: other, Saved: &saved,
		Ours: true})
	if err != nil {
		return err
	}
	p.Findings = findings(result.Audit.Findings)
	p.Summary = render.Summary(result.Audit.Summary)
	was := map[string]dropcap.Verdict{}
	for _, c := range sc.audit.Containers {
		was[c.ID] = c.Verdict
	}
	for _, c := range result.Audit.Containers {
		if before, ok := was[c.ID]; ok && before != c.Verdict {
			p.Turns = append(p.Turns, turn{render.Visible(c.Name), sc.rowOf(c.ID).At, before,
				c.Verdict})
		}
	}
	return nil
}
