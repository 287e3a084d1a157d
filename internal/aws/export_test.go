package aws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

// finding returns one in the AWS Security Finding Format; text sets its length.
func finding(k int, state, text string) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{
		"SchemaVersion": "2018-10-08", "Id": fmt.Sprintf("dropcap/%d", k),
		"ProductArn": aws.ProductARN(here), "GeneratorId": "dropcap/net-raw",
		"AwsAccountId": here.Account, "Types": []string{"Software and Configuration Checks"},
		"CreatedAt": "2026-01-02T00:00:00Z", "UpdatedAt": "2026-01-02T00:00:00Z",
		"Severity": map[string]any{"Label": "HIGH"}, "Title": "a title", "Description": "d" + text,
		"RecordState": state,
		"Compliance":  map[string]any{"Status": "FAILED"},
		"Workflow":    map[string]any{"Status": "NEW"},
		"Resources": []any{map[string]any{"Type": "Container", "Id": "x",
			"Details": map[string]any{"Container": map[string]any{"Name": "web",
				"ImageName": "nginx:1"}}}},
	})
	return raw
}

func TestFindingsGoInBatchesOfAHundred(t *testing.T) {
	double, c := open(t, aws.Options{})
	var list []json.RawMessage
	for k := range 250 {
		list = append(list, finding(k, "ACTIVE", ""))
	}
	if n, err := c.ImportFindings(t.Context(), here, list); err != nil || n != 250 {
		t.Errorf("%d, %v", n, err)
	}
	if n := double.Calls()["securityhub:BatchImportFindings"]; n != 3 {
		t.Errorf("%d batches", n)
	}
}

func TestFindingsGoInBatchesOf240KB(t *testing.T) {
	double, c := open(t, aws.Options{})
	var list []json.RawMessage
	for k := range 10 {
		list = append(list, finding(k, "ACTIVE", strings.Repeat("x", 900)))
	}
	var big map[string]any
	if err := json.Unmarshal(list[0], &big); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for k := range 45 {
		fields[fmt.Sprint("dropcap/", k)] = strings.Repeat("y", 1000)
	}
	big["ProductFields"] = fields
	raw, _ := json.Marshal(big)
	for range 6 {
		list = append(list, raw)
	}
	if n, err := c.ImportFindings(t.Context(), here, list); err != nil || n != 16 {
		t.Errorf("%d, %v", n, err)
	}
	if n := double.Calls()["securityhub:BatchImportFindings"]; n != 2 {
		t.Errorf("%d batches for 6 findings of 46 KB and 10 of 1 KB", n)
	}
}

func TestAFindingWithAFieldThatThereIsNotIsNotSent(t *testing.T) {
	double, c := open(t, aws.Options{})
	bad := strings.Replace(string(finding(1, "ACTIVE", "")), `"Title"`, `"Titel"`, 1)
	n, err := c.ImportFindings(t.Context(), here, []json.RawMessage{finding(0, "ACTIVE", ""),
		json.RawMessage(bad)})
	checkError(t, err, "aws", nil, "number 2", "Titel")
	if n != 0 || double.Calls()["securityhub:BatchImportFindings"] != 0 {
		t.Errorf("%d were taken", n)
	}
}

func TestFindingsThatAreRefusedAreCounted(t *testing.T) {
	_, c := open(t, aws.Options{})
	bad := strings.ReplaceAll(string(finding(1, "ACTIVE", "")), here.Account, other)
	n, err := c.ImportFindings(t.Context(), here, []json.RawMessage{finding(0, "ACTIVE", ""),
		json.RawMessage(bad)})
	checkError(t, err, "refused", nil, "1 of 2", "InvalidInput", "dropcap/1")
	if n != 1 || dropcap.ExitOf(err) != dropcap.ExitIncomplete {
		t.Errorf("%d, %v", n, err)
	}
}

func TestOurActiveFindingsComeBackAndCanBeArchived(t *testing.T) {
	_, c := open(t, aws.Options{})
	var list []json.RawMessage
	for k := range 120 {
		list = append(list, finding(k, map[bool]string{true: "ACTIVE", false: "ARCHIVED"}[k < 110],
			""))
	}
	list = append(list, json.RawMessage(strings.Replace(string(finding(500, "ACTIVE", "")),
		"dropcap/net-raw", "other/net-raw", 1)))
	if _, err := c.ImportFindings(t.Context(), here, list); err != nil {
		t.Fatal(err)
	}
	active, err := c.ActiveFindings(t.Context(), here, "dropcap/")
	if err != nil || len(active) != 110 {
		t.Fatalf("%d, %v", len(active), err)
	}
	var f map[string]any
	if err := json.Unmarshal(active[0], &f); err != nil || f["Title"] != "a title" ||
		f["Severity"].(map[string]any)["Label"] != "HIGH" || strings.Contains(string(active[0]),
		"null") {
		t.Errorf("%s, %v", active[0], err)
	}
	for i := range active {
		active[i] = json.RawMessage(strings.Replace(string(active[i]), `"RecordState":"ACTIVE"`,
			`"RecordState":"ARCHIVED"`, 1))
	}
	if n, err := c.ImportFindings(t.Context(), here, active); err != nil || n != 110 {
		t.Fatalf("%d, %v", n, err)
	}
	if left, err := c.ActiveFindings(t.Context(), here, "dropcap/"); err != nil || len(left) != 0 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}

func TestWithoutSecurityHubItTellsHowToEnableIt(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.DisableHub(here.Account, east)
	_, err := c.ImportFindings(t.Context(), here, []json.RawMessage{finding(1, "ACTIVE", "")})
	checkError(t, err, "no-security-hub", nil, "enable-security-hub")
}

func TestComplianceIsPutAndTheSameIsPutOnce(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Add(cloud.Node{ID: one})
	items := []aws.ComplianceItem{{ID: "web/net-raw", Title: "web may create raw sockets",
		Severity: "HIGH", Status: "NON_COMPLIANT",
		Details: map[string]string{"caps": "CAP_NET_RAW"}},
		{ID: "db", Title: "db", Severity: "UNSPECIFIED", Status: "COMPLIANT"}}
	for range 2 {
		if err := c.PutCompliance(t.Context(), here, one, items, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := double.Compliance(here.Account, east, one, aws.ComplianceType); len(got) != 2 ||
		got[0] != "web/net-raw NON_COMPLIANT" || got[1] != "db COMPLIANT" {
		t.Errorf("%v", got)
	}
	if err := c.PutCompliance(t.Context(), here, one, nil, ""); err != nil {
		t.Fatal(err)
	}
	if got := double.Compliance(here.Account, east, one, aws.ComplianceType); len(got) != 0 {
		t.Errorf("%v is left", got)
	}
}

// A finding that is too large does not keep the others from being imported: a host decides which
// there are.
func TestAFindingThatIsTooLargeIsLeftOut(t *testing.T) {
	double, c := open(t, aws.Options{})
	var list []json.RawMessage
	for k := range 1000 {
		list = append(list, finding(k, "ACTIVE", ""))
	}
	var large map[string]any
	if err := json.Unmarshal(finding(1000, "ACTIVE", ""), &large); err != nil {
		t.Fatal(err)
	}
	large["ProductFields"] = map[string]string{"dropcap/x": strings.Repeat("y", 250_000)}
	raw, _ := json.Marshal(large)
	n, err := c.ImportFindings(t.Context(), here, append([]json.RawMessage{raw}, list...))
	checkError(t, err, "refused", nil, "1 of 1001", "dropcap/1000 has 250", "240000 are the most")
	if calls := double.Calls()["securityhub:BatchImportFindings"]; n != 1000 || calls != 10 {
		t.Errorf("%d were taken, in %d batches", n, calls)
	}
	if active, err := c.ActiveFindings(t.Context(), here, "dropcap/"); err != nil ||
		len(active) != 1000 {
		t.Errorf("%d are there, %v", len(active), err)
	}
}
