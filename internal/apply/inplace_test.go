package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

const (
	daemonFile = "/etc/docker/daemon.json"
	webFile    = "/var/lib/docker/containers/web/hostconfig.json"
	bystander  = "0d0e000000000000000000000000000000000000000000000000000000000000"
)

// outlives are the effects that others may have when dropcap is dead.
var outlives = regexp.MustCompile("^(stop|start|reload)-engine|^restart-")

// longAgo is when the other container was started.
var longAgo = time.Date(2026, 7, 1, 11, 0, 0, 0, time.UTC)

// hosted is an engine as a service of a host: it can be stopped, and reads files when it starts. It
// follows the engine's rules that decide anything here: a stop, and a start, ends containers unless
// live-restore is on; a reload changes only what the file speaks of.
type hosted struct {
	s        *scripted
	up, live bool
	deaf     bool // it refuses to take its configuration over
	files    map[string][]byte
	ran      map[string]string // by container, with which lists it was started last
}

func (h *hosted) Read(path string) ([]byte, error) {
	text, ok := h.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return text, nil
}

func (h *hosted) replace(f dropcap.File) error {
	now, ok := h.files[f.Path]
	switch {
	case ok == f.Missing, ok && !bytes.Equal(now, f.Was):
		return errors.New("somebody has changed it meanwhile")
	case f.Remove:
		delete(h.files, f.Path)
	default:
		h.files[f.Path] = f.Is
	}
	return nil
}

// configured is what the engine's file says of live-restore.
func (h *hosted) configured() (on, set bool) {
	var c map[string]any
	_ = json.Unmarshal(h.files[daemonFile], &c)
	on, set = c["live-restore"].(bool)
	return on, set
}

func (h *hosted) reload() {
	if on, set := h.configured(); set && h.up && !h.deaf {
		h.live = on
	}
}

func (h *hosted) info() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"LiveRestoreEnabled":%v}`, h.live))
}

func (h *hosted) run(program string) {
	switch program {
	case "stop-it":
		if h.up && !h.live {
			h.endAll()
		}
		h.up = false
	case "start-it":
		if !h.up {
			h.start()
		}
	}
}

func (h *hosted) endAll() {
	for _, b := range h.s.boxes {
		b.running = false
	}
}

func (h *hosted) start() {
	h.up = true
	if h.live, _ = h.configured(); !h.live {
		h.endAll()
	}
	var lists struct{ CapAdd, CapDrop []string }
	if err := json.Unmarshal(h.files[webFile], &lists); err != nil {
		h.s.t.Fatal(err)
	}
	web := h.s.boxes[old]
	host := maps.Clone(web.raw["HostConfig"].(map[string]any))
	host["CapAdd"], host["CapDrop"] = lists.CapAdd, lists.CapDrop
	web.raw = maps.Clone(web.raw)
	web.raw["HostConfig"] = host
	for _, b := range h.s.boxes {
		if !b.running && b.policy.Name == "always" {
			b.running, b.started = true, h.s.now
			h.restarted(b)
		}
	}
}

func (h *hosted) restarted(b *box) {
	h.ran[b.id] = fmt.Sprint(b.raw["HostConfig"].(map[string]any)["CapDrop"])
}

// dies is the end of the engine, with all containers or without, and its start by the host.
func (h *hosted) dies(power bool) {
	if power {
		h.endAll()
	}
	if h.up || power {
		h.start()
	}
}

// inPlaceStage is a host with the container, another one, and the job to change it in place.
func inPlaceStage(t *testing.T, daemon string) (*scripted, Job) {
	t.Helper()
	s, j := stage(t, "always", true)
	h := &hosted{s: s, up: true, files: map[string][]byte{}, ran: map[string]string{}}
	s.host = h
	s.boxes[bystander] = &box{id: bystander, name: "other", raw: s.made, policy: s.wish,
		running: true, began: true, started: longAgo}
	host := s.made["HostConfig"].(map[string]any)
	text, err := json.Marshal(map[string]any{"CapAdd": host["CapAdd"], "CapDrop": host["CapDrop"],
		"Privileged": false})
	if err != nil {
		t.Fatal(err)
	}
	h.files[webFile] = text
	if daemon != "" {
		h.files[daemonFile] = []byte(daemon)
	}
	h.restarted(s.boxes[old])
	j.Step.Strategy = dropcap.StrategyInPlace
	j.InPlace = &InPlace{File: webFile, Stop: []string{"stop-it"}, Start: []string{"start-it"},
		Survive: true, Switch: true, Config: daemonFile}
	return s, j
}

// settleInPlace is settle, on a host whose engine may have been left stopped.
func settleInPlace(t *testing.T, s *scripted) {
	t.Helper()
	if !s.host.up {
		start, err := InPlacePending(t.Context(), s)
		if err != nil || start == nil {
			t.Fatalf("the engine is stopped, and nobody knows how to start it: %v", err)
		}
		s.host.run(start[0])
	}
	s.settle(t)
}

// Whatever goes wrong at whichever effect of a change in place for which live-restore is lent: the
// engine's configuration is as it was to the byte, it runs, no other container was stopped, and the
// container runs with the old or the new lists, as the journal says.
func TestInPlaceWhateverGoesWrongWhereverItDoes(t *testing.T) {
	daemons := map[string]string{"missing": "", "others": `{"dns": ["1.1.1.1"]}` + "\n",
		"off": `{"live-restore":false}`}
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
	}{{"forth", forth}, {"failing", failing}, {"back", andBack}} {
		for name, daemon := range daemons {
			s, j := inPlaceStage(t, daemon)
			way.do(s, j)
			s.sick = false
			checkInPlace(t, s, daemon, true)
			effects := slices.Compact(slices.Sorted(slices.Values(s.log)))
			for _, must := range []string{"note-live-restore", "write-config", "reload-engine",
				"unset-config", "reload-engine-off"} {
				if !slices.Contains(effects, must) && (must != "unset-config" ||
					daemon != daemons["off"]) {
					t.Errorf("%s %s: no %s in %v", way.name, name, must, s.log)
				}
			}
			for _, effect := range effects {
				for _, how := range []string{"crash", "late", "error", "hang", "power", "engine",
					"both"} {
					if how != "crash" && name != "others" && os.Getenv("DROPCAP_TEST_FULL") == "" {
						continue
					}
					for _, when := range []string{"before", "after"} {
						if how == "late" && (when == "after" || !outlives.MatchString(effect)) {
							// what is dead writes nothing
							continue
						}
						f := fault{when, effect, how}
						t.Run(way.name+" "+name+" "+f.String(), func(t *testing.T) {
							strikeInPlace(t, f, daemon, way.do)
						})
					}
				}
			}
		}
	}
}

func strikeInPlace(t *testing.T, f fault, daemon string, do func(*scripted, Job)) {
	s, j := inPlaceStage(t, daemon)
	s.fault = f
	survives(func() { do(s, j) })
	s.sick = false
	settleInPlace(t, s)
	checkInPlace(t, s, daemon, f.how != "power" && f.how != "engine" && f.how != "both")
}

func checkInPlace(t *testing.T, s *scripted, daemon string, undisturbed bool) {
	t.Helper()
	h, web, other := s.host, s.boxes[old], s.boxes[bystander]
	if open, _ := s.Unfinished(t.Context()); len(open) > 0 {
		t.Errorf("the journal does not say how it ended: %s", open[0].State)
	}
	if len(s.changes) > 0 && s.changes[0].State == dropcap.NeedsPerson {
		t.Errorf("a person is needed: %s", s.changes[0].Because)
	}
	if now, ok := h.files[daemonFile]; ok != (daemon != "") || string(now) != daemon {
		t.Errorf("the engine's configuration is %q, was %q", now, daemon)
	}
	if !h.up || h.live {
		t.Errorf("the engine runs: %v, with live-restore: %v", h.up, h.live)
	}
	if !web.running || !other.running {
		t.Errorf("web runs: %v, the other: %v", web.running, other.running)
	}
	if undisturbed && !other.started.Equal(longAgo) {
		t.Error("the other container was stopped")
	}
	applied := len(s.changes) > 0 && s.changes[len(s.changes)-1].State == dropcap.Applied
	if declared := bytes.Contains(h.files[webFile], []byte("NET_RAW")); declared != applied {
		t.Errorf("the journal says applied: %v, and the file has the new lists: %v", applied,
			declared)
	}
	if holds := strings.Contains(h.ran[old], "NET_RAW"); holds != applied {
		t.Errorf("the journal says applied: %v, and it was started with the new lists: %v", applied,
			holds)
	}
}

// A file that somebody changes while live-restore is lent is his.
func TestInPlaceLeavesAConfigurationThatSomebodyChanged(t *testing.T) {
	s, j := inPlaceStage(t, "{}")
	r := s.runner()
	const his = `{"debug":true}`
	r.Tell = func(p Progress) {
		if p.Effect.Name == "start-engine" && p.Ended {
			s.host.files[daemonFile] = []byte(his)
		}
	}
	o := r.Apply(t.Context(), []Job{j}, false)[0]
	if o.Err != nil || o.Change.State != dropcap.Applied || !strings.Contains(o.Change.Because,
		"somebody has changed "+daemonFile) {
		t.Errorf("%v: %s %s", o.Err, o.Change.State, o.Change.Because)
	}
	if got := string(s.host.files[daemonFile]); got != his {
		t.Errorf("the file is %s", got)
	}
}

// An engine that does not take the file over is not stopped.
func TestInPlaceStopsNoEngineThatStaysWithoutLiveRestore(t *testing.T) {
	s, j := inPlaceStage(t, "{}")
	s.host.deaf = true
	o := s.runner().Apply(t.Context(), []Job{j}, false)[0]
	if dropcap.ExitOf(o.Err) != dropcap.ExitRolledBack || !strings.Contains(o.Err.Error(),
		"live-restore") {
		t.Errorf("%s: %v", o.Change.State, o.Err)
	}
	if slices.Contains(s.log, "stop-engine") {
		t.Error("it was stopped")
	}
	checkInPlace(t, s, "{}", true)
}
