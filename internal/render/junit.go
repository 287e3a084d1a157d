package render

import (
	"encoding/xml"
	"io"
	"strings"
	"time"

	"dropcap"
)

// The elements of JUnit's report, as Jenkins, GitLab and GitHub's actions read them (there is no
// official schema).
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Tests   int          `xml:"tests,attr"`
		Fails   int          `xml:"failures,attr"`
		Errors  int          `xml:"errors,attr"`
		Skipped int          `xml:"skipped,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string `xml:"name,attr"`
		Hostname string `xml:"hostname,attr"`
		// local time without zone, by custom; ours is UTC
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Tests      int             `xml:"tests,attr"`
		Fails      int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *junitMessage `xml:"skipped"`
		Errors  []junitReport `xml:"error"`
		Fails   []junitReport `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
	}
	junitReport struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",cdata"`
	}
)

// auditJUnit writes a suite for each host with a case for each container: a failure for each
// finding that counts, an error if something could not be seen, skipped if it is waived. Findings
// about the policy are a case of their own.
func auditJUnit(w io.Writer, s audits, _ Options) error {
	doc := junitSuites{Name: "dropcap"}
	for d, a := range s.each {
		if s.fleet != nil {
			a.Host.Name = d.Host
		}
		doc.add(newJUnitSuite(a))
	}
	for _, f := range s.failures {
		doc.add(failedJUnitSuite(f))
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

func (d *junitSuites) add(s junitSuite) {
	d.Tests, d.Fails, d.Errors, d.Skipped = d.Tests+s.Tests, d.Fails+s.Fails, d.Errors+s.Errors,
		d.Skipped+s.Skipped
	d.Suites = append(d.Suites, s)
}

// failedJUnitSuite is a host of which nothing is known: an error.
func failedJUnitSuite(f dropcap.HostFailure) junitSuite {
	s := junitSuite{Name: visible("dropcap " + f.Host), Hostname: visible(f.Host), Time: "0"}
	text := ""
	if f.Hint != "" {
		text = strings.Join(visibleLines("fix:\n"+f.Hint), "\n")
	}
	s.add(junitCase{Class: "host", Name: visible(f.Host), Time: "0",
		Errors: []junitReport{{Message: visible(f.Message), Type: visible(f.Cause), Text: text}}})
	return s
}

func newJUnitSuite(a dropcap.Audit) junitSuite {
	s := junitSuite{
		Name: visible("dropcap " + hostName(a.Host)), Hostname: visible(a.Host.Name),
		Timestamp: junitTime(a.Created), Time: "0",
		Properties: []junitProperty{
			{"benchmark", visible(benchmark(a.Control))},
			{"level", visible(string(a.Policy.Level))},
			{"engine", visible(a.Host.Engine.Name + " " + a.Host.Engine.Version)},
			{"kernel", visible(a.Host.Kernel)},
		},
	}
	for _, c := range a.Containers {
		s.add(newJUnitCase(c.Name, orDash(c.Workload), c.Verdict, c.Findings,
			holds(c.Container, a.Host, true)))
	}
	if len(a.Findings) > 0 {
		s.add(newJUnitCase("policy", "policy", "", a.Findings, ""))
	}
	return s
}

// add counts a case once, by its worst result: the sum of the attributes never exceeds the number
// of cases.
func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case len(c.Errors) > 0:
		s.Errors++
	case len(c.Fails) > 0:
		s.Fails++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func newJUnitCase(name, class string, v dropcap.Verdict, list []dropcap.Finding,
	held string) junitCase {
	c := junitCase{Class: visible(class), Name: visible(name), Time: "0"}
	if held != "" {
		c.Out = visible("holds " + held)
	}
	var notes []string
	for _, f := range list {
		switch {
		case accepted(f) != "":
			notes = append(notes, string(f.Rule)+": "+accepted(f))
		case f.Counts():
			c.Fails = append(c.Fails, newJUnitReport(f))
		default:
			c.Errors = append(c.Errors, newJUnitReport(f))
		}
	}
	if v == dropcap.Unknown && len(c.Errors) == 0 {
		c.Errors = append(c.Errors, junitReport{Message: "what it holds is not known",
			Type: string(dropcap.RuleUnseen)})
	}
	if v == dropcap.Waived && len(c.Errors)+len(c.Fails) == 0 {
		c.Skipped = &junitMessage{visible(strings.Join(notes, "; "))}
	}
	return c
}

func newJUnitReport(f dropcap.Finding) junitReport {
	lines := []string{"severity: " + visible(string(f.Severity)), "capabilities: " + f.Caps.Short()}
	if f.Fix != "" {
		lines = append(append(lines, "fix:"), visibleLines(f.Fix)...)
	}
	return junitReport{Message: visible(f.Because), Type: visible(string(f.Rule)),
		Text: strings.Join(lines, "\n")}
}

func junitTime(created string) string {
	t, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
