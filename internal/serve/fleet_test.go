package serve

import (
	"context"
	"strings"
	"testing"

	"dropcap"
)

// kept are the runs of a controller.
type kept struct{}

func (kept) Stamp() string { return "1" }

func (kept) Runs(context.Context) ([]dropcap.FleetRun, error) {
	return []dropcap.FleetRun{{ID: "7be13c4f02aa", Verb: "apply", State: dropcap.RunStopped,
		Because: "the gate of wave 2 failed", Started: "2026-01-02T03:04:05Z", Hosts: 3,
		Targets: []string{"tag:" + hostile}, Waves: []dropcap.Wave{
			{Hosts: []string{"1/eu/i-1"}, State: dropcap.WavePassed},
			{Hosts: []string{"1/eu/i-2", "1/eu/i-3"}, State: dropcap.WaveFailed,
				Gate: "2 of 2 hosts failed"}}}}, nil
}

func (k kept) Run(ctx context.Context, id string) (dropcap.FleetRun, []dropcap.FleetHost, error) {
	list, _ := k.Runs(ctx)
	if id != list[0].ID {
		return dropcap.FleetRun{}, nil, &dropcap.Error{Message: "cannot find it",
			Err: dropcap.ErrNotFound}
	}
	lost := &dropcap.HostFailure{Cause: "offline", Message: "cannot reach " + hostile,
		Hint: "start its agent"}
	return list[0], []dropcap.FleetHost{
		{Host: "1/eu/i-1", Receipt: &dropcap.Receipt{State: dropcap.ReceiptDone}, Sent: 1},
		{Host: "1/eu/i-2", Name: hostile, Wave: 1, Sent: 1, Failure: lost},
		{Host: "1/eu/i-3", Wave: 1, Sent: 1, Failure: lost}}, nil
}

func TestTheFleetsRuns(t *testing.T) {
	v := start(t, town(t), false).seen().visitor()
	status, text := v.get("/fleet")
	if status != 200 || !strings.Contains(text, `<a href="/fleet/7be13c4f02aa">`) {
		t.Errorf("the runs: %d", status)
	}
	status, run := v.get("/fleet/7be13c4f02aa")
	for _, want := range []string{"2 of 2 hosts failed", "<b>offline</b>, 2 hosts",
		"start its agent", "dropcap fleet resume 7be13c4f02aa", `<span class="state passed">passed</span></td><td>1`} {
		if status != 200 || !strings.Contains(run, want) {
			t.Errorf("the run: %d, and no %q", status, want)
		}
	}
	if strings.Contains(text+run, "<script>alert") || strings.Contains(text+run, "<img") {
		t.Error("what hosts say is markup")
	}
	if status, _ := v.get("/fleet/000000000000"); status != 404 {
		t.Errorf("a run that there is not: %d", status)
	}
}
