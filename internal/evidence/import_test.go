package evidence

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func document(t testing.TB, change func(*dropcap.WorkloadEvidence)) []byte {
	t.Helper()
	w := build(caps.UpTo(caps.Last), check(caps.Chown, "chown", 2, chownPath...),
		by(dropcap.FromWritten, "/tmp/x", check(caps.SysAdmin, "mount", 1, "path_mount")))
	change(&w)
	b, err := json.Marshal(dropcap.Evidence{Schema: dropcap.SchemaEvidence,
		Workloads: []dropcap.WorkloadEvidence{w}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestImportGivesBackWhatWasExported(t *testing.T) {
	data, err := os.ReadFile("testdata/server.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Import(data)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(e, "", " ")
	if err != nil || string(b)+"\n" != string(data) {
		t.Errorf("%v; came back as %s", err, b)
	}
}

func TestImportBelievesNoConclusion(t *testing.T) {
	e, err := Import(document(t, func(w *dropcap.WorkloadEvidence) {
		w.Required, w.Unused = caps.UpTo(caps.Last), 0
		w.Recommended.CapAdd = []string{"SYS_ADMIN", "$(reboot)"}
		w.Confidence.Level = "certain"
		for i := range w.Needs {
			w.Needs[i].Approved, w.Needs[i].Flagged, w.Needs[i].Sources = true, false, 99
		}
		w.Needs[0].Because = "one\x1b[31m\u202etwo\nthree"
	}))
	if err != nil {
		t.Fatal(err)
	}
	w := e.Workloads[0]
	if w.Required != caps.Of(caps.Chown) || len(w.Recommended.CapAdd) != 1 ||
		w.Confidence.Level == "certain" {
		t.Errorf("required %s, recommended %v, confidence %s", w.Required, w.Recommended.CapAdd,
			w.Confidence.Level)
	}
	for _, n := range w.Needs {
		if n.Approved || n.Flagged != (n.Cap == caps.SysAdmin) || n.Sources > 1 ||
			strings.ContainsAny(n.Because, "\x1b\u202e\n") {
			t.Errorf("need %+v", n)
		}
	}
}

func TestImportRefusesWhatIsMalformed(t *testing.T) {
	type we = dropcap.WorkloadEvidence
	for name, change := range map[string]func(*we){
		"workloads[0]: workload": func(w *we) { w.Workload = "" },
		"is no name":             func(w *we) { w.Workload = "docker:a\x1b[2J" },
		"revision":               func(w *we) { w.Revision = "latest" },
		"image_id":               func(w *we) { w.ImageID = "sha256:xyz" },
		"sources: there are 0":   func(w *we) { w.Sources = nil },
		"container":              func(w *we) { w.Sources[0].Container = "../../etc" },
		"host": func(w *we) {
			w.Sources[0].Host.ID = strings.Repeat("h", 10000)
		},
		"seconds":                        func(w *we) { w.Sources[0].Seconds = -1 },
		"starts, stops or summed":        func(w *we) { w.Sources[0].Stops = -5 },
		"since or until":                 func(w *we) { w.Sources[0].Since = "yesterday" },
		"outcome":                        func(w *we) { w.Needs[0].Outcome = "maybe" },
		"class: \"sacred\" is not known": func(w *we) { w.Needs[0].Class = "sacred" },
		"or: only":                       func(w *we) { w.Needs[0].Or = caps.Of(caps.Kill) },
		"first or last":                  func(w *we) { w.Needs[0].Last = "9999" },
		"exe_from":                       func(w *we) { w.Needs[0].By[0].ExeFrom = "heaven" },
		"phase":                          func(w *we) { w.Needs[0].By[0].Phase = "late" },
		"syscall or site":                func(w *we) { w.Needs[0].By[0].Site = "<script>" },
		"exe: too long": func(w *we) {
			w.Needs[0].By[0].Exe = strings.Repeat("/x", 5000)
		},
		"sources, by or because": func(w *we) {
			w.Needs[0].By = make([]dropcap.By, 52)
		},
		"needs: there are 1025": func(w *we) { w.Needs = make([]dropcap.Need, 1025) },
		"sources: there are 1025": func(w *we) {
			w.Sources = make([]dropcap.Source, 1025)
		},
		"needs[0]: sources, by or because: t": func(w *we) {
			w.Needs[0].Because = strings.Repeat("a", 5000)
		},
	} {
		_, err := Import(document(t, change))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(),
			"cannot read evidence: ") || len(err.Error()) > 400 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestImportRefusesWhatIsNoDocument(t *testing.T) {
	good := string(document(t, func(*dropcap.WorkloadEvidence) {}))
	for name, data := range map[string]string{
		"empty": "", "no JSON": "evidence", "another schema": strings.Replace(good, "evidence/v1",
			"evidence/v2", 1), "a tail": good + "{}",
		"a list": "[" + good + "]", "an unknown capability": strings.Replace(good,
			`"cap":"CAP_CHOWN"`, `"cap":"CAP_`+strings.Repeat("X", 9000)+`"`, 1),
		"too large":         `{"schema":"` + strings.Repeat("x", MostBytes),
		"too large a count": strings.Replace(good, `"count":2`, `"count":99999999999999999999`, 1),
	} {
		_, err := Import([]byte(data))
		if err == nil || len(err.Error()) > 400 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(document(f, func(*dropcap.WorkloadEvidence) {}))
	if data, err := os.ReadFile("testdata/server.json"); err == nil {
		f.Add(data)
	}
	f.Add([]byte(`{"schema":"dropcap.evidence/v1","workloads":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Import(data)
		if err != nil {
			return
		}
		for _, w := range e.Workloads {
			checkConclusion(t, w)
		}
		first := text(t, e)
		again, err := Import([]byte(first))
		if err != nil || text(t, again) != first {
			t.Errorf("%v; imported twice it is %s, once %s", err, text(t, again), first)
		}
		merged := Merge(e.Workloads, AcrossHosts)
		if text(t, Merge(append(merged, merged...), AcrossHosts)) != text(t, merged) {
			t.Errorf("merged twice: %s", text(t, merged))
		}
	})
}
