package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/foreign"
)

// A first backout failed on one host, a second one took the rest back; of a third host no receipt
// of the apply ever came.
func TestARunThatWasTakenBackTellsHowItsChangesAreNow(t *testing.T) {
	l := newLedger()
	answered := func(host string, pairs ...string) dropcap.FleetHost {
		h := dropcap.FleetHost{Host: "111122223333/eu-west-1/" + host}
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, fmt.Sprintf(`{"id":%q,"host":"m","state":%q,"new":true}`, pairs[i],
				pairs[i+1]))
		}
		foreign.Take(&h, dropcap.Receipt{State: dropcap.ReceiptDone, Summary: "as it was",
			Document: json.RawMessage(`{"schema":"dropcap.change/v1","changes":[` +
				strings.Join(list, ",") + `]}`)})
		return foreign.Unpacked(h)
	}
	lost := dropcap.FleetHost{Host: "111122223333/eu-west-1/i-3",
		Failure: &dropcap.HostFailure{Cause: "unanswered"}}
	run := dropcap.FleetRun{ID: "a", Verb: "apply", Backout: "c"}
	hosts := []dropcap.FleetHost{answered("i-1", "1", "applied", "2", "rolled-back"),
		answered("i-2", "1", "applied"), lost, answered("i-4")}
	for id, list := range map[string][]dropcap.FleetHost{
		"b": {answered("i-1", "1", "backed-out"), answered("i-2", "1", "needs-person"),
			answered("i-3", "7", "backed-out"), answered("i-4")},
		"c": {answered("i-1"), answered("i-2", "1", "backed-out"), answered("i-3")},
		"d": {answered("i-1", "1", "of another run")},
	} {
		of := dropcap.FleetRun{ID: id, Verb: "backout",
			Of: map[bool]string{true: "a", false: "x"}[id != "d"]}
		if err := l.SaveRun(t.Context(), of); err != nil {
			t.Fatal(err)
		}
		if err := l.SaveHosts(t.Context(), id, list); err != nil {
			t.Fatal(err)
		}
	}
	l.order = []string{"b", "c", "d"}
	now, err := AfterBackout(t.Context(), l, run, hosts)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2 changes: 1 backed-out, 1 rolled-back",
		"1 change: 1 backed-out", "1 change: 1 backed-out", "as it was"} {
		text := string(foreign.Document(now[i]))
		if now[i].Receipt.Summary != want || strings.Contains(text, "applied") ||
			i < 3 && !strings.Contains(text, `{"id":`) || i < 3 && !strings.Contains(text,
			`"host":"m","state":"backed-out","new":true`) {
			t.Errorf("%s: %s: %s", now[i].Host, now[i].Receipt.Summary, text)
		}
	}
	if now[2].Failure == nil || hosts[2].Receipt != nil ||
		!strings.Contains(string(foreign.Document(hosts[0])), "applied") {
		t.Errorf("what is kept was changed: %+v", hosts)
	}
	if was, err := AfterBackout(t.Context(), l, dropcap.FleetRun{ID: "a", Verb: "apply"},
		hosts); err != nil || &was[0] != &hosts[0] {
		t.Errorf("a run that was not taken back: %v", err)
	}
}
