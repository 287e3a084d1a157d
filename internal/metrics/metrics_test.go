package metrics

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

var update = flag.Bool("update", false, "write the goldens")

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// judged returns a running container that holds a set.
func judged(workload string, held caps.Set, verdict dropcap.Verdict,
	findings ...dropcap.Finding) dropcap.Judged {
	return dropcap.Judged{
		Container: dropcap.Container{ID: workload, Name: workload, Workload: workload,
			State: "running", Revision: "sha256:1", Predicted: &held,
			Kernel: dropcap.Kernel{Visible: true, Held: &held}},
		Verdict: verdict, Findings: findings,
	}
}

// full returns a state in which everything is known.
func full() State {
	up := true
	raw := dropcap.Finding{Rule: dropcap.RuleNetRaw, Severity: caps.High,
		Caps: caps.Of(caps.NetRaw)}
	waived := raw
	waived.Waiver = &dropcap.Waiver{}
	evidence := dropcap.WorkloadEvidence{
		Workload: "docker:web", Revision: "sha256:1", Held: caps.DockerDefaults,
		Required: caps.Of(caps.Chown), Unused: caps.DockerDefaults.Minus(caps.Of(caps.Chown)),
		Sources: []dropcap.Source{{Until: "2026-06-30T12:00:00Z", Container: "c"}},
		Needs: []dropcap.Need{{Cap: caps.Chown, Outcome: dropcap.Granted,
			Class: dropcap.Decisive, Count: 1}},
	}
	evidence.Sources[0].Host.ID = "h"
	return State{
		Version: "1.2.3", Now: noon, EngineUp: &up, Took: 250 * time.Millisecond,
		Audit: &dropcap.Audit{
			Created: "2026-07-01T11:59:00Z", Host: dropcap.Host{ID: "h"},
			Policy: dropcap.PolicyRef{Level: dropcap.LevelLeast},
			Containers: []dropcap.Judged{
				judged("docker:web", caps.DockerDefaults, dropcap.Fail, raw),
				judged("docker:db", caps.Of(caps.Chown), dropcap.Pass),
				judged("docker:old", caps.Of(caps.NetRaw), dropcap.Waived, waived),
			},
			Findings: []dropcap.Finding{{Rule: dropcap.RuleWaiver}},
		},
		Policy: &dropcap.Policy{Waivers: []dropcap.Waiver{
			{Expires: noon.Add(-time.Hour)}, {Expires: noon.Add(time.Hour)},
			{Expires: noon.Add(1000 * time.Hour)}, {},
		}},
		Evidence: &[]dropcap.WorkloadEvidence{evidence},
		Changes: &[]dropcap.Change{
			{State: dropcap.Applied, Started: "2026-07-01T10:00:00Z",
				Ended: "2026-07-01T10:00:09Z"},
			{State: dropcap.NeedsPerson, Started: "2026-06-01T10:00:00Z"},
		},
		Trials: &[]dropcap.Trial{{
			Kind: dropcap.KindTrial, State: dropcap.TrialRunning, Lost: 2,
			Denied:  caps.Of(caps.NetRaw, caps.Mknod),
			Denials: []dropcap.Need{{Class: dropcap.Advisory, Count: 7}},
		}, {Kind: dropcap.KindHold, State: dropcap.TrialReleased}},
		Hardenings: &[]dropcap.Hardening{{State: dropcap.HardenTrying}},
		Tracer:     &Tracer{Hook: "fexit/cap_capable", Lost: 3},
		Learning:   &Learning{Began: noon, Running: 2, Recorded: 5, Capabilities: 4},
		Watch: &Watch{
			Told: map[dropcap.OccurrenceKind]uint64{dropcap.OccurrenceExceeds: 4},
			Held: map[dropcap.OccurrenceKind]uint64{dropcap.OccurrenceExec: 1},
			Outputs: []Output{{Name: "webhook", Sent: 3, Failed: 2, Dropped: 1, Queue: 6},
				{Name: "stdout", Sent: 4}},
		},
	}
}

func exposition(t *testing.T, s State) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// promtool runs the tool with a text on its standard input, and fails if it finds a fault.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	testenv.Need(t, testenv.Promtool)
	cmd := exec.Command(filepath.Join(testenv.Cache(), "prometheus/promtool"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(stdin, "# HELP") &&
		len(out) > 0 {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestGolden(t *testing.T) {
	text := exposition(t, full())
	text = regexp.MustCompile(`goversion="[^"]*"`).ReplaceAllString(text, `goversion="go"`)
	file := "testdata/metrics.prom"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || text != string(want) {
		t.Errorf("%v; run with -update and read the difference\n%s", err, text)
	}
}

func TestPromtoolFindsNoFaultWithTheMetrics(t *testing.T) {
	promtool(t, exposition(t, full()), "check", "metrics")
	promtool(t, exposition(t, State{}), "check", "metrics")
	s := full()
	s.MostWorkloads = 1
	promtool(t, exposition(t, s), "check", "metrics")
}

// What is not known is left out: a zero would say that there is nothing.
func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	text := exposition(t, State{Version: "1"})
	if n := strings.Count(text, "# TYPE"); n != 1 {
		t.Errorf("%d families\n%s", n, text)
	}
	s := full()
	s.Evidence = nil
	s.Audit.Containers[1].Kernel.Visible = false
	s.Audit.Containers[1].Predicted = nil
	text = exposition(t, s)
	for _, no := range []string{"confidence", `set="needed"`, `set="unneeded"`, `"docker:db"`} {
		if strings.Contains(text, no) {
			t.Errorf("%s, of which nothing is known", no)
		}
	}
}

// A thousand workloads, or a container that thinks of ever new names, are two hundred series and a
// sum.
func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	s := full()
	var held, sum int
	for i := range 1000 {
		set := caps.Of(caps.Chown, caps.Kill)
		s.Audit.Containers = append(s.Audit.Containers, judged(fmt.Sprintf("docker:w%d", i), set,
			dropcap.Pass))
	}
	text := exposition(t, s)
	for line := range strings.Lines(text) {
		var n int
		if strings.HasPrefix(line, "dropcap_workload_capabilities{") &&
			strings.Contains(line, `set="held"`) {
			held++
			_, _ = fmt.Sscan(line[strings.LastIndex(line, " "):], &n)
			sum += n
		}
	}
	if want := 14 + 1 + 1 + 2000; held != DefaultWorkloads+1 || sum != want {
		t.Errorf("%d series that sum up to %d, want %d", held, sum, want)
	}
	if !strings.Contains(text, `workload="docker:web"`) {
		t.Error("the workload that fails is not among those shown")
	}
	if n := strings.Count(text, "\n"); n > 1000 {
		t.Errorf("%d lines", n)
	}
}

// Whatever a container calls itself, the exposition stays readable, and no series comes twice:
// Prometheus would refuse all of them.
func TestHostileNames(t *testing.T) {
	s := full()
	for _, name := range []string{"docker:a\"b", "docker:a\\", "docker:a\nb 1", "docker:\xff\xfe",
		"docker:\x1b[31m", "docker:\x1b[31n", "docker:}", "docker:" + strings.Repeat("x", 5000),
		"docker:" + strings.Repeat("x", 5000) + "y", "docker:\u202egnp", "(other)"} {
		s.Audit.Containers = append(s.Audit.Containers, judged(name, caps.DockerDefaults,
			dropcap.Pass))
	}
	text := exposition(t, s)
	promtool(t, text, "check", "metrics")
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		series := line[:max(0, strings.LastIndex(line, " "))]
		if seen[series] && !strings.HasPrefix(line, "#") {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("%q", text)
	}
}
