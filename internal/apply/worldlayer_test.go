package apply

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"dropcap"
)

// ownLayer is the writable layer of a box.
type ownLayer struct {
	files    map[string]string
	unsynced bool // a loss of power tears it
}

// precious is what the original holds in its layer, which nobody may lose.
const precious = "what nobody may lose"

// asksEngine reports whether an effect needs the engine.
func asksEngine(e dropcap.Effect) bool {
	switch e.Action.(type) {
	case *dropcap.Call, *dropcap.Carry, *dropcap.Compare, *dropcap.Sync:
		return true
	}
	return false
}

// work is what containers do while they run: each writes one line more into its layer.
func (s *scripted) work() {
	for _, b := range s.boxes {
		if b.running && b.layer.files != nil {
			b.layer.files["log"] += b.id[len(b.id)-2:] + "\n"
		}
	}
}

// tear is what a loss of power does to what was written and not brought to the disk.
func (s *scripted) tear() {
	s.boots++
	for _, b := range s.boxes {
		if b.layer.unsynced {
			b.layer = ownLayer{files: map[string]string{"data": "torn"}}
		}
	}
}

// layers does what the host does to layers.
func (s *scripted) layers(action dropcap.Action) (dropcap.Result, error) {
	gone := errors.New("no such container")
	switch a := action.(type) {
	case *dropcap.Carry:
		from, to := s.boxes[a.From], s.boxes[a.To]
		if from == nil || to == nil {
			return dropcap.Result{}, gone
		}
		if a.To == old {
			s.t.Error("the old container's layer was written to")
		}
		if to.running || a.Final && from.running && s.fault.how != "start" &&
			s.fault.how != "engine" {
			s.t.Errorf("a layer is carried for good while a container runs: from %v, to %v",
				from.running, to.running)
		}
		to.layer = ownLayer{files: maps.Clone(from.layer.files), unsynced: true}
	case *dropcap.Sync:
		if s.boxes[a.Container] == nil {
			return dropcap.Result{}, gone
		}
		s.boxes[a.Container].layer.unsynced = false
	case *dropcap.Compare:
		body := s.written
		if body == "" {
			body = "null"
		}
		return dropcap.Result{Status: 200, Body: json.RawMessage(body)}, nil
	}
	return dropcap.Result{Status: 200}, nil
}

// checkLayer holds that whoever owns the name has all that was written before it, whatever
// happened.
func (s *scripted) checkLayer(t *testing.T, web *box) {
	t.Helper()
	if s.discards || s.doomed {
		return
	}
	if web.layer.files["data"] != precious {
		t.Errorf("the data in web's layer are %q", web.layer.files["data"])
	}
	if was := s.boxes[old]; was != nil && was != web && !strings.HasPrefix(web.layer.files["log"],
		was.layer.files["log"]) {
		t.Errorf("what the old one wrote last is lost: web has %q, the old one %q",
			web.layer.files["log"], was.layer.files["log"])
	}
}
