package render

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"

	"dropcap"
	"dropcap/internal/owner"
)

//go:embed page
var pageFiles embed.FS

// pageTemplate is parsed when the first page is written, so no other format pays for it.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page.gohtml").ParseFS(pageFiles, "page/page.gohtml")
})

// document is the data of the template. Texts are made visible before, since a browser obeys
// bidirectional overrides too.
type document struct {
	Host, Summary, Benchmark, Level, Seen, Engine, Kernel, Version string

	Policy template.HTML // the content security policy; a constant and hashes
	Style  template.CSS
	Script template.JS

	Verdicts []verdictButton
	Groups   []capGroup
	Columns  []capColumn
	Rows     []pageRow
	Policies []pagePolicy

	Fleet    bool
	Hosts    []pageHost // of a fleet
	Failures []pageFailure
}

type pageHost struct{ Host, Name, Summary string }

type pageFailure struct{ Cause, Hosts, Message, Hint string }

// pagePolicy is what was found about a policy itself.
type pagePolicy struct {
	Host     string
	Findings []pageFinding
}

type verdictButton struct {
	Verdict dropcap.Verdict
	Count   int
}

type pageRow struct {
	Index                             int
	Host                              string // of a fleet
	Name, Image, Holds, Rules, Search string
	Verdict                           dropcap.Verdict
	Open                              bool
	Cells                             template.HTML // fixed marks, nothing of a container's
	Facts                             []fact
	Processes                         []pageProcess
	Findings                          []pageFinding
}

type fact struct{ Name, Value string }

type pageProcess struct{ PIDs, Comm, Origin, Held, Bounding, Effective, UserNS string }

type pageFinding struct {
	Severity, Rule, Because, Fix, Accepted string
}

// fewContainers is the number of containers up to which the page unfolds its failures.
const fewContainers = 20

// auditHTML writes one self-contained page: it loads nothing, and its content security policy
// allows only its own style and script, by their hashes.
func auditHTML(w io.Writer, s audits, o Options) error {
	t, err := pageTemplate()
	if err != nil {
		return err
	}
	p, err := newPage(s, o)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		return err
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func newPage(s audits, o Options) (document, error) {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return document{}, err
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return document{}, err
	}
	a := s.first()
	p := document{
		Host: visible(s.where()), Summary: s.summary(), Benchmark: visible(benchmark(a.Control)),
		Level:   visible(s.levels()),
		Seen:    visible(a.Created),
		Engine:  visible(strings.TrimSpace(a.Host.Engine.Name + " " + a.Host.Engine.Version)),
		Kernel:  visible(a.Host.Kernel),
		Version: visible(o.Version),
		Policy:  policyOf(style, script), Style: template.CSS(style), Script: template.JS(script),
		Columns: capColumns(s), Fleet: s.fleet != nil,
	}
	p.Groups = capGroups(p.Columns)
	for _, v := range verdictCounts(s.total) {
		p.Verdicts = append(p.Verdicts, verdictButton{v.verdict, v.n})
	}
	if p.Fleet { // what differs between hosts is shown with the hosts
		p.Engine, p.Kernel, p.Seen = "", "", visible(s.fleet.Run.Ended)
	}
	for d, a := range s.each {
		p.addHost(d, a, s.total.Containers <= fewContainers, o)
	}
	for _, c := range causes(s.failures) {
		p.Failures = append(p.Failures, pageFailure{visible(c.slug), nodes(c.hosts, o),
			visible(c.message), visible(c.hint)})
	}
	return p, nil
}

// addHost adds the rows of one host; few says whether failures begin unfolded.
func (p *document) addHost(d dropcap.HostDocument, a dropcap.Audit, few bool, o Options) {
	host := ""
	if p.Fleet {
		host = visible(d.Node())
		p.Hosts = append(p.Hosts, pageHost{host, visible(d.Host + " " + d.Name),
			summary(a.Summary)})
	}
	for _, c := range a.Containers {
		r := newRow(len(p.Rows), c, a, p.Columns)
		r.Open = r.Open && few
		if p.Fleet {
			r.Host = host
			r.Search = strings.ToLower(visible(d.Host+" "+d.Name)) + " " + r.Search
		}
		p.Rows = append(p.Rows, r)
	}
	if len(a.Findings) > 0 {
		p.Policies = append(p.Policies, pagePolicy{host, pageFindings(a.Findings)})
	}
}

// policyOf allows the two inline blocks and nothing else: no request, no frame, no form, no string
// that becomes markup.
func policyOf(style, script []byte) template.HTML {
	return template.HTML("default-src 'none'; style-src " + hashOf(style) + "; script-src " +
		hashOf(script) +
		"; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'")
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func newRow(i int, c dropcap.Judged, a dropcap.Audit, columns []capColumn) pageRow {
	r := pageRow{
		Index: i, Name: visible(c.Name), Image: visible(shortImage(c.Image, false)),
		Holds: holds(c.Container, a.Host, false),
		Rules: visible(strings.Join(rules(c), ", ")), Verdict: c.Verdict,
		Open:  c.Verdict == dropcap.Fail,
		Cells: matrixCells(c, a.Host, columns), Facts: factsOf(c, a.Host),
		Findings: pageFindings(c.Findings),
	}
	r.Search = strings.ToLower(strings.Join([]string{r.Name, r.Image, visible(c.Workload),
		visible(c.State), r.Rules, visible(c.ID)}, " "))
	for _, p := range c.Kernel.Processes {
		r.Processes = append(r.Processes, pageProcess{
			pidList(p.PIDs), visible(p.Comm), visible(p.Origin), heldMask(p), visible(p.Bounding),
			visible(p.Effective), visible(p.UserNS),
		})
	}
	return r
}

func pageFindings(list []dropcap.Finding) []pageFinding {
	var out []pageFinding
	for _, f := range list {
		out = append(out, pageFinding{
			visible(string(f.Severity)), visible(string(f.Rule)), visible(f.Because),
			strings.Join(visibleLines(f.Fix), "\n"), visible(accepted(f)),
		})
	}
	return out
}

// factsOf lists what decided, in the document's own words.
func factsOf(c dropcap.Judged, h dropcap.Host) []fact {
	all := []fact{
		{"id", shortID(c.ID, false)}, {"state", c.State}, {"image", c.Image},
		{"owner", owner.Title(c.Owner)}, {"workload", c.Workload}, {"user", c.User},
		{"declared add", strings.Join(c.Declared.Add, " ")},
		{"declared drop", strings.Join(c.Declared.Drop, " ")},
		{"privileged", map[bool]string{true: "yes"}[c.Declared.Privileged]},
		{"holds", holds(c.Container, h, true)}, {"predicted", mask(c.Predicted)},
		{"held", mask(c.Kernel.Holds())}, {"bounding", mask(c.Kernel.Bounding)},
		{"effective", mask(c.Kernel.Effective)}, {"held in nested user namespaces",
			mask(c.Kernel.Nested)}, {"user namespace", c.Kernel.UserNS},
		{"no new privileges", noNewPrivs(c.Kernel)},
		{"not seen", c.Kernel.WhyNot}, {"not predicted", c.WhyNot},
	}
	var out []fact
	for _, f := range all {
		if f.Value != "" && f.Value != "-" {
			out = append(out, fact{f.Name, visible(f.Value)})
		}
	}
	return out
}
