package console

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/fleet"
)

const aRun = "01234567-89ab-cdef-0123-456789abcdef"

func TestWordsOfAFormAreRead(t *testing.T) {
	for line, want := range map[string]Request{
		"audit": {Verb: "audit", Findings: "report", Wait: 10 * time.Minute},
		"audit|--containers=web, db|--level=least|--findings=new|--run=" + aRun + "|--wait=60": {
			Verb: "audit", Containers: []string{"web", "db"}, Level: dropcap.LevelLeast,
			Findings: "new", Run: aRun, Wait: time.Minute},
		"plan|--containers=|--level=policy|--accept-low=yes": {Verb: "plan", AcceptLow: true,
			Containers: []string{}, Findings: "report", Wait: 10 * time.Minute},
		"apply": {Verb: "apply", DryRun: true, Findings: "report", Wait: 10 * time.Minute},
		"apply|--dry-run=no|--run=" + aRun: {Verb: "apply", Run: aRun, Findings: "report",
			Wait: 10 * time.Minute},
		"backout": {Verb: "backout", Run: "last", Findings: "report", Wait: 10 * time.Minute},
	} {
		got, err := Parse(strings.Split(line, "|"))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
}

func TestNoOtherWordsAreTaken(t *testing.T) {
	for _, line := range []string{"", "rm", "audit|web", "audit|--containers", "audit|--dry-run=no",
		"audit|--level=high", "audit|--level=", "audit|--containers=$(id)",
		"audit|--containers=web;db", "audit|--containers=-x", "audit|--containers=--all",
		"audit|--containers=" + strings.Repeat("a", 3000), "audit|--run=x", "audit|--run=last",
		"audit|--level=cis|--level=cis", "backout|--run=", "backout|--run=first",
		"apply|--dry-run=maybe", "status|--wait=4", "status|--wait=172801",
		"apply|--run=" + aRun + "|--containers=web", "apply|--run=" + aRun + "|--level=cis",
		"apply|--run=" + aRun + "|--accept-low=yes"} {
		var e *dropcap.Error
		words := strings.Split(line, "|")
		if line == "" {
			words = nil
		}
		if _, err := Parse(words); !errors.As(err, &e) || e.Code != dropcap.CodeUsage ||
			e.Hint == "" {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// The service holds the parameters of a document to the same forms as the host does.
func TestDocumentsAndHostTakeTheSameWords(t *testing.T) {
	type parameter struct {
		AllowedPattern string
		AllowedValues  []string
	}
	flag := regexp.MustCompile(` --([a-z-]+)='\{\{ ([A-Za-z]+) \}\}'`)
	seen := map[string]bool{}
	for _, d := range fleet.ConsoleDocuments() {
		var c struct {
			Parameters map[string]parameter
			MainSteps  []struct{ Inputs struct{ RunCommand []string } }
		}
		if err := json.Unmarshal([]byte(d.Content), &c); err != nil {
			t.Fatal(err)
		}
		verb := strings.TrimPrefix(d.Name, "dropcap-")
		at := slices.IndexFunc(Forms, func(f Form) bool { return f.Name == verb })
		if at < 0 {
			continue // a runbook
		}
		seen[verb] = true
		var names []string
		for _, m := range flag.FindAllStringSubmatch(c.MainSteps[0].Inputs.RunCommand[2], -1) {
			names = append(names, m[1])
			k := slices.IndexFunc(Forms[at].Words, func(w Word) bool { return w.Name == m[1] })
			if k < 0 {
				t.Errorf("%s gives --%s, which is not taken", d.Name, m[1])
				continue
			}
			w, p := Forms[at].Words[k], c.Parameters[m[2]]
			if p.AllowedPattern != "" && p.AllowedPattern != w.Pattern {
				t.Errorf("%s: %s is %s, and the host takes %s", d.Name, m[2], p.AllowedPattern,
					w.Pattern)
			}
			for _, v := range p.AllowedValues {
				if !w.form.MatchString(v) {
					t.Errorf("%s: %s may be %s, which the host does not take", d.Name, m[2], v)
				}
			}
		}
		if len(names) != len(Forms[at].Words) {
			t.Errorf("%s gives %q of %d words", d.Name, names, len(Forms[at].Words))
		}
	}
	if len(seen) != len(Forms) {
		t.Errorf("documents are there for %v", seen)
	}
}

// Whatever is read chose names and ids of their forms only.
func FuzzParse(f *testing.F) {
	f.Add("audit --containers=web --level=cis")
	f.Add("apply --run=" + aRun + " --dry-run=no")
	f.Fuzz(func(t *testing.T, line string) {
		q, err := Parse(strings.Split(line, " "))
		if err != nil {
			return
		}
		for _, name := range q.Containers {
			if !regexp.MustCompile(`^` + nameForm + `$`).MatchString(name) {
				t.Fatalf("%q of %q", name, line)
			}
		}
		if q.Run != "" && !which.form.MatchString(q.Run) {
			t.Fatalf("%q of %q", q.Run, line)
		}
	})
}
