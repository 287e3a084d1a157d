package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

const (
	rulesFile     = "packaging/prometheus/dropcap.rules.yml"
	dashboardFile = "packaging/grafana/dropcap.json"
)

func shipped(t *testing.T, name string) (path, text string) {
	t.Helper()
	path = filepath.Join(testenv.RepoRoot(t), name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(b)
}

// metricName matches the name of one of our metrics in an expression.
var metricName = regexp.MustCompile(`\bdropcap_[a-z_]+\b`)

// exported fails for each metric in the text that a full exposition does not have.
func exported(t *testing.T, where, text string) {
	t.Helper()
	all := exposition(t, full())
	for _, name := range metricName.FindAllString(text, -1) {
		if !strings.Contains(all, "# TYPE "+name+" ") {
			t.Errorf("%s names %s, which dropcap does not export", where, name)
		}
	}
}

func TestTheAlertRulesAreRight(t *testing.T) {
	path, text := shipped(t, rulesFile)
	promtool(t, "", "check", "rules", path)
	promtool(t, "", "test", "rules", "testdata/rules.test.yml")
	exported(t, path, text)
	for _, name := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(text, -1) {
		tests, err := os.ReadFile("testdata/rules.test.yml")
		if err != nil || !strings.Contains(string(tests), `"`+name[1]+`"`) {
			t.Errorf("no test has %s fire (%v)", name[1], err)
		}
	}
}

// dashboard is what the test reads of Grafana's model.
type dashboard struct {
	Title, UID string
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
}

// Prometheus parses every expression of the dashboard, with Grafana's variables filled in, and
// every metric is one of ours.
func TestTheDashboardIsRight(t *testing.T) {
	path, text := shipped(t, dashboardFile)
	var d dashboard
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 10 || len(d.Templating.List) != 2 {
		t.Fatalf("%+v", d)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	ids, n := map[int]bool{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q at %+v with %d targets", p.ID, p.Title, p.GridPos, len(p.Targets))
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			n++
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: a variable that is not defined: %s", p.Title, expr)
			}
			rules.WriteString("      - {record: 'panel:n" + strconv.Itoa(n) + "', expr: " +
				strconv.Quote(expr) + "}\n")
			exported(t, path, target.Expr)
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// docs/metrics.md has a row for each metric, and for no other.
func TestTheDocumentationListsEachMetric(t *testing.T) {
	path, text := shipped(t, "docs/metrics.md")
	exported(t, path, text)
	for line := range strings.Lines(exposition(t, full())) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			if !strings.Contains(text, "\n| `"+name) {
				t.Errorf("docs/metrics.md has no row for %s", name)
			}
		}
	}
}
