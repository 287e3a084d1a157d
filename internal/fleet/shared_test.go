package fleet

import (
	"sync"
	"testing"

	"dropcap"
)

// One engine does several runs at once, and changes nothing of itself: the race detector holds it
// to that.
func TestOneEngineDoesSeveralRunsAtOnce(t *testing.T) {
	s := newStage(4)
	e := &Engine{Carrier: s, Clock: s.clock, Ledger: newLedger()}
	var work sync.WaitGroup
	for _, verb := range []string{"audit", "history", "evidence"} {
		run, hosts, err := e.Start(t.Context(), dropcap.FleetRun{Verb: verb}, s.nodes(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Commands(run, hosts, s.places()); err != nil {
			t.Fatal(err)
		}
		work.Go(func() {
			_, list, err := e.Go(t.Context(), run, hosts, s.places())
			if err != nil {
				t.Error(err)
			}
			for _, h := range list {
				if !h.Over() || Bad(h) {
					t.Errorf("%s: %s: %+v", verb, h.Host, h)
				}
			}
		})
	}
	work.Wait()
	if e.Pace != (Pace{}) {
		t.Errorf("its pace was changed: %+v", e.Pace)
	}
}
