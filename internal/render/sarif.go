package render

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/owner"
)

// auditSARIF writes SARIF 2.1.0 for code-scanning services: a rule for each kind of finding, a
// result for each finding. Waived and known findings are suppressed, not left out.
func auditSARIF(w io.Writer, s audits, o Options) error {
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(sarifDriver(o)))
	if a := s.first(); s.fleet == nil {
		run.WithAutomationDetails(sarif.NewRunAutomationDetails().WithID("dropcap/" +
			orDash(a.Host.ID) + "/"))
		run.WithProperties(sarif.NewPropertyBag().
			Add("host", a.Host.Name).Add("engine", a.Host.Engine.Name+" "+a.Host.Engine.Version).
			Add("kernel", a.Host.Kernel).
			Add("benchmark", benchmark(a.Control)).Add("level", string(a.Policy.Level)).
			Add("summary", a.Summary))
	} else {
		run.WithAutomationDetails(sarif.NewRunAutomationDetails().WithID("dropcap/fleet/"))
		run.WithProperties(sarif.NewPropertyBag().Add("hosts", s.hosts).Add("failed",
			len(s.failures)).
			Add("benchmark", benchmark(a.Control)).Add("level", s.levels()).Add("summary", s.total))
	}
	known := s.baselines()
	seen := map[string]int{}
	for d, a := range s.each {
		path := ""
		if s.fleet != nil { // the path distinguishes hosts, since alerts follow it
			a.Host.Name, path = d.Host, "hosts/"+url.PathEscape(d.Node())+"/"
		}
		sarifHost(run, a, path, known, seen)
	}
	for _, f := range s.failures {
		run.AddInvocation(sarifFailure(f))
	}
	text, err := encode(sarif.NewReport().AddRun(run), "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// sarifHost adds the findings of one host.
func sarifHost(run *sarif.Run, a dropcap.Audit, path string, known bool, seen map[string]int) {
	run.AddInvocation(sarifInvocation(a))
	for _, c := range a.Containers {
		for _, f := range c.Findings {
			run.AddResult(sarifResult(f, sarifContainer(a.Host, c, path),
				fingerprint(seen, a.Host.ID, workloadOf(c), f), known))
		}
	}
	for _, f := range a.Findings {
		full := "the policy"
		if path != "" {
			full = a.Host.Name + "/" + full
		}
		run.AddResult(sarifResult(f, sarifPlace("policy", full, "resource", path+"policy"),
			fingerprint(seen, a.Host.ID, "", f), known))
	}
}

// baselines reports whether any host has a baseline: SARIF wants a state on every result or on none
// (3.27.24).
func (s audits) baselines() bool {
	for _, a := range s.each {
		if a.Baseline != nil {
			return true
		}
	}
	return false
}

// sarifFailure is a host that sent nothing: an invocation that did not succeed, with the reason.
func sarifFailure(f dropcap.HostFailure) *sarif.Invocation {
	text := f.Cause + ": " + f.Message
	if f.Hint != "" {
		text += "\nFix: " + f.Hint
	}
	n := sarif.NewNotification().WithLevel(sarif.LevelError).
		WithMessage(sarif.NewTextMessage(sarifText(text)))
	return sarif.NewInvocation().WithExecutionSuccessful(false).WithMachine(f.Host).
		AddToolExecutionNotification(n)
}

func sarifDriver(o Options) *sarif.ToolComponent {
	d := sarif.NewToolComponent().WithName("dropcap")
	if o.Version != "" {
		d.WithVersion(o.Version)
	}
	for _, r := range dropcap.Rules() {
		t := ruleTexts[r]
		rule := sarif.NewRule(string(r)).WithName(sarifName(r)).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(t.title)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(t.help)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(t.help).
				WithMarkdown(markdownText(t.help))).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().
				WithLevel(sarifLevel(t.severity)))
		rule.WithProperties(sarif.NewPropertyBag().Add("security-severity",
			securitySeverity(t.severity)).WithTags([]string{"security", "container"}))
		d.AddRule(rule)
	}
	return d
}

// sarifName returns the slug in PascalCase, as SARIF wants a rule's name (3.49.7).
func sarifName(r dropcap.Rule) string {
	var name strings.Builder
	for part := range strings.SplitSeq(string(r), "-") {
		name.WriteString(title(part))
	}
	return name.String()
}

func sarifInvocation(a dropcap.Audit) *sarif.Invocation {
	i := sarif.NewInvocation().WithExecutionSuccessful(true)
	if a.Created != "" {
		i.WithStartTimeUtc(a.Created)
	}
	if a.Host.Name != "" {
		i.WithMachine(a.Host.Name)
	}
	return i
}

func sarifResult(f dropcap.Finding, at *sarif.Location, print string, known bool) *sarif.Result {
	text := f.Because
	if f.Fix != "" {
		text += "\nFix: " + f.Fix
	}
	r := sarif.NewRuleResult(string(f.Rule)).WithRuleIndex(ruleIndex(f.Rule)).
		WithLevel(sarifLevel(f.Severity)).
		WithMessage(sarif.NewTextMessage(sarifText(text))).AddLocation(at)
	// GitHub follows an alert by the second name only, and would otherwise look for the line in a
	// file of the repository.
	r.WithPartialFingerprints(map[string]string{"dropcap/v1": print,
		"primaryLocationLineHash": print})
	r.WithProperties(sarif.NewPropertyBag().Add("severity", string(f.Severity)).Add("capabilities",
		f.Caps.Names()).Add("fix", f.Fix))
	if why := accepted(f); why != "" {
		r.AddSuppression(sarif.NewSuppression().WithKind("external").WithStatus("accepted").
			WithJustification(why))
	}
	if known {
		r.WithBaselineState(map[bool]string{true: "unchanged", false: "new"}[f.Known])
	}
	return r
}

func ruleIndex(r dropcap.Rule) int {
	for i, known := range dropcap.Rules() {
		if r == known {
			return i
		}
	}
	return -1
}

func sarifContainer(h dropcap.Host, c dropcap.Judged, path string) *sarif.Location {
	// Alerts follow the path, which has to outlive the container.
	path += "containers/" + url.PathEscape(owner.Lasting(c.Container))
	at := sarifPlace(c.Name, hostName(h)+"/"+c.Name, "resource", path)
	at.WithProperties(sarif.NewPropertyBag().Add("container", c.ID).Add("image", c.Image).
		Add("state", c.State).
		Add("workload", c.Workload).Add("holds", holds(c.Container, h, true)))
	return at
}

// sarifPlace returns a location that is not a file. Code-scanning services refuse a result without
// an artifact and a line, so it has values that merely name the container.
func sarifPlace(name, full, kind, uri string) *sarif.Location {
	return sarif.NewLocation().
		AddLogicalLocation(sarif.NewLogicalLocation().WithName(name).WithFullyQualifiedName(full).
			WithKind(kind)).
		WithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(uri)).
			WithRegion(sarif.NewRegion().WithStartLine(1)))
}

// sarifText protects viewers: in a message [text](target) is a link (3.11.6), unless its brackets
// are escaped.
func sarifText(s string) string {
	if !strings.Contains(s, "](") {
		return s
	}
	return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(s)
}

// fingerprint survives a container's re-creation: it covers the host, the workload, the rule and
// the capabilities. Replicas of one workload are numbered.
func fingerprint(seen map[string]int, host, workload string, f dropcap.Finding) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{host, workload, string(f.Rule),
		f.Caps.Mask()}, "\x00")))
	print := hex.EncodeToString(sum[:16])
	seen[print]++
	return print + ":" + strconv.Itoa(seen[print])
}

func workloadOf(c dropcap.Judged) string {
	if c.Workload != "" {
		return c.Workload
	}
	return c.Name
}

func sarifLevel(s caps.Severity) string {
	switch s {
	case caps.Critical, caps.High:
		return sarif.LevelError
	case caps.Medium:
		return sarif.LevelWarning
	default:
		return sarif.LevelNote
	}
}

// securitySeverity returns the CVSS-like score by which GitHub ranks a rule's alerts.
func securitySeverity(s caps.Severity) string {
	return map[caps.Severity]string{caps.Critical: "9.5", caps.High: "8.0", caps.Medium: "5.5",
		caps.Low: "2.0"}[s]
}
