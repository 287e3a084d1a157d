package store_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/store"
)

// oldRow is a host as it was kept before documents were packed: one JSON value, with the document
// in its receipt.
const oldRow = `{"host":"111122223333/us-east-1/i-0000000000000000a","name":"web-1","wave":0,"request":"0123456789abcdef0123456789abcdef",` +
	`"commands":["11111111-2222-3333-4444-555555555555"],"sent":1,"receipt":{"schema":"dropcap.receipt/v1","request":"0123456789abcdef0123456789abcdef",` +
	`"command":"","verb":"plan","args":[],"host":{"id":"m","node":"i-0000000000000000a","name":"web-1","dropcap":"0.1","docker":"20.10","kernel":"6.1"},` +
	`"state":"done","started":"2026-01-02T03:04:05Z","ended":"2026-01-02T03:04:06Z","status":3,"error":null,"summary":"1 to change","messages":[],` +
	`"document":` + oldPlan + `},"failure":null}`

const oldPlan = `{"schema":"dropcap.plan/v1","id":"aaaaaaaaaaaa","steps":[{"warnings":["a \u003c b, a \"line\"\nand another"]}]}`

// rows inserts hosts unchanged, and returns what is stored of each, in order.
func rows(t *testing.T, folder string, insert ...string) (list []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, row := range insert {
		sum := sha256.Sum256([]byte(row))
		if _, err := db.Exec("INSERT INTO fleet_host (run, host, number, document, digest) "+
			"VALUES (?, ?, ?, ?, ?)",
			"0123456789ab", "111122223333/us-east-1/i-0000000000000000a", i, []byte(row),
			sum[:]); err != nil {
			t.Fatal(err)
		}
	}
	found, err := db.Query("SELECT document FROM fleet_host ORDER BY number")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var row []byte
		if err := found.Scan(&row); err != nil {
			t.Fatal(err)
		}
		list = append(list, string(row))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// What was kept before documents were packed is read to the byte, since a plan is applied by its
// digest; kept again, it is packed.
func TestHostsOfBeforeDocumentsWerePackedAreRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "store")
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run := dropcap.FleetRun{ID: "0123456789ab", Verb: "plan", State: dropcap.RunDone}
	if err := s.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	rows(t, folder, oldRow)
	added := dropcap.FleetHost{Host: "111122223333/us-east-1/i-0000000000000000b",
		Receipt: &dropcap.Receipt{Document: json.RawMessage(oldPlan)}}
	if err := s.SaveHosts(t.Context(), run.ID, []dropcap.FleetHost{added}); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"as it was kept", "kept again"} {
		_, hosts, err := s.Run(t.Context(), run.ID)
		if err != nil || len(hosts) != 2 {
			t.Fatalf("%s: %d hosts, %v", when, len(hosts), err)
		}
		for _, h := range hosts {
			if string(foreign.Document(h)) != oldPlan ||
				string(foreign.Unpacked(h).Receipt.Document) != oldPlan {
				t.Errorf("%s: %s has the document %s", when, h.Host, foreign.Document(h))
			}
		}
		if text, err := json.Marshal(foreign.Unpacked(hosts[0])); err != nil ||
			!bytes.Equal(text, []byte(oldRow)) {
			t.Errorf("%s: %v\n%s\nwant\n%s", when, err, text, oldRow)
		}
		if err := s.SaveHosts(t.Context(), run.ID, hosts); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range rows(t, folder) {
		if bytes.Contains([]byte(row), []byte("dropcap.plan/v1")) {
			t.Errorf("host %d is not packed: %s", i, row)
		}
	}
}

// One that was damaged is not believed.
func TestAnOldHostThatWasDamagedIsFound(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "store")
	s, err := store.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SaveRun(t.Context(), dropcap.FleetRun{ID: "0123456789ab"}); err != nil {
		t.Fatal(err)
	}
	rows(t, folder, oldRow)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE fleet_host SET document = CAST(replace(CAST(document AS TEXT), " +
		"'web-1', 'web-2') AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Run(t.Context(), "0123456789ab"); err == nil {
		t.Error("it is read")
	}
}
