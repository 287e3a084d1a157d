package change_test

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// What a new container has written into its own layer before it was rolled back is kept with it,
// wherever dropcap is killed on the way; the command that is named gets at it, and prune removes
// it.
func TestARollbackKeepsWhatTheNewOneHasWritten(t *testing.T) {
	kinds := []dockertest.Kind{dockertest.Docker20, dockertest.Docker29}
	faults := []string{"", "before:look-layer=kill"}
	if full {
		faults = append(faults, "after:stop-new=kill", "after:rename-new-back=kill",
			"before:start-old=kill", "after:start-old=kill", "after:look-layer=kill",
			"before:note-rolled-back=kill", "after:note-rolled-back=kill")
	} else {
		kinds = kinds[:1]
	}
	for _, kind := range kinds {
		s := crashStage(t, kind)
		for _, fault := range faults {
			t.Run(string(kind)+" "+fault, func(t *testing.T) { kept(t, s, fault) })
		}
	}
}

func kept(t *testing.T, s *stage, fault string) {
	r := s.rig(t, "web", "always")
	r.shell(t, "docker rm -f web")
	r.old = r.shell(t, "docker run -d --restart always --name web --env WRITES=/srv/w app:1")
	e := r.do(t, rollsBack, fault)
	if fault == "" {
		if e.status != dropcap.ExitRolledBack ||
			!strings.Contains(e.err, "what the new one has written is kept") {
			t.Errorf("it says: %v", e)
		}
	} else {
		r.recover(t)
	}
	h := r.history(t)[0]
	if h.State != dropcap.RolledBack || len(h.Kept) != 1 || h.Retained() != h.Kept[0] {
		t.Fatalf("%s, kept %v: %s", h.State, h.Kept, h.Because)
	}
	if owner := r.owner(t, h, 1); owner.ID != r.old {
		t.Errorf("web is %.12s, and was %.12s", owner.ID, r.old)
	}
	name := strings.TrimPrefix(r.shell(t, "docker inspect --format '{{.Name}}' "+h.Kept[0]), "/")
	if !strings.Contains(h.Because, name) || fault == "" && !strings.Contains(e.err,
		"docker cp "+name+":PATH .") {
		t.Errorf("the name %s is not told: %s; %v", name, h.Because, e)
	}
	got := r.shell(t, "docker cp "+name+":/srv/w/log - | tar -xO")
	if !strings.Contains(got, "\n") {
		t.Errorf("what it has written reads %q", got)
	}
	if e := r.dropcap(t, "prune", "--older-than", "0s", "--yes"); e.status != dropcap.ExitOK {
		t.Error(e)
	}
	if all := r.list(t); len(all) != 1 || r.history(t)[0].Retained() != "" {
		t.Errorf("there are %d containers after a prune", len(all))
	}
}
