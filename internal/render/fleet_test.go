package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/foreign"
)

func hostOf(n int) string { return fmt.Sprintf("111122223333/eu-west-1/i-%017d", n) }

func raw(t testing.TB, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampleFleet is two hosts with the same container, one with one of each kind that lies about its
// identity, and hosts that failed or lie.
func sampleFleet(t testing.TB) dropcap.Fleet {
	small := dropcap.Audit{Schema: dropcap.SchemaAudit, Created: seenAt.Format(time.RFC3339),
		Control: dropcap.CIS(),
		Policy:  dropcap.PolicyRef{Level: dropcap.LevelCIS}, Host: sample().Host,
		Containers: []dropcap.Judged{web(), hardened()}}
	liar := sample()
	liar.Host.ID, liar.Host.Name = "999988887777/us-east-1/i-not-me", "not-me"+hostileName
	liar.Summary = dropcap.Summary{Containers: 1, Pass: 1}
	f := dropcap.Fleet{
		Schema: dropcap.SchemaFleet,
		Run: dropcap.FleetRun{ID: "0123456789ab", Verb: "audit", State: dropcap.RunDone,
			Started: "2026-05-04T03:00:00Z", Ended: "2026-05-04T03:02:01Z", Hosts: 9},
		Documents: []dropcap.HostDocument{
			{Host: hostOf(1), Name: "web-1", Document: raw(t, small)},
			{Host: hostOf(2), Name: "web-2", Document: raw(t, small)},
			{Host: hostOf(3), Name: hostileName, Document: raw(t, liar)},
			{Host: hostOf(4), Name: "wrong",
				Document: json.RawMessage(`{"schema":"dropcap.plan/v1"}`)},
			{Host: hostOf(5), Name: "huge",
				Document: json.RawMessage(
					`{"schema":"dropcap.audit/v1","containers":[{"pid":1e400}]}`)},
			{Host: hostOf(6), Name: "cut",
				Document: json.RawMessage(`{"schema":"dropcap.audit/v1","containers":[`)},
			{Host: hostOf(7), Name: "none", Document: json.RawMessage(`null`)},
		},
		Failures: []dropcap.HostFailure{
			{Host: hostOf(8), Cause: "offline",
				Message: "the agent of i-00000000000000008 has not been heard of since 02:00",
				Hint:    "start the agent"},
			{Host: hostOf(9), Cause: "offline",
				Message: "the agent of i-00000000000000009 has not been heard of since 02:00",
				Hint:    "start the agent"},
			{Host: "111122223333/us-east-1", Cause: "denied" + hostileName, Message: hostileName,
				Hint: "allow ssm:SendCommand\n" + hostileName},
		},
	}
	return f
}

func fleetAs(t testing.TB, format string, f dropcap.Fleet, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if o.Now.IsZero() {
		o.Now = seenAt
	}
	o.Version = "0.1.0"
	if err := Fleet(&b, format, f, o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

func TestFleetGoldens(t *testing.T) {
	for _, c := range []struct {
		file, format string
		o            Options
	}{
		{"fleet-table.txt", "table", Options{}},
		{"fleet-table-100.txt", "table", Options{Width: 100}},
		{"fleet-quiet.txt", "table", Options{Quiet: true}},
		{"fleet-wide.txt", "wide", Options{NoTrunc: true}},
		{"fleet.json", "json", Options{}},
		{"fleet-cis.txt", "cis", Options{}},
		{"fleet.csv", "csv", Options{}},
		{"fleet.md", "markdown", Options{}},
		{"fleet-junit.xml", "junit", Options{}},
		{"fleet.sarif", "sarif", Options{}},
		{"fleet-template.txt", `table {{.Host}}\t{{.ID}}\t{{.Verdict}}`, Options{}},
	} {
		t.Run(c.file, func(t *testing.T) {
			golden(t, c.file, fleetAs(t, c.format, sampleFleet(t), c.o))
		})
	}
}

func TestNoFormatShowsWhatAHostCallsItselfOrMovesATerminal(t *testing.T) {
	for _, format := range append(FleetFormats("audit"), "{{.Host}} {{.Name}}") {
		out := fleetAs(t, format, sampleFleet(t), Options{})
		for _, r := range strings.ReplaceAll(out, "\r\n", "\n") {
			if r != '\n' && !strconv.IsPrint(r) {
				t.Fatalf("%s emits %U", format, r)
			}
		}
		if format != "json" && strings.Contains(out, "not-me") {
			// json has the documents as they were written, beside the true name
			t.Errorf("%s shows the name that a host gives itself", format)
		}
	}
}

// A host that sends nothing readable is a failure in each format, and never counts as passing.
func TestEveryFormatTellsTheHostsThatFailed(t *testing.T) {
	for _, format := range FleetFormats("audit") {
		out := fleetAs(t, format, sampleFleet(t), Options{NoTrunc: true})
		for n := 4; n <= 9; n++ {
			if !strings.Contains(out, hostOf(n)) {
				t.Errorf("%s does not tell that %s failed", format, hostOf(n))
			}
		}
		if format == "html" || format == "table" || format == "markdown" {
			if !strings.Contains(out,
				"3 hosts, 15 containers: 5 pass, 8 fail, 1 waived, 1 unknown; 7 hosts failed") {
				t.Errorf("%s believes a host's own summary", format)
			}
		}
	}
}

func TestAHostCannotPassByItsVerdictAlone(t *testing.T) {
	a := sample()
	for i := range a.Containers {
		a.Containers[i].Verdict = dropcap.Pass
	}
	a.Containers[1].Verdict = "splendid"
	got, err := foreign.Audit(dropcap.HostDocument{Host: hostOf(1), Document: raw(t, a)})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Containers {
		want := dropcap.Pass
		switch {
		case slices.ContainsFunc(c.Findings, dropcap.Finding.Counts):
			want = dropcap.Fail
		case c.Name == "sandboxed" || i == 1:
			want = dropcap.Unknown
		}
		if c.Verdict != want {
			t.Errorf("%s: %s, want %s", c.Name, c.Verdict, want)
		}
	}
}

func TestFleetDocumentsAreValid(t *testing.T) {
	f := sampleFleet(t)
	validateSARIF(t, fleetAs(t, "sarif", f, Options{}))
	validateSARIF(t, fleetAs(t, "sarif", dropcap.Fleet{Run: dropcap.FleetRun{Verb: "audit"}},
		Options{}))
	var back dropcap.Fleet
	if err := json.Unmarshal([]byte(fleetAs(t, "json", f, Options{})), &back); err != nil {
		t.Fatal(err)
	}
	if back.Schema != dropcap.SchemaFleet || len(back.Documents) != 3 || len(back.Failures) != 7 ||
		back.Documents[2].Host != hostOf(3) {
		t.Errorf("%d documents and %d failures came back", len(back.Documents), len(back.Failures))
	}
	if err := xml.Unmarshal([]byte(fleetAs(t, "junit", f, Options{})),
		new(junitSuites)); err != nil {
		t.Error(err)
	}
	rows, err := csv.NewReader(strings.NewReader(fleetAs(t, "csv", f, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if i := slices.IndexFunc(r, isFormula); i >= 0 {
			t.Errorf("a formula: %q", r[i])
		}
	}
}

func TestFleetFormatsThatAreNone(t *testing.T) {
	for verb, formats := range map[string][]string{"audit": {"text", "x", "{{.Nme}}"},
		"plan": {"sarif", "table", "{{.Nme}}"}, "apply": {"cis", "{{.Nme}}"},
		"learn": {"wide", "{{.Name}}"}} {
		for _, f := range formats {
			var e *dropcap.Error
			if err := CheckFleetFormat(verb, f); !errors.As(err, &e) ||
				e.Code != dropcap.CodeUsage {
				t.Errorf("%s %s: %v", verb, f, err)
			}
		}
	}
	for verb, formats := range map[string][]string{"plan": {"text", "{{.Host}}"},
		"history": {"table", "json", "{{.Host}}"}, "ls": {"table"}} {
		for _, f := range formats {
			if err := CheckFleetFormat(verb, f); err != nil {
				t.Errorf("%s %s: %v", verb, f, err)
			}
		}
	}
	if err := Fleet(brokenPipe{}, "csv", sampleFleet(t), Options{}); err == nil {
		t.Error("the writer's error is lost")
	}
}

func planFleet(t *testing.T) dropcap.Fleet {
	f := dropcap.Fleet{Run: dropcap.FleetRun{Verb: "plan"},
		Failures: []dropcap.HostFailure{{Host: hostOf(99), Cause: "offline", Message: "not there"}}}
	for n := range 8 {
		p := samplePlan()
		p.ID, p.Created, p.Host.ID = fmt.Sprint(n), fmt.Sprint(n), "liar"
		for i := range p.Steps { // as on another host, with other ids
			id := strings.Repeat(fmt.Sprintf("%d%d", i, n), 32)
			p.Steps[i].Container.ID, p.Steps[i].Container.Fingerprint = id, fmt.Sprint(n)
			p.Steps[i].Commands.Backout = "docker start " + id[:12] + " # " + id
		}
		p.Steps[0].DependsOn = []string{p.Steps[1].Container.ID}
		if n == 7 {
			p.Steps[0].Drop = caps.Of(caps.NetRaw)
		}
		f.Documents = append(f.Documents, dropcap.HostDocument{Host: hostOf(n),
			Document: raw(t, p)})
	}
	f.Documents = append(f.Documents, dropcap.HostDocument{Host: hostOf(50),
		Document: json.RawMessage(`{"schema":"dropcap.plan/v1","steps":[{"drop":["CAP_NOT"]}]}`)})
	return f
}

func TestEqualPlansAreToldOnce(t *testing.T) {
	groups := groupPlans(foreign.Plans(planFleet(t)))
	if len(groups) != 2 || len(groups[0].Hosts) != 7 || len(groups[1].Hosts) != 1 {
		t.Fatalf("%d groups: %v", len(groups), groups)
	}
	golden(t, "fleet-plan.txt", fleetAs(t, "text", planFleet(t), Options{}))
	golden(t, "fleet-plan-template.txt", fleetAs(t, "{{.Host}} {{.Name}}", planFleet(t), Options{}))
}

func changeFleet(t *testing.T) dropcap.Fleet {
	defaults := caps.DockerDefaults
	c := dropcap.Change{
		ID: "0123456789ab", Host: "liar", Name: "web" + hostileName, State: dropcap.Applied,
		Started: "2026-05-04T03:01:00Z", DowntimeMS: 250,
		Was: dropcap.Grant{Holds: defaults},
		Is:  dropcap.Grant{Holds: defaults.Minus(caps.Of(caps.NetRaw))},
	}
	back := c
	back.State, back.Because = dropcap.RolledBack, "its health check failed"
	return dropcap.Fleet{Run: dropcap.FleetRun{Verb: "apply"}, Documents: []dropcap.HostDocument{
		{Host: hostOf(1), Document: raw(t, dropcap.Changes{Schema: dropcap.SchemaChange,
			Changes: []dropcap.Change{c}})},
		{Host: hostOf(2), Document: raw(t, dropcap.Changes{Schema: dropcap.SchemaChange,
			Changes: []dropcap.Change{back, c}})},
		{Host: hostOf(3), Document: json.RawMessage(`[]`)},
	}}
}

func TestFleetTablesOfTheOtherVerbs(t *testing.T) {
	golden(t, "fleet-apply.txt", fleetAs(t, "table", changeFleet(t), Options{}))
	e := dropcap.Evidence{Schema: dropcap.SchemaEvidence, Workloads: []dropcap.WorkloadEvidence{{
		Workload: "compose:shop/web", Required: caps.Of(caps.Chown), Unused: caps.Of(caps.NetRaw),
		Confidence: dropcap.Confidence{Level: "low"},
		Sources:    []dropcap.Source{{Container: at(1), Seconds: 60, StartsCold: 1}},
	}}}
	golden(t, "fleet-learn.txt",
		fleetAs(t, "table", dropcap.Fleet{Run: dropcap.FleetRun{Verb: "learn"},
			Documents: []dropcap.HostDocument{{Host: hostOf(1), Document: raw(t, e)}}}, Options{}))
	var b bytes.Buffer
	place := dropcap.Place{Account: "111122223333", Region: "eu-west-1"}
	list := []dropcap.Node{
		{Place: place, ID: "i-00000000000000001", Name: "web-1", Platform: "Linux",
			PlatformName: "Debian", PlatformVersion: "12", Agent: "3.3.40", Online: true,
			Pinged: seenAt},
		{Place: place, ID: "mi-00000000000000002", Name: hostileName, Platform: "Windows"},
	}
	who := map[string]dropcap.ReceiptHost{list[0].Host(): {Dropcap: "0.5.0", Docker: "29.0.1"}}
	for _, format := range []string{"table", "json"} {
		if err := FleetNodes(&b, format, list, who, nil, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "fleet-ls.txt", b.String())
}

func TestTheStandingOfARunIsShortForManyHosts(t *testing.T) {
	run := dropcap.FleetRun{ID: "0123456789ab", Verb: "apply", State: dropcap.RunGoing,
		Started: "2026-05-04T02:52:01Z", Hosts: 10_000,
		Waves: []dropcap.Wave{{State: dropcap.WavePassed},
			{State: dropcap.WaveGoing, Gate: "1 new finding on i-1: net-raw of web"}}}
	var hosts []dropcap.FleetHost
	for n := range 10_000 {
		h := dropcap.FleetHost{Host: hostOf(n), Name: "web", Sent: 1, Wave: min(1, n/5000)}
		run.Waves[h.Wave].Hosts = append(run.Waves[h.Wave].Hosts, h.Host)
		switch {
		case n < 5000:
			h.Receipt = &dropcap.Receipt{State: dropcap.ReceiptDone,
				Document: changeFleet(t).Documents[0].Document}
		case n < 5003:
			h.Receipt = &dropcap.Receipt{State: dropcap.ReceiptDone, Status: dropcap.ExitRolledBack,
				Document: changeFleet(t).Documents[1].Document,
				Error: &dropcap.Failing{Code: dropcap.CodeRolledBack,
					Message: "cannot keep web changed" + hostileName, Hint: "see dropcap history"}}
		case n == 5003:
			h.Failure = &dropcap.HostFailure{Cause: "offline", Message: "i-… is offline"}
		case n > 5050:
			h.Sent = 0
		}
		hosts = append(hosts, h)
	}
	var b bytes.Buffer
	if err := FleetStatus(&b, "table", run, hosts, Options{Now: seenAt}); err != nil {
		t.Fatal(err)
	}
	golden(t, "fleet-status.txt", b.String())
	b.Reset()
	if err := FleetStatus(&b, "json", run, hosts[5000:5004], Options{}); err != nil ||
		!json.Valid(b.Bytes()) {
		t.Error(err)
	}
	packed := hosts[0]
	foreign.Take(&packed, *packed.Receipt)
	b.Reset()
	err := FleetStatus(&b, "json", run, []dropcap.FleetHost{packed}, Options{})
	if err != nil || !strings.Contains(b.String(), dropcap.SchemaChange) {
		t.Errorf("a packed document is lost: %v\n%s", err, b.String())
	}
}

func FuzzFleet(f *testing.F) {
	f.Add([]byte(`{"schema":"dropcap.audit/v1","containers":[{"name":"\u001b"}]}`), "audit")
	f.Add([]byte(`{"schema":"dropcap.plan/v1","steps":[{"container":{"id":"x"}}]}`), "plan")
	f.Add([]byte(`{"schema":"dropcap.change/v1","changes":[{}]}`), "apply")
	f.Add([]byte(`{"schema":"dropcap.evidence/v1","workloads":[{}]}`), "learn")
	f.Fuzz(func(t *testing.T, doc []byte, verb string) {
		for _, format := range FleetFormats(verb) {
			var b bytes.Buffer
			fleet := dropcap.Fleet{Run: dropcap.FleetRun{Verb: verb},
				Documents: []dropcap.HostDocument{{Host: hostOf(1), Document: doc}}}
			if err := Fleet(&b, format, fleet, Options{}); err != nil {
				t.Fatal(format, err)
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e\x00") {
				t.Fatalf("%s: %q", format, b.String())
			}
		}
	})
}

func TestAFleetsPlanShowsWhatAPersonWrites(t *testing.T) {
	p := samplePlan()
	p.Steps = p.Steps[:1]
	p.Steps[0].Refused, p.Steps[0].Hint = "cannot edit it", "write it there"
	f := dropcap.Fleet{Run: dropcap.FleetRun{Verb: "plan"},
		Documents: []dropcap.HostDocument{{Host: hostOf(1), Document: raw(t, p)},
			{Host: hostOf(2), Document: raw(t, p)}}}
	text := fleetAs(t, "text", f, Options{})
	if strings.Count(text, "    +    cap_drop: [NET_RAW]\n") != 1 ||
		!strings.Contains(text, "the change for the source of "+p.Steps[0].Container.Name) {
		t.Errorf("%s", text)
	}
}
