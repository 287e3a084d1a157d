package fleet_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

// seenFinding is what the limits and the double are about.
type seenFinding struct {
	Id, Title, Description, RecordState, GeneratorId string

	Severity      struct{ Label, Original string }
	Remediation   struct{ Recommendation struct{ Text string } }
	Compliance    struct{ Status string }
	Workflow      *struct{ Status string }
	ProductFields map[string]string
	Resources     []struct {
		Id, Partition string
		Details       struct{ Container map[string]any }
	}
}

func read(t *testing.T, list []json.RawMessage) (out []seenFinding) {
	t.Helper()
	for _, b := range list {
		var x seenFinding
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// kept is what Security Hub has.
func kept(t *testing.T, double *cloud.Cloud) (list []json.RawMessage) {
	t.Helper()
	all, _ := post(t, double, "securityhub", "/findings", "", map[string]any{})["Findings"].([]any)
	for _, x := range all {
		list = append(list, raw(t, x))
	}
	return list
}

func findings(t *testing.T, f dropcap.Fleet, at time.Time) []json.RawMessage {
	t.Helper()
	list, err := fleet.ASFF(f, labPlace, "", at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// javaLength is how the services count characters.
func javaLength(s string) int { return len(utf16.Encode([]rune(s))) }

func TestTextsOfAnyCharacterAreWithinTheLimits(t *testing.T) {
	for _, r := range []string{"a", "ü", "漢", "𝕏", "<", "\U0001F98A"} {
		long := strings.Repeat(r, 3000)
		f := finding(dropcap.RuleNetRaw, caps.NetRaw)
		f.Because, f.Fix, f.Severity, f.Rule = long, long, caps.Severity(long), dropcap.Rule(long)
		waived := f
		waived.Waiver = &dropcap.Waiver{Owner: long, Reason: long}
		c := box(strings.Repeat(r, 255), long, "running", dropcap.Fail, f, waived)
		c.Image, c.ImageID, c.Runtime, c.ID = long, long, long, long
		a := auditOf(c)
		a.Control.Benchmark, a.Control.IDs = long, []dropcap.ControlID{{Version: long, ID: long}}
		doc := fleetOf(t, "audit", map[string]any{"i-00000000000000001": a},
			dropcap.HostFailure{Host: labPlace.String() + "/i-2", Cause: long, Message: long,
				Hint: long})
		double := cloud.New(cloud.NewFakeClock())
		list := findings(t, doc, labNow)
		importAll(t, double, list)
		for _, x := range read(t, list) {
			within := map[string]int{x.Id: 512, x.Title: 256, x.Description: 1024,
				x.Remediation.Recommendation.Text: 512, x.GeneratorId: 512, x.Severity.Original: 64}
			for _, v := range x.ProductFields {
				within[v] = 2048
			}
			for _, of := range x.Resources {
				within[of.Id] = 512
			}
			for text, most := range within {
				if n := javaLength(text); n > most || n == 0 {
					t.Errorf("%q: %d characters, and %d are the most: %.60s", r, n, most, text)
				}
			}
		}
		for _, n := range fleet.Compliance(doc, labNow) {
			post(t, double, "ssm", "/", "AmazonSSM.PutComplianceItems", n)
			for _, i := range n.Items {
				for _, v := range i.Details {
					if len(v) > 4096 {
						t.Errorf("%q: a detail of %d bytes", r, len(v))
					}
				}
			}
		}
	}
}

// A host that tells of replicas whose texts are endless, and six bytes a character in JSON, keeps
// no finding from being taken.
func TestAFindingIsSmallEnoughToBeTaken(t *testing.T) {
	long := strings.Repeat("<", 3000)
	var many []dropcap.Judged
	for range 40 {
		f := finding(dropcap.Rule(long), caps.NetRaw)
		f.Because, f.Fix, f.Severity, f.Waiver = long, long, caps.Severity(long),
			&dropcap.Waiver{Owner: long, Reason: long}
		c := box(long, "w", "running", dropcap.Fail, f)
		c.Image, c.ImageID, c.Runtime, c.ID = long, long, long, long
		many = append(many, c)
	}
	a := auditOf(many...)
	a.Control.Benchmark, a.Control.IDs = long,
		slices.Repeat([]dropcap.ControlID{{Version: long, ID: long}}, 40)
	list := findings(t, fleetOf(t, "audit", map[string]any{"i-1": a}), labNow)
	if len(list) != 1 || len(list[0]) > 240_000 || len(read(t, list)[0].Resources) != 32 {
		t.Errorf("%d findings, the first of %d bytes", len(list), len(list[0]))
	}
}

// A finding that is there already keeps its workflow, whatever is imported: what was suppressed
// must not stay so when it counts again.
func TestAFindingWhoseWaiverHasEndedIsSeenAgain(t *testing.T) {
	double := cloud.New(cloud.NewFakeClock())
	accepted := finding(dropcap.RuleNetRaw, caps.NetRaw)
	accepted.Waiver = &dropcap.Waiver{Owner: "ops", Reason: "a test"}
	export := func(hour int, list ...dropcap.Finding) {
		doc, at := fleetOf(t, "audit",
			map[string]any{"i-1": auditOf(box("web", "w", "running", dropcap.Fail, list...))}),
			labNow.Add(time.Duration(hour)*time.Hour)
		var active []json.RawMessage
		for i, x := range read(t, kept(t, double)) {
			if x.RecordState == "ACTIVE" {
				active = append(active, kept(t, double)[i])
			}
		}
		now := findings(t, doc, at)
		importAll(t, double, append(fleet.Continued(active, now), fleet.Resolved(active, now, doc,
			true, at)...))
	}
	state := func() string {
		var out []string
		for _, x := range read(t, kept(t, double)) {
			s := x.RecordState + " " + x.Compliance.Status
			if x.Workflow != nil {
				s += " " + x.Workflow.Status
			}
			out = append(out, s)
		}
		return strings.Join(out, ", ")
	}
	for hour, c := range []struct {
		list []dropcap.Finding
		want string
	}{
		{[]dropcap.Finding{accepted}, "ACTIVE WARNING SUPPRESSED"},
		{[]dropcap.Finding{finding(dropcap.RuleNetRaw, caps.NetRaw)},
			"ACTIVE FAILED, ARCHIVED WARNING SUPPRESSED"},
		{[]dropcap.Finding{accepted}, "ARCHIVED FAILED, ACTIVE WARNING SUPPRESSED"},
		{nil, "ARCHIVED FAILED, ARCHIVED PASSED SUPPRESSED"},
	} {
		if export(hour, c.list...); state() != c.want {
			t.Errorf("%d: %s, want %s", hour, state(), c.want)
		}
	}
}

func TestANewSeverityIsTaken(t *testing.T) {
	double := cloud.New(cloud.NewFakeClock())
	for hour, severity := range []caps.Severity{caps.Low, caps.Critical} {
		f := finding(dropcap.RuleNetRaw, caps.NetRaw)
		f.Severity = severity
		importAll(t, double, findings(t,
			fleetOf(t, "audit",
				map[string]any{"i-1": auditOf(box("web", "w", "running", dropcap.Fail, f))}),
			labNow.Add(time.Duration(hour)*time.Hour)))
		if got := read(t, kept(t, double)); len(got) != 1 ||
			got[0].Severity.Label != strings.ToUpper(string(severity)) {
			t.Errorf("%s became %+v", severity, got)
		}
	}
}

// The names of resources have the region's partition, and the format a name for three of them only.
func TestFindingsOfOtherPartitions(t *testing.T) {
	for region, want := range map[string][2]string{"cn-north-1": {"aws-cn", "aws-cn"},
		"us-gov-west-1": {"aws-us-gov", "aws-us-gov"}, "us-isob-east-1": {"aws-iso-b", ""},
		"eu-west-1": {"aws", "aws"}} {
		p := dropcap.Place{Account: labPlace.Account, Region: region}
		doc := fleetOf(t, "audit", nil)
		doc.Documents = []dropcap.HostDocument{{Host: p.String() + "/i-1",
			Document: raw(t, auditOf(box("web", "w", "running", dropcap.Fail,
				finding(dropcap.RuleNetRaw, caps.NetRaw))))}}
		list, err := fleet.ASFF(doc, p, "", labNow)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d, %v", len(list), err)
		}
		x := read(t, list)[0]
		if !strings.HasPrefix(x.Resources[0].Id, "arn:"+want[0]+":ec2:") ||
			x.Resources[0].Partition != want[1] || !strings.Contains(string(list[0]),
			`"ProductArn":"arn:`+want[0]+":securityhub:") {
			t.Errorf("%s: %s", region, list[0])
		}
	}
}

// Ten thousand items is what the service takes, and so many bytes; what there is no room for is not
// compliant.
func TestItemsOfAHugeHostAreWhatSystemsManagerTakes(t *testing.T) {
	for name, n := range map[string]int{"short": 10_500, "long": 3_000} {
		var many []dropcap.Judged
		for i := range n {
			c := box(fmt.Sprint("c", i), fmt.Sprint("w", i), "running", dropcap.Pass)
			if name == "long" {
				c.Name, c.Image = strings.Repeat("漢", 255), strings.Repeat("x", 900)
			}
			many = append(many, c)
		}
		list := fleet.Compliance(fleetOf(t, "audit",
			map[string]any{"i-00000000000000001": auditOf(many...)}), labNow)
		items := list[0].Items
		last := items[len(items)-1]
		if size := len(raw(t, items)); len(items) > 10_000 || len(items) < 1_000 ||
			size > 1_000_000 || last.Id != "more" || last.Status != "NON_COMPLIANT" ||
			!strings.HasPrefix(last.Title, fmt.Sprint(n-len(items)+1)) {
			t.Errorf("%s: %d items of %d bytes, the last %+v", name, len(items), size, last)
		}
		post(t, cloud.New(cloud.NewFakeClock()), "ssm", "/", "AmazonSSM.PutComplianceItems",
			list[0])
	}
}
