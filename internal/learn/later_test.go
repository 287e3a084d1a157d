package learn

import (
	"context"
	"strings"
	"testing"
	"time"

	"dropcap/caps"
	"dropcap/internal/evidence"
	"dropcap/internal/image"
)

// Everything recorded is stored before any file is scanned, even if somebody loses patience then;
// the next recording makes up for it.
func TestWhatIsRecordedIsKeptBeforeFilesAreLookedAt(t *testing.T) {
	s := newStage()
	s.add("web", 7)
	s.add("caddy", 8)
	for id, c := range s.containers { // each of its own image
		c.ImageID = "sha256:" + c.Name
		s.containers[id] = c
		s.details[id] = Details{Entry: c.Name}
	}
	within := make(chan struct{})
	s.files = func(string, image.Limits) (image.Files, error) {
		<-within
		return image.Files{}, context.Canceled
	}
	asked := 0
	enough := func() <-chan struct{} {
		s.locked(func() {
			for _, name := range []string{"docker:web", "docker:caddy"} {
				if s.kept[name].Required != caps.Of(caps.Chown) {
					t.Errorf("%s is not kept when files are looked at: %+v", name, s.kept[name])
				}
			}
		})
		asked++
		end := make(chan struct{})
		close(end)
		// scans under way must end, too
		time.AfterFunc(10*time.Millisecond, func() { close(within) })
		return end
	}
	got := s.record(t, Query{Enough: enough}, func() {
		s.count(7, caps.Chown, "/bin/x")
		s.count(8, caps.Chown, "/bin/x")
	})
	if asked != 1 || len(got) != 2 {
		t.Fatalf("asked %d times, %d workloads", asked, len(got))
	}
	for name, w := range s.kept {
		if w.Sources[0].FilesUnseen != evidence.FilesLater ||
			!strings.Contains(strings.Join(w.Confidence.Because, "; "),
				"the next `dropcap learn` does") {
			t.Errorf("%s: %+v, %v", name, w.Sources[0], w.Confidence.Because)
		}
	}

	s.files = nil
	other := s.add("other", 9)
	s.record(t, Query{Only: map[string]bool{other: true}}, func() { s.pass() })
	if w := s.kept["docker:caddy"]; w.Required != caps.Of(caps.Chown, caps.NetBindService) ||
		w.Sources[0].FilesUnseen != "" {
		t.Errorf("nobody has made up for it: needs %s, %+v", w.Required.Short(), w.Sources[0])
	}
	if w := s.kept["docker:web"]; w.Required != caps.Of(caps.Chown) ||
		w.Sources[0].FilesUnseen != "" || len(w.Sources) != 1 {
		t.Errorf("web: needs %s, %+v", w.Required.Short(), w.Sources)
	}
}

// Each image is scanned once, whatever its containers' entries, and several images at a time.
func TestAnImageIsLookedAtOnce(t *testing.T) {
	s := newStage()
	for _, name := range []string{"a", "b", "c", "d"} {
		id := s.add(name, uint64(name[0]))
		c := s.containers[id]
		c.ImageID = map[bool]string{true: "one", false: "two"}[name < "c"]
		s.containers[id] = c
		s.details[id] = Details{Entry: "/opt/" + name}
	}
	var looked []string
	both := make(chan struct{})
	s.files = func(id string, _ image.Limits) (image.Files, error) {
		s.locked(func() {
			looked = append(looked, s.containers[id].ImageID)
			if len(looked) == 2 {
				close(both)
			}
		})
		<-both // neither ends before the other has begun
		return image.Files{}, nil
	}
	got := s.record(t, Query{}, func() {})
	if len(looked) != 2 || looked[0] == looked[1] {
		t.Errorf("looked at %v", looked)
	}
	for name, w := range got {
		if w.Sources[0].FilesUnseen != "" {
			t.Errorf("%s: %s", name, w.Sources[0].FilesUnseen)
		}
	}
}
