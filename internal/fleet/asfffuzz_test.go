package fleet_test

import (
	"encoding/json"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

// Whatever a host says of itself, Security Hub and Systems Manager take what is made of it.
func FuzzExport(f *testing.F) {
	evil := finding(dropcap.RulePrivileged, caps.NetRaw)
	evil.Because, evil.Fix, evil.Severity, evil.Waiver = hostileText, hostileText,
		caps.Severity(hostileText), &dropcap.Waiver{Owner: hostileText}
	f.Add([]byte(raw(f, auditOf(box(hostileText, hostileText, hostileText, dropcap.Fail, evil)))))
	f.Add([]byte(raw(f, auditOf(box("web", "w", "running", dropcap.Fail,
		finding(dropcap.RuleNetRaw, caps.NetRaw))))))
	f.Add(
		[]byte(
			`{"schema":"dropcap.audit/v1","control":{"ids":[{}]},"containers":[{"findings":[{"caps":null}],"created":"0000-01-01T00:00:00Z"},{}],"findings":[{}]}`))
	double := cloud.New(cloud.NewFakeClock())
	at := labNow
	f.Fuzz(func(t *testing.T, doc []byte) {
		of := fleetOf(t, "audit", nil)
		of.Documents = []dropcap.HostDocument{{Host: labPlace.String() + "/i-00000000000000001",
			Document: doc}}
		at = at.Add(time.Second)
		list, err := fleet.ASFF(of, labPlace, "", at)
		if err != nil {
			t.Fatal(err)
		}
		for len(list) > 0 {
			n := min(len(list), 100)
			for _, x := range list[:n] {
				if len(x) > 240_000 {
					t.Fatalf("a finding of %d bytes", len(x))
				}
			}
			importAll(t, double, list[:n])
			if gone := fleet.Resolved(list[:n], nil, of, true, at); len(gone) > n {
				t.Fatalf("%d of %d are gone", len(gone), n)
			}
			list = list[n:]
		}
		for _, n := range fleet.Compliance(of, at) {
			if size := len(raw(t, n.Items)); size > 1_000_000 {
				t.Fatalf("items of %d bytes", size)
			}
			post(t, double, "ssm", "/", "AmazonSSM.PutComplianceItems", n)
			if again := fleet.Compliance(of, at); !json.Valid(raw(t, again)) ||
				again[0].ItemContentHash != n.ItemContentHash {
				t.Fatal("the same is another")
			}
		}
	})
}
