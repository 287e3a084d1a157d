package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
)

// job is one run of a job that runs each minute.
func job(i int) dropcap.WorkloadEvidence {
	s := source("h1", 0, at.Add(time.Duration(i)*time.Minute))
	s.Container, s.Seconds = fmt.Sprintf("%064x", i), 30
	s.Until = at.Add(time.Duration(i)*time.Minute + 30*time.Second).Format(time.RFC3339)
	checks := []dropcap.KernelCheck{check(caps.Chown, "chown", 2, chownPath...)}
	if i%4 == 0 {
		checks = append(checks, check(caps.Kill, "kill", 1, "check_kill_permission"))
	}
	return Build(checks, nil, caps.DockerDefaults, s, identity)
}

// A week of a job that runs each minute does not make the stored document grow.
func TestJobsWithoutEndKeepABoundedDocument(t *testing.T) {
	const runs = 3000
	nobody := func(dropcap.Source) bool { return false }
	kept, largest := job(0), 0
	for i := 1; i < runs; i++ {
		kept = Trim(Merge([]dropcap.WorkloadEvidence{kept, job(i)}, ByHost)[0], nobody)
		if i%500 == 0 {
			b, _ := json.Marshal(kept)
			largest = max(largest, len(b))
		}
	}
	if len(kept.Sources) > KeptApart+1 || largest > 64<<10 {
		t.Errorf("%d sources, %d bytes", len(kept.Sources), largest)
	}
	if kept.Recordings() != runs || kept.Containers() != runs {
		t.Errorf("%d recordings of %d containers, want %d", kept.Recordings(), kept.Containers(),
			runs)
	}
	if n := kept.Needs; n[0].Sources != runs || n[1].Sources != runs/4 || n[0].Count != 2*runs {
		t.Errorf("needs %+v", n)
	}
	var cold int
	for _, s := range kept.Sources {
		cold += s.StartsCold
	}
	if cold != runs {
		t.Errorf("%d cold starts", cold)
	}
	if _, err := Import([]byte(text(t, dropcap.Evidence{Schema: dropcap.SchemaEvidence,
		Workloads: []dropcap.WorkloadEvidence{kept}}))); err != nil {
		t.Errorf("its export cannot be imported: %v", err)
	}
}

func TestWhatIsBeingRecordedStaysApart(t *testing.T) {
	var list []dropcap.WorkloadEvidence
	for i := range 3 * KeptApart {
		list = append(list, job(i))
	}
	present := func(s dropcap.Source) bool { return strings.HasSuffix(s.Container, "1") }
	w := Trim(Merge(list, ByHost)[0], present)
	for _, l := range list {
		if s := l.Sources[0]; present(s) && !strings.Contains(text(t, w.Sources), s.Container) {
			t.Errorf("%s was summed up", s.Container)
		}
	}
	if w.Recordings() != 3*KeptApart {
		t.Errorf("%d recordings", w.Recordings())
	}
}
