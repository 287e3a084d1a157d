package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
)

// box is a container of the scripted engine.
type box struct {
	id, name       string
	raw            map[string]any // its inspect
	policy         restartPolicy
	running, began bool
	lives          string // in which life of the provider of its namespaces it was started
	stored, links  []tie  // to others: as they were made, and as they are
	byHand         bool   // stopped by hand, which "unless-stopped" respects
	started        time.Time
	exit           int
	layer          ownLayer
}

// crashed is what an Executor panics with when dropcap dies.
type crashed struct{}

// scripted is an engine, a journal and a clock, with a fault at one effect. It follows the engine's
// rules that decide anything here: names are unique, a running container is not removed, one that
// was never started is not started at boot.
type scripted struct {
	t       *testing.T
	now     time.Time
	boxes   map[string]*box
	next    int
	changes []dropcap.Change // oldest first
	keep    map[string]map[string]json.RawMessage
	fault   fault
	fired   bool
	// excused is set if the engine was started anew while nothing was dropcap's to start: what that
	// has left down stays down.
	excused bool
	late    []late // what goes on in the engine after dropcap died
	log     []string
	most    int    // how many of ours ran at once, at most
	full    string // the note from which on the disk is full
	isFull  bool
	steal   string // the effect at which somebody takes the name
	// what is in the layers of all containers, as the engine tells it; empty is nothing
	written string
	idFile  string // what the file of docker run --cidfile holds
	sick    bool   // whoever lacks a capability ends as soon as it is looked at
	// exit statuses of a new container that was started again each time; it runs
	ended    []int
	boots    int                       // of the host
	broken   string                    // the effect that the engine's disk does not take
	removed  []string                  // ids of those that had run
	discards bool                      // layers are not carried along
	doomed   bool                      // somebody has removed all that held the data
	down     time.Time                 // until then the engine does not answer
	wish     restartPolicy             // of the original
	project  *project                  // of compose, if that is what is changed
	made     map[string]any            // the original's inspect
	group    map[string]map[string]any // what the members of a group are like, by name
	gone     map[string]string         // names of containers that were removed, by id
	host     *hosted                   // the engine as a service of a host; nil: it is only asked
}

type late struct {
	at time.Time
	do func()
}

// fault is what goes wrong, at the first occasion of the effect.
type fault struct{ when, effect, how string }

func (f fault) String() string { return f.when + " " + f.effect + " " + f.how }

func (s *scripted) Do(_ context.Context, e dropcap.Effect) (dropcap.Result, error) {
	s.tick(time.Millisecond)
	s.work()
	s.log = append(s.log, e.Name)
	if len(s.log) > 5000 {
		s.t.Fatalf("it does not end: %v", s.log[len(s.log)-20:])
	}
	if s.strikes("before", e.Name) {
		switch s.fault.how {
		case "late": // dropcap dies, and what it asked for is done all the same
			s.late = append(s.late, late{s.now.Add(1500 * time.Millisecond), func() {
				_, _ = s.really(e)
			}})
			panic(crashed{})
		case "error":
			return dropcap.Result{Status: 500}, errors.New("a fault")
		case "hang":
			s.tick(s.runner().limit(e))
			return dropcap.Result{}, context.DeadlineExceeded
		}
		s.strike()
	}
	if s.now.Before(s.down) && asksEngine(e) {
		return dropcap.Result{}, errors.New("nobody listens there")
	}
	if s.host != nil && !s.host.up && e.Call() != nil {
		return dropcap.Result{}, errors.New("nobody listens there")
	}
	if e.Name == s.broken {
		return dropcap.Result{Status: 500}, errors.New("the disk has no room for it")
	}
	if e.IsNote() && (e.Name == s.full || s.isFull) && s.full != "" {
		s.isFull = true
		return dropcap.Result{}, errors.New("the disk is full")
	}
	if e.Name == s.steal { // somebody moves the new one away and takes its name
		s.find("web").name = "aside"
		s.next++
		id := fmt.Sprintf("%064x", s.next)
		s.boxes[id] = &box{id: id, name: "web", raw: s.made}
	}
	result, err := s.really(e)
	if s.strikes("after", e.Name) {
		switch s.fault.how {
		case "error":
			return dropcap.Result{Status: 500}, errors.New("a fault")
		case "hang":
			s.tick(s.runner().limit(e))
			return dropcap.Result{}, context.DeadlineExceeded
		}
		s.strike()
	}
	return result, err
}

func (s *scripted) strikes(when, effect string) bool {
	if s.fired || s.fault.when != when || s.fault.effect != effect {
		return false
	}
	s.fired = true
	return true
}

// strike is a crash, or somebody else at work.
func (s *scripted) strike() {
	open, _ := s.Unfinished(s.t.Context())
	s.excused = slices.Contains([]string{"power", "engine", "both"}, s.fault.how) &&
		(len(open) == 0 || !s.touched())
	switch s.fault.how {
	case "crash":
		panic(crashed{})
	case "power": // dropcap, engine and containers are gone; the engine comes back first
		s.tear()
		s.boot(false)
		panic(crashed{})
	case "engine": // the engine dies and is started again, dropcap lives
		s.boot(true)
	case "both":
		s.boot(true)
		panic(crashed{})
	case "prune": // somebody's nightly `docker container prune`
		for id, b := range s.boxes {
			if !b.running {
				delete(s.boxes, id)
				s.untie(b)
			}
		}
		s.doomed = len(s.boxes) == 0
	case "rename":
		if b := s.boxes[old]; b != nil {
			b.name = "somebody-renamed-it"
		}
	case "update": // whoever is retained may be started by the engine again
		for _, b := range s.boxes {
			if b.name != "web" && b.began {
				b.policy = restartPolicy{Name: "always"}
			}
		}
	case "start", "once":
		s.boxes[old].running, s.boxes[old].started = true, s.now
		s.work()
		s.boxes[old].running = s.fault.how == "start"
	}
}

// boot starts the engine again: containers are stopped, and started by their policies (moby
// daemon/daemon.go, restore).
func (s *scripted) boot(quick bool) {
	s.tick(time.Second)
	if s.host != nil {
		s.host.dies(!quick)
		if quick {
			s.down = s.now.Add(3 * time.Second)
		}
		return
	}
	for _, b := range s.boxes {
		was := b.running
		b.running = false
		again := b.policy.Name == "always" || b.policy.Name == "unless-stopped" && !b.byHand ||
			b.policy.Name == "on-failure" && was
		if b.began && again {
			b.running, b.started = true, s.now
		}
	}
	s.tieAll()
	s.enter()
	if quick {
		s.down = s.now.Add(3 * time.Second)
	}
	s.watch()
}

func (s *scripted) tick(d time.Duration) {
	s.now = s.now.Add(d)
	for len(s.late) > 0 && !s.now.Before(s.late[0].at) {
		l := s.late[0]
		s.late = s.late[1:]
		l.do()
	}
}

func (s *scripted) really(e dropcap.Effect) (dropcap.Result, error) {
	if s.project != nil {
		if result, err, done := s.project.do(s, e); done {
			return result, err
		}
	}
	switch action := e.Action.(type) {
	case *dropcap.Note:
		return dropcap.Result{}, s.write(*action)
	case *dropcap.Run:
		if s.host != nil {
			s.host.run(action.Args[0])
		}
		return dropcap.Result{}, nil
	case *dropcap.Reload:
		s.host.reload()
		return dropcap.Result{}, nil
	case *dropcap.File:
		if s.host != nil {
			return dropcap.Result{}, s.host.replace(*action)
		}
		if s.idFile != string(action.Was) {
			return dropcap.Result{}, errors.New("something else stands there")
		}
		s.idFile = string(action.Is)
		return dropcap.Result{}, nil
	case *dropcap.Carry, *dropcap.Compare, *dropcap.Sync:
		return s.layers(action)
	}
	defer s.watch()
	if e.Call().Path == "/info" {
		return dropcap.Result{Status: 200, Body: s.host.info()}, nil
	}
	parts := strings.Split(strings.Trim(e.Call().Path, "/"), "/")
	if parts[0] == "networks" {
		return dropcap.Result{Status: 200}, nil
	}
	if parts[0] == "events" {
		return s.events(e)
	}
	if e.Call().Path == "/containers/create" {
		return s.create(e)
	}
	b := s.find(parts[1])
	if b == nil {
		return refuse(404, "no such container", e.Call().Fine)
	}
	if e.Call().Method == "DELETE" {
		if b.running {
			return refuse(409, "cannot remove a running container", nil)
		}
		delete(s.boxes, b.id)
		s.untie(b)
		if b.began {
			s.removed = append(s.removed, b.id)
		}
		return dropcap.Result{Status: 204}, nil
	}
	return s.act(b, parts[2], e)
}

func (s *scripted) act(b *box, what string, e dropcap.Effect) (dropcap.Result, error) {
	switch what {
	case "json":
		return dropcap.Result{Status: 200, Body: s.inspect(b)}, nil
	case "changes":
		return dropcap.Result{Status: 200, Body: json.RawMessage(cmp.Or(s.written, "null"))}, nil
	case "stop":
		if !b.running {
			return dropcap.Result{Status: 304}, nil
		}
		b.running, b.byHand = false, true
	case "rename":
		if other := s.find(e.Call().Query["name"]); other != nil && other != b {
			return refuse(409, "the name is in use", nil)
		}
		b.name = e.Call().Query["name"]
	case "update":
		var u struct{ RestartPolicy restartPolicy }
		if err := json.Unmarshal(e.Call().Body, &u); err != nil {
			return dropcap.Result{Status: 400}, err
		}
		b.policy = u.RestartPolicy
	case "restart":
		if s.homeless(b) {
			b.running = false
			return refuse(500, "cannot join the namespace of a non running container", nil)
		}
		b.lives = s.life(b)
		if s.host == nil {
			b.running, b.started = true, s.now
			break
		}
		b.running, b.began, b.byHand, b.started = true, true, false, s.now
		s.host.restarted(b)
	case "start":
		if b.running {
			return dropcap.Result{Status: 304}, nil
		}
		if s.homeless(b) {
			return refuse(500, "cannot join the namespace of a non running container", nil)
		}
		b.lives = s.life(b)
		b.running, b.began, b.byHand, b.started = true, true, false, s.now
	}
	return dropcap.Result{Status: 204}, nil
}

func refuse(status int, why string, fine []int) (dropcap.Result, error) {
	if slices.Contains(fine, status) {
		return dropcap.Result{Status: status}, nil
	}
	return dropcap.Result{Status: status}, errors.New(why)
}

func (s *scripted) find(idOrName string) *box {
	if b := s.boxes[idOrName]; b != nil {
		return b
	}
	for _, b := range s.boxes {
		if b.name == idOrName {
			return b
		}
	}
	return nil
}

func (s *scripted) inspect(b *box) json.RawMessage {
	raw := maps.Clone(b.raw)
	raw["Id"], raw["Name"] = b.id, "/"+b.name
	host := maps.Clone(raw["HostConfig"].(map[string]any))
	host["RestartPolicy"] = b.policy
	host["Links"] = s.told(b)
	raw["HostConfig"] = host
	if drops, _ := host["CapDrop"].([]string); s.sick && len(drops) > 0 && b.running {
		b.running, b.exit = false, 1
	}
	status := "created"
	switch {
	case b.running:
		status = "running"
	case b.began:
		status = "exited"
	}
	raw["State"] = map[string]any{"Status": status, "Running": b.running, "StartedAt": b.started,
		"ExitCode": b.exit}
	if drops, _ := host["CapDrop"].([]string); len(drops) > 0 {
		raw["RestartCount"] = len(s.ended)
	}
	out, err := json.Marshal(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *scripted) runner() *Runner {
	return &Runner{
		Executor: s, Journal: s, Now: func() time.Time { return s.now },
		Sleep: func(_ context.Context, d time.Duration) { s.tick(d) },
		NewID: func() string { s.next++; return fmt.Sprintf("%012x", s.next) },
		Read: func(path string) ([]byte, error) {
			if s.host != nil {
				return s.host.Read(path)
			}
			return []byte(s.project.files[path]), nil
		},
		Boot: fmt.Sprint("boot ", s.boots),
	}
}
