package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/docker/cli/templates"
	"github.com/mattn/go-runewidth"

	"dropcap"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) {
	flag.Parse()
	runewidth.DefaultCondition.EastAsianWidth = false // whatever the locale of who runs this
	os.Exit(m.Run())
}

func write(t testing.TB, format string, a dropcap.Audit, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if o.Now.IsZero() {
		o.Now = seenAt
	}
	if o.Version == "" {
		o.Version = "0.1.0"
	}
	if err := Audit(&b, format, a, o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from its golden (rewrite it with -update):\n%s", name,
			firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "line " + strconv.Itoa(i+1) + "\n got: " + g[i] + "\nwant: " + w[i]
		}
	}
	return "one is longer"
}

func TestGoldens(t *testing.T) {
	for _, c := range []struct {
		file, format string
		o            Options
	}{
		{"table.txt", "table", Options{}},
		{"table-100.txt", "table", Options{Width: 100}},
		{"table-60.txt", "table", Options{Width: 60}},
		{"table-color.txt", "table", Options{Width: 100, Color: true}},
		{"table-no-trunc.txt", "table", Options{Width: 100, NoTrunc: true}},
		{"table-quiet.txt", "table", Options{Quiet: true}},
		{"wide.txt", "wide", Options{}},
		{"audit.json", "json", Options{}},
		{"cis.txt", "cis", Options{}},
		{"audit.csv", "csv", Options{}},
		{"audit.md", "markdown", Options{}},
		{"junit.xml", "junit", Options{}},
		{"audit.sarif", "sarif", Options{}},
		{"template.txt",
			`{{.ID}} {{.Name}} {{.Verdict}} {{join .Rules ","}} {{upper .State}} {{printf "%.10s" .Image}} {{range .Findings}}{{.Because}}{{end}}`, Options{}},
		{"template-table.txt", `table {{.ID}}\t{{.Name}}\t{{.Holds}}\t{{json .CapAdd}}`,
			Options{NoTrunc: true}},
		{"template-json.txt", "{{json .}}", Options{}},
	} {
		t.Run(c.file, func(t *testing.T) { golden(t, c.file, write(t, c.format, sample(), c.o)) })
	}
}

func TestNoHostContainersAreStillADocument(t *testing.T) {
	for _, f := range Formats() {
		out := write(t, f, dropcap.Audit{Schema: dropcap.SchemaAudit}, Options{})
		if out == "" && f != "cis" {
			t.Errorf("%s writes nothing", f)
		}
	}
}

// A terminal gets nothing that it would act on, except the requested colours.
func TestTerminalFormatsEmitOnlyWhatCanBeSeen(t *testing.T) {
	for _, f := range append(Formats(), "{{json .}}", "{{.Name}}|{{.Labels}}|{{.Findings}}",
		"{{lower .Name}} {{upper .Image}} {{title .User}} {{pad .Workload 1 1}} {{truncate .Why "+
			"400}} {{split .Fix \"x\"}} {{println .Name}}",
	) {
		for _, r := range strings.NewReplacer("\r\n", "\n").Replace(write(t, f, sample(),
			Options{})) {
			if r != '\n' && !strconv.IsPrint(r) {
				t.Errorf("%s emits %U", f, r)
			}
		}
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	for _, width := range []int{48, 60, 72, 80, 100, 132, 200} {
		out, _, _ := strings.Cut(write(t, "table", sample(), Options{Width: width}), "\n\n")
		for line := range strings.Lines(out) {
			if w := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%d columns on a terminal of %d: %q", w, width, line)
			}
		}
	}
}

func TestTableColumnsAlign(t *testing.T) {
	out, _, _ := strings.Cut(write(t, "table", sample(), Options{Width: 120}), "\n\n")
	lines := strings.Split(out, "\n")
	column := strings.Index(lines[0], "VERDICT")
	for i, l := range lines[1:] {
		at := strings.Index(l, "  "+string(sample().Containers[i].Verdict)+" ")
		if !strings.HasPrefix(cut(l, column), string(sample().Containers[i].Verdict)) {
			t.Errorf("the verdict stands at column %d, not %d: %q", at, column, l)
		}
	}
}

// cut drops what fills the first n columns of a terminal.
func cut(s string, n int) string {
	for i := range s {
		if runewidth.StringWidth(s[:i]) == n {
			return s[i:]
		}
	}
	return ""
}

func TestJSONReadsBackAsTheSameDocument(t *testing.T) {
	out := write(t, "json", sample(), Options{})
	var back dropcap.Audit
	if err := json.Unmarshal([]byte(out), &back); err != nil {
		t.Fatal(err)
	}
	if again := write(t, "json", back, Options{}); again != out {
		t.Error("writing what was read gives another document:", firstDifference(again, out))
	}
	if got, want := back.Containers[10].Name, strings.ToValidUTF8(hostileName,
		"\uFFFD"); got != want {
		t.Errorf("name %q became %q", want, got)
	}
}

// The contract of fields: they may be added, never renamed or dropped.
func TestJSONHasEveryFieldOfTheContract(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(write(t, "json", sample(), Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(`
		schema created host.id host.name host.kernel host.cgroup host.lsm host.engine.name host.engine.version host.engine.api
		host.engine.rootless host.grantable control.benchmark control.ids.0.version control.ids.0.id control.level policy.level
		policy.digest containers.0.id containers.0.name containers.0.image containers.0.image_id containers.0.state containers.0.user
		containers.0.pid containers.0.workload containers.0.owner.kind containers.0.owner.project containers.0.owner.service
		containers.0.declared.privileged containers.0.declared.cap_add containers.0.declared.cap_drop containers.0.predicted
		containers.0.kernel.visible containers.0.kernel.why_not containers.0.kernel.held containers.0.kernel.bounding containers.0.kernel.effective
		containers.0.kernel.permitted containers.0.kernel.inheritable containers.0.kernel.ambient containers.0.kernel.no_new_privs
		containers.0.kernel.user_ns containers.0.kernel.processes.0.pids containers.0.kernel.processes.0.comm
		containers.0.kernel.processes.0.origin containers.0.kernel.processes.0.bounding containers.0.kernel.processes.0.effective
		containers.0.verdict containers.0.findings.0.rule containers.0.findings.0.severity containers.0.findings.0.caps
		containers.0.findings.0.because containers.0.findings.0.fix containers.0.findings.0.waiver
		summary.containers summary.pass summary.fail summary.waived summary.unknown`) {
		if !hasPath(doc, strings.Split(path, ".")) {
			t.Error("no field", path)
		}
	}
}

func hasPath(v any, path []string) bool {
	if len(path) == 0 {
		return true
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		l, ok := v.([]any)
		return ok && i < len(l) && hasPath(l[i], path[1:])
	}
	m, ok := v.(map[string]any)
	next, there := m[path[0]]
	return ok && there && hasPath(next, path[1:])
}

// The oracle is docker itself: the template functions and options of its inspect, over an engine's
// JSON.
func TestCISIsWhatDockerInspectPrints(t *testing.T) {
	const format = `{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}`
	tmpl, err := templates.Parse(format)
	if err != nil {
		t.Fatal(err)
	}
	for _, lists := range []string{
		`{"CapAdd":null,"CapDrop":null}`, `{"CapAdd":[],"CapDrop":[]}`,
		`{"CapAdd":["NET_ADMIN","sys_time"],"CapDrop":["ALL"]}`,
		`{"CapAdd":[""],"CapDrop":["a b"]}`,
	} {
		var inspect map[string]any
		raw := `{"Id":"` + at(1) + `","HostConfig":` + lists + `}`
		if err := json.Unmarshal([]byte(raw), &inspect); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		if err := template.Must(tmpl.Clone()).Option("missingkey=error").Execute(&want,
			inspect); err != nil {
			t.Fatal(err)
		}
		var host struct {
			HostConfig struct{ CapAdd, CapDrop []string }
		}
		if err := json.Unmarshal([]byte(raw), &host); err != nil {
			t.Fatal(err)
		}
		c := fixture(1, "x", "x", "running")
		c.Declared.Add, c.Declared.Drop = host.HostConfig.CapAdd, host.HostConfig.CapDrop
		if got := write(t, "cis", dropcap.Audit{Containers: []dropcap.Judged{c}},
			Options{}); got != want.String()+"\n" {
			t.Errorf("%s: got %q, docker prints %q", lists, got, want.String())
		}
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(write(t, "csv", sample(), Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := 1 // the head
	for _, c := range sample().Containers {
		want += max(1, len(c.Findings))
	}
	if want += len(sample().Findings); len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		if i := slices.IndexFunc(r, isFormula); i >= 0 {
			t.Errorf("a formula: %q", r[i])
		}
	}
}

func isFormula(s string) bool {
	s = strings.TrimLeft(s, " \u00a0\u200b")
	return s != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(s)[0])
}

func TestBadFormatsAreUsageErrorsThatHelp(t *testing.T) {
	for format, hint := range map[string]string{
		"tabel":                              "table, wide, json",
		"":                                   "table, wide, json",
		"{{.Nme}}":                           ".Name",
		"table {{.Name}}\t{{.X}}":            ".Verdict",
		"{{range .Findings}}{{.Sev}}{{end}}": ".Severity",
		"{{.Name":                            "functions: json",
		"{{frobnicate .Name}}":               "functions: json",
	} {
		err := CheckFormat(format)
		var e *dropcap.Error
		if !errors.As(err, &e) || e.Code != dropcap.CodeUsage ||
			!strings.HasPrefix(e.Message, "cannot ") || !strings.Contains(e.Hint, hint) {
			t.Errorf("%q: %#v", format, err)
		}
	}
	for _, format := range append(Formats(), "{{.Name}}", "table {{.ID}}",
		`{{with .Fix}}{{.}}{{end}}`, `{{if eq .Name "web"}}x{{end}}`, `{{slice .ID 0 4}}`) {
		if err := CheckFormat(format); err != nil {
			t.Errorf("%q: %v", format, err)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestTheWritersErrorIsHandedOn(t *testing.T) {
	for _, f := range append(Formats(), "{{.Name}}", "table {{.Name}}") {
		if err := Audit(brokenPipe{}, f, sample(), Options{Now: seenAt}); !errors.Is(err,
			os.ErrClosed) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestHolds(t *testing.T) {
	for want, c := range map[string]dropcap.Judged{
		"14 default":                          web(),
		"1: NET_BIND_SERVICE":                 hardened(),
		"14 default +NET_ADMIN,SYS_MODULE":    vpn(),
		"ALL (41)":                            root(),
		"unknown":                             unseen(),
		"none":                                created(),
		"12 default +SYS_TIME -NET_RAW,MKNOD": hostile(),
		"13 default -NET_RAW": held(fixture(1, "x", "x", "exited"),
			defaults&^(1<<13)),
		"14 default +DAC_READ_SEARCH,LINUX_IMMUTABLE,NET_BROADCAST,…": held(fixture(1, "x", "x",
			"running"), all>>1|defaults),
	} {
		if got := holds(c.Container, sample().Host, false); got != want {
			t.Errorf("%s: got %q, want %q", c.Name, got, want)
		}
	}
}
