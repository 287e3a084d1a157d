package render

import (
	"bytes"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

// shed has given up its capabilities although its configuration still grants them, and has a
// process in a user namespace of its own.
func shed() dropcap.Judged {
	c := held(fixture(12, "mail", "postfix:3", "running"), 0)
	c.Predicted, c.Kernel.Nested = ptr(defaults), ptr(all)
	c.Kernel.Processes = append(c.Kernel.Processes, dropcap.Process{
		PIDs: []int{1001}, Count: 1, Comm: "sandbox", Origin: dropcap.OriginChild,
		Bounding: all.Mask(), Effective: all.Mask(), Permitted: all.Mask(),
		Inheritable: caps.Set(0).Mask(), Ambient: caps.Set(0).Mask(), UserNS: dropcap.UserNSNested,
	})
	return failing(c, dropcap.Finding{
		Rule: dropcap.RuleNetRaw, Severity: caps.High, Caps: caps.Of(caps.NetRaw),
		Because: "NET_RAW is granted by default and not dropped: its processes gave it up, but a " +
			"restart, an exec or a health check gets it back.",
		Fix: "re-create it: docker run --cap-drop=NET_RAW <arguments> postfix:3 <command>",
	})
}

// Every format shows what else there is: what the container gave up and gets back, and what is held
// in nested user namespaces.
func TestGoldensOfWhatStandsBesideTheHeld(t *testing.T) {
	a := sample()
	a.Containers, a.Findings = []dropcap.Judged{shed()}, nil
	a.Summary = dropcap.Count(a.Containers)
	for _, c := range []struct{ file, format string }{
		{"beside-table.txt", "table"}, {"beside-wide.txt", "wide"}, {"beside.csv", "csv"},
		{"beside.md", "markdown"}, {"beside.xml", "junit"},
		{"beside-template.txt", "{{.Holds}}|{{.Held}}|{{.GaveUp}}|{{.Nested}}"},
	} {
		t.Run(c.file, func(t *testing.T) { golden(t, c.file, write(t, c.format, a, Options{})) })
	}
	for format, want := range map[string]string{
		"json": `"nested": [`, "sarif": "none (14 given up, 41 nested)", "html": `<td class="r f`,
	} {
		if out := write(t, format, a, Options{}); !strings.Contains(out, want) {
			t.Errorf("%s lacks %s", format, want)
		}
	}
}

func TestExplanationOfWhatStandsBesideTheHeld(t *testing.T) {
	c := shed()
	c.Kernel.Processes[0].Effective, c.Kernel.Held = caps.Of(caps.Kill).Mask(),
		ptr(caps.Of(caps.Kill))
	c.Kernel.Bounding, c.Kernel.Effective = ptr(caps.Set(0)), ptr(caps.Of(caps.Kill))
	e := dropcap.Explanation{
		Host: sample().Host, Container: c,
		Holds: []dropcap.Held{{Cap: caps.Kill, Severity: caps.Low, Effective: true,
			Because: "a default that is not dropped"}},
		GaveUp: []dropcap.Held{{Cap: caps.NetRaw, Severity: caps.High,
			Because: "a default that is not dropped"}},
	}
	var b bytes.Buffer
	if err := Explanation(&b, e, Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "beside-explain.txt", b.String())
}
