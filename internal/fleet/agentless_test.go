package fleet_test

import (
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/fleet"
)

var (
	labPlace = dropcap.Place{Account: "111122223333", Region: "us-east-1"}
	labNode  = dropcap.Node{Place: labPlace, ID: "i-00000000000000001"}
	labNow   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func idOf(digit string) string { return strings.Repeat(digit, 64) }

// The least that any of these containers does wrong is found, and none passes: nobody saw what it
// holds.
func TestAgentlessFindsWhatIsDeclaredAndPassesNothing(t *testing.T) {
	for line, want := range map[string]string{
		"CapAdd=<no value> CapDrop=<no value>":          "net-raw",
		"CapAdd=<nil> CapDrop=<nil>":                    "net-raw",
		"CapAdd=[] CapDrop=[]":                          "net-raw",
		"CapAdd=[] CapDrop=[NET_RAW]":                   "",
		"CapAdd=[] CapDrop=[cap_net_raw]":               "",
		"CapAdd=[] CapDrop=[ALL]":                       "",
		"CapAdd=[ALL] CapDrop=[net_raw]":                "added",
		"CapAdd=[net_admin CAP_SYS_TIME] CapDrop=[ALL]": "added",
		"CapAdd=[CAP_NOT] CapDrop=[]":                   "",
	} {
		s, err := fleet.Agentless(labNode, dropcap.NodeOutput{Stdout: idOf("a") + ": " + line +
			"\n"}, labNow)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		a := audit.Judge(s, audit.Options{Now: labNow})
		if a.Summary.Unknown != 1 || a.Host.ID != "111122223333/us-east-1/i-00000000000000001" {
			t.Errorf("%s: %+v on %s", line, a.Summary, a.Host.ID)
		}
		rules := []string{}
		for _, f := range a.Containers[0].Findings {
			rules = append(rules, string(f.Rule))
		}
		if got := strings.Join(rules, " "); !strings.Contains(got, "unseen") ||
			!strings.Contains(got, want) || want == "" && got != "unseen" {
			t.Errorf("%s: found %s, want %s and unseen", line, got, want)
		}
	}
}

func TestAgentlessRefusesWhatIsNotWhole(t *testing.T) {
	good := idOf("a") + ": CapAdd=[] CapDrop=[]\n"
	for name, o := range map[string]dropcap.NodeOutput{
		"cut off":       {Stdout: good + "--output truncated--"},
		"cut off amid":  {Stdout: good + idOf("b") + ": CapAdd=[NET_"},
		"error cut off": {Stdout: good, Stderr: "x\n---Error truncated----"},
		"no line":       {Stdout: good + "hello\n"},
		"twice":         {Stdout: good + good},
		"short id":      {Stdout: "abc: CapAdd=[] CapDrop=[]\n"},
		"nested":        {Stdout: idOf("a") + ": CapAdd=[[] CapDrop=[]\n"},
		"no docker": {Exit: 127,
			Stderr: "sh: 1: docker: not found\nfailed to run commands: exit status 127\n"},
		"permission":      {Exit: 1, Stderr: "permission denied while trying to connect\x1b[31m"},
		"killed":          {Stdout: good, Exit: -1, Status: "ExecutionTimedOut"},
		"silent failure":  {Stdout: good, Exit: 1},
		"no object and x": {Stdout: good, Exit: 123, Stderr: "Error: No such object: abc\nx\n"},
	} {
		s, err := fleet.Agentless(labNode, o, labNow)
		if err == nil || len(s.Containers) > 0 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v, %d containers", name, err, len(s.Containers))
		}
	}
	for name, o := range map[string]dropcap.NodeOutput{
		"no containers": {Exit: 123,
			Stderr: "\"docker inspect\" requires at least 1 argument.\nSee 'docker inspect " +
				"--help'.\n\nUsage:  docker inspect [OPTIONS] NAME|ID [NAME|ID...]\n\nReturn " +
				"low-level information on Docker objects\nfailed to run commands: exit status 123"},
		"one vanished": {Stdout: good, Exit: 123,
			Stderr: "Error: No such object: abc\nfailed to run commands: exit status 123\n"},
	} {
		if s, err := fleet.Agentless(labNode, o, labNow); err != nil ||
			len(s.Containers) != strings.Count(o.Stdout, "\n") {
			t.Errorf("%s: %v, %d containers", name, err, len(s.Containers))
		}
	}
}

func FuzzAgentless(f *testing.F) {
	f.Add(idOf("a")+": CapAdd=[NET_ADMIN] CapDrop=<no value>\n", "", 0)
	f.Add(idOf("a")+": CapAdd=<nil> CapDrop=[ALL]", "No such object: x", 1)
	f.Add("--output truncated--", "\x00", -1)
	f.Fuzz(func(t *testing.T, stdout, stderr string, exit int) {
		s, err := fleet.Agentless(labNode, dropcap.NodeOutput{Stdout: stdout, Stderr: stderr,
			Exit: exit}, labNow)
		if err != nil {
			return
		}
		a := audit.Judge(s, audit.Options{Now: labNow})
		if a.Summary.Pass+a.Summary.Waived > 0 {
			t.Fatalf("%q passes", stdout)
		}
		if strings.TrimSpace(stdout) != "" && a.Summary.Containers == 0 {
			t.Fatalf("%q is nothing", stdout)
		}
	})
}
