package fleet_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

const hostileText = "=cmd\x1b[31m\n\r\t\u202e漢字\xff<script>"

// post sends a request to the double of AWS, which checks it against the service's own model.
func post(t *testing.T, double *cloud.Cloud, service, path, target string,
	body any) map[string]any {
	t.Helper()
	text := raw(t, body)
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(text))
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	if err := cloud.DefaultKey.Sign(r, text, service, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	double.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return out
}

func importAll(t *testing.T, double *cloud.Cloud, list []json.RawMessage) {
	t.Helper()
	if len(list) == 0 {
		return
	}
	if out := post(t, double, "securityhub", "/findings/import", "",
		map[string]any{"Findings": list}); out["FailedCount"] != float64(0) {
		t.Fatalf("%v", out)
	}
}

func hostileFleet(t *testing.T) dropcap.Fleet {
	priv := finding(dropcap.RulePrivileged, caps.UpTo(caps.Last).List()...)
	priv.Because, priv.Fix, priv.Severity = strings.Repeat(hostileText, 400),
		strings.Repeat(hostileText, 400), caps.Severity(hostileText)
	waived := finding(dropcap.RuleNetRaw, caps.NetRaw)
	waived.Waiver = &dropcap.Waiver{Owner: hostileText, Reason: strings.Repeat(hostileText, 400)}
	evil := box(strings.Repeat(hostileText, 400), hostileText, "running", dropcap.Fail, priv,
		waived)
	evil.Image, evil.ImageID, evil.Runtime, evil.Created, evil.ID = strings.Repeat(hostileText, 99),
		hostileText, " ", hostileText, ""
	empty := dropcap.Finding{Rule: dropcap.Rule(hostileText)}
	a := auditOf(evil, box("", "", "running", dropcap.Unknown, finding(dropcap.RuleUnseen), empty))
	a.Findings = []dropcap.Finding{{Rule: dropcap.RuleWaiver, Severity: caps.Low, Because: "a"},
		{Rule: dropcap.RuleWaiver, Severity: caps.Low, Because: "b"}}
	web := func(n string) dropcap.Judged {
		return box("web-"+n, "compose:shop/web", "running", dropcap.Fail,
			finding(dropcap.RuleNetRaw, caps.NetRaw))
	}
	var many []dropcap.Judged
	for range 40 {
		many = append(many, web("x"))
	}
	f := fleetOf(t, "audit", map[string]any{"i-00000000000000001": a,
		"mi-00000000000000002": auditOf(many...)},
		dropcap.HostFailure{Host: labPlace.String() + "/i-00000000000000003", Cause: "offline" +
			hostileText, Message: hostileText})
	f.Documents = append(f.Documents,
		dropcap.HostDocument{Host: "444455556666/us-east-1/i-00000000000000004",
			Document: raw(t, a)},
		dropcap.HostDocument{Host: labPlace.String() + "/i-00000000000000005",
			Document: json.RawMessage(`{`)})
	return f
}

func TestFindingsAreWhatSecurityHubTakes(t *testing.T) {
	list, err := fleet.ASFF(hostileFleet(t), labPlace, "", labNow)
	if err != nil || len(list) != 7 { // 6 of the first host; one, of 40 replicas, of the second
		t.Fatalf("%d findings, %v", len(list), err)
	}
	importAll(t, cloud.New(cloud.NewFakeClock()), list)
	for _, b := range list {
		var x struct {
			Id, Title, Description string
			Remediation            struct{ Recommendation struct{ Text string } }
			Resources              []any
			ProductFields          map[string]string
			Compliance             struct{ Status string }
		}
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		for text, most := range map[string]int{x.Id: 512, x.Title: 256, x.Description: 1024,
			x.Remediation.Recommendation.Text: 512} {
			if n := len([]rune(text)); n > most {
				t.Errorf("%d characters, and %d are the most", n, most)
			}
		}
		if len(x.Resources) > 32 || len(x.ProductFields) > 50 || len(b) > 240<<10 ||
			x.Compliance.Status == "PASSED" {
			t.Errorf("%s: %d resources, %d bytes, %s", x.Id, len(x.Resources), len(b),
				x.Compliance.Status)
		}
		if bytes.ContainsAny(b, "\x1b\u202e\x00") || strings.Contains(string(b), `\u001b`) ||
			strings.Contains(string(b), `\u202e`) {
			t.Errorf("a control character: %s", b)
		}
	}
}

func ids(t *testing.T, list []json.RawMessage) map[string]string {
	out := map[string]string{}
	for _, b := range list {
		var x struct{ Id, RecordState, CreatedAt string }
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		out[x.Id] = x.RecordState + " " + x.CreatedAt
	}
	return out
}

func TestFindingsStayTheSameWhenContainersAreMadeAnew(t *testing.T) {
	web := box("web", "compose:shop/web", "running", dropcap.Fail,
		finding(dropcap.RuleNetRaw, caps.NetRaw))
	anew := web
	anew.ID, anew.Findings[0].Because = strings.Repeat("e", 64), "in other words"
	first, _ := fleet.ASFF(fleetOf(t, "audit", map[string]any{"i-1": auditOf(web)}), labPlace, "",
		labNow)
	again, _ := fleet.ASFF(fleetOf(t, "audit", map[string]any{"i-1": auditOf(anew)}), labPlace, "",
		labNow.Add(time.Hour))
	again = fleet.Continued(first, again)
	a, b := ids(t, first), ids(t, again)
	for id, what := range a {
		if b[id] != what || len(a) != 1 || len(b) != 1 {
			t.Errorf("%v became %v", a, b)
		}
	}
	if got := fleet.Resolved(first, again,
		fleetOf(t, "audit", map[string]any{"i-1": auditOf(anew)}), true, labNow); len(got) != 0 {
		t.Errorf("resolved: %s", got)
	}
}

func TestOnlyWhatWasSeenToBeGoneIsArchived(t *testing.T) {
	bad := box("web", "w", "running", dropcap.Fail, finding(dropcap.RuleNetRaw, caps.NetRaw))
	good, blind := box("web", "w", "running", dropcap.Pass),
		box("web", "w", "running", dropcap.Unknown, finding(dropcap.RuleUnseen))
	before := fleetOf(t, "audit", map[string]any{"i-1": auditOf(bad)})
	offline := dropcap.HostFailure{Host: labPlace.String() + "/i-1", Cause: "offline"}
	for name, c := range map[string]struct {
		after dropcap.Fleet
		whole bool
		want  int
	}{
		"it passes": {fleetOf(t, "audit", map[string]any{"i-1": auditOf(good)}),
			false, 1},
		"it is there": {before, true, 0},
		"it cannot be seen": {fleetOf(t, "audit", map[string]any{"i-1": auditOf(blind)}),
			true, 0},
		"a replica cannot be seen": {fleetOf(t, "audit",
			map[string]any{"i-1": auditOf(blind, good)}), true, 0},
		"it is gone": {fleetOf(t, "audit", map[string]any{"i-1": auditOf()}), true,
			1},
		"it was not looked at": {fleetOf(t, "audit", map[string]any{"i-1": auditOf()}),
			false, 0},
		"the host is offline": {fleetOf(t, "audit", nil, offline), true, 0},
		"the host failed too": {fleetOf(t, "audit", map[string]any{"i-1": auditOf()},
			offline), true, 0},
		"the host was not asked": {fleetOf(t, "audit", map[string]any{"i-2": auditOf()}), true,
			0},
		"the document is unreadable": {fleetOf(t, "audit",
			map[string]any{"i-1": dropcap.Plan{Schema: dropcap.SchemaPlan}}), true, 0},
		"another document than asked": {fleetOf(t, "audit", map[string]any{"i-1": 1}), true, 0},
	} {
		double := cloud.New(cloud.NewFakeClock())
		old, _ := fleet.ASFF(before, labPlace, "", labNow)
		importAll(t, double, old)
		foreign := json.RawMessage(`{"Id":"other","GeneratorId":"other","RecordState":"ACTIVE"}`)
		existing := append(post(t, double, "securityhub", "/findings", "",
			map[string]any{})["Findings"].([]any), foreign, "junk")
		var list []json.RawMessage
		for _, x := range existing {
			list = append(list, raw(t, x))
		}
		now, _ := fleet.ASFF(c.after, labPlace, "", labNow.Add(time.Hour))
		got := fleet.Resolved(list, now, c.after, c.whole, labNow.Add(time.Hour))
		if len(got) != c.want {
			t.Errorf("%s: %d archived, want %d: %s", name, len(got), c.want, got)
		}
		importAll(t, double, got)
		for _, state := range ids(t, got) {
			if !strings.HasPrefix(state, "ARCHIVED") {
				t.Errorf("%s: %s", name, state)
			}
		}
		if more := fleet.Resolved(got, now, c.after, c.whole,
			labNow.Add(2*time.Hour)); len(more) != 0 {
			t.Errorf("%s: archived again", name)
		}
	}
}

func TestComplianceItemsAreWhatSystemsManagerTakes(t *testing.T) {
	double := cloud.New(cloud.NewFakeClock())
	f := hostileFleet(t)
	f.Failures = append(f.Failures, dropcap.HostFailure{Host: "444455556666/us-east-1",
		Cause: "denied"}, dropcap.HostFailure{Host: labPlace.String() + "/i-6", Cause: "no-engine"})
	list := fleet.Compliance(f, labNow)
	if len(list) != 5 {
		t.Fatalf("%d nodes", len(list))
	}
	for _, n := range list {
		post(t, double, "ssm", "/", "AmazonSSM.PutComplianceItems", n)
		seen := map[string]bool{}
		for _, i := range n.Items {
			if i.Status != "NON_COMPLIANT" || seen[i.Id] || i.Id == "" {
				t.Errorf("%s: %+v", n.Host, i)
			}
			seen[i.Id] = true
			for k, v := range i.Details {
				if len(v) > 4096 || strings.ContainsAny(v, "\x1b\u202e\n") {
					t.Errorf("%s: %q", k, v)
				}
			}
		}
	}
}

func TestUnknownIsNotCompliantAndTheHashIsOfTheContent(t *testing.T) {
	one := func(c dropcap.Judged, now time.Time) fleet.NodeCompliance {
		return fleet.Compliance(fleetOf(t, "audit", map[string]any{"i-1": auditOf(c)}), now)[0]
	}
	pass := box("web", "w", "running", dropcap.Pass)
	anew := pass
	anew.ID = strings.Repeat("e", 64)
	a, b := one(pass, labNow), one(anew, labNow.Add(time.Hour))
	if a.ItemContentHash != b.ItemContentHash || a.Items[0].Status != "COMPLIANT" {
		t.Errorf("%+v became %+v", a, b)
	}
	for _, v := range []dropcap.Verdict{dropcap.Unknown, dropcap.Fail, "", "nonsense"} {
		c := box("web", "w", "running", v)
		if got := one(c, labNow); got.Items[0].Status != "NON_COMPLIANT" ||
			got.ItemContentHash == a.ItemContentHash {
			t.Errorf("%q: %+v", v, got)
		}
	}
}
