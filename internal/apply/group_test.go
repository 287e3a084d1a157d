package apply

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/recreate"
)

// whose is the name that a container of a group bears, or will bear, or has borne.
func (s *scripted) whose(b *box) string {
	if s.group == nil {
		return ""
	}
	name, _, _ := strings.Cut(b.name, "-dropcap-")
	return name
}

// watch counts who runs.
func (s *scripted) watch() {
	n := map[string]int{}
	for _, b := range s.boxes {
		if b.running {
			n[s.whose(b)]++
			s.most = max(s.most, n[s.whose(b)])
		}
	}
}

// template is what a created container is like, beside what the request says.
func (s *scripted) template(e dropcap.Effect) map[string]any {
	name, _, _ := strings.Cut(e.Call().Query["name"], "-dropcap-")
	if made := s.group[name]; made != nil {
		return made
	}
	return s.made
}

// provider is the container in whose namespaces one lives; nil if in its own.
func (s *scripted) provider(b *box) (of *box, shares bool) {
	mode, _ := b.raw["HostConfig"].(map[string]any)["NetworkMode"].(string)
	id, shares := strings.CutPrefix(mode, "container:")
	if !shares {
		return nil, false
	}
	return s.find(id), true
}

// homeless reports whether a container cannot be started, since what it lives in, or links to, does
// not run.
func (s *scripted) homeless(b *box) bool {
	of, shares := s.provider(b)
	return shares && (of == nil || !of.running) || slices.ContainsFunc(b.links, func(l tie) bool {
		return s.boxes[l.to] == nil || !s.boxes[l.to].running
	})
}

// tie is a legacy link: the name or id that it was made with, and the id that it leads to.
type tie struct{ said, alias, to string }

// told are a container's links as the engine tells them.
func (s *scripted) told(b *box) (list []string) {
	for _, l := range b.links {
		name := s.gone[l.to]
		if to := s.boxes[l.to]; to != nil {
			name = to.name
		}
		list = append(list, "/"+name+":/"+b.name+"/"+l.alias)
	}
	return list
}

// untie is the end of a container. Links to it stay, with the name that it had.
func (s *scripted) untie(gone *box) {
	if s.gone == nil {
		s.gone = map[string]string{}
	}
	s.gone[gone.id] = gone.name
}

// tieAll is a start of the engine, which ties all links anew by what they were made with.
func (s *scripted) tieAll() {
	for _, b := range s.boxes {
		b.links = nil
		for _, l := range b.stored {
			if to := s.find(l.said); to != nil {
				b.links = append(b.links, tie{l.said, l.alias, to.id})
			}
		}
	}
}

// life names the life of what a container lives in.
func (s *scripted) life(b *box) string {
	of, _ := s.provider(b)
	if of == nil {
		return ""
	}
	return fmt.Sprint(of.id, of.started)
}

// enter is the engine's start of those in others' namespaces, which it does in no order: where the
// other is not there yet, they stay down (moby daemon/container_operations.go,
// getNetworkedContainer).
func (s *scripted) enter() {
	for _, b := range s.boxes {
		if _, shares := s.provider(b); shares && b.running {
			b.running = false
		}
	}
}

const (
	db  = "0db0000000000000000000000000000000000000000000000000000000000000"
	job = "70b0000000000000000000000000000000000000000000000000000000000000"
	app = "a000000000000000000000000000000000000000000000000000000000000000"
)

// household are the containers of a group, each with its id.
var household = map[string]string{"web": old, "db": db, "job": job, "app": app}

// groupStage is web, which provides its namespaces to db, by its id, and job, by its name, and to
// which app links. db loses a capability as well.
func groupStage(t *testing.T, policy string, jobRuns bool) (*scripted, Job) {
	t.Helper()
	s, j := stage(t, policy, true)
	s.group = map[string]map[string]any{}
	j.Members = []Job{s.member(t, db, "db", "container:"+old, true, true),
		s.member(t, job, "job", "container:web", jobRuns, false),
		s.member(t, app, "app", "", true, false)}
	return s, j
}

func (s *scripted) member(t *testing.T, id, name, mode string, runs, drops bool) Job {
	t.Helper()
	text, err := os.ReadFile("../recreate/testdata/docker20.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recreate.Original
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	o := all["partner"]
	o.Others, o.Sharers, o.Linkers = nil, nil, nil
	var made map[string]any
	if err := json.Unmarshal(o.Inspect, &made); err != nil {
		t.Fatal(err)
	}
	delete(made["Config"].(map[string]any), "Healthcheck")
	host := made["HostConfig"].(map[string]any)
	host["NetworkMode"], host["PidMode"], host["IpcMode"] = mode, mode, mode
	s.group[name] = made
	b := &box{id: id, name: name, raw: made, policy: s.wish, running: runs, began: true,
		started: s.now.Add(-50 * time.Minute)}
	if mode == "" { // it links
		host["NetworkMode"], host["PidMode"], host["IpcMode"] = "bridge", "", "private"
		b.links = []tie{{"web", "other", old}}
		b.stored = slices.Clone(b.links)
	}
	b.lives = s.life(b)
	s.boxes[id] = b
	o.Inspect = s.inspect(b)
	recipe := reread(t, o)
	was := recipe.Grant()
	is := was
	if drops {
		is.CapDrop = append(slices.Clone(was.CapDrop), "NET_RAW")
	}
	return Job{Original: o, Recipe: recipe, Step: dropcap.Step{
		Container: dropcap.Target{ID: id, Name: name}, Workload: "docker:" + name,
		Strategy: dropcap.StrategyRecreate, Before: was, After: is}}
}

// said is which container has a name by the journal; empty without an entry.
func (s *scripted) said(name string) string {
	if len(s.changes) == 0 {
		return ""
	}
	last := s.changes[len(s.changes)-1]
	for _, c := range last.Containers() {
		if c.Name == name && last.State == dropcap.Applied {
			return c.After
		} else if c.Name == name {
			return c.Before
		}
	}
	return ""
}

// checkGroup holds the rules that hold whatever happened: all are the old ones, or all are the new
// ones, and they reach each other.
func (s *scripted) checkGroup(t *testing.T, jobRuns bool) {
	t.Helper()
	if s.most > 1 {
		t.Errorf("old and new of one ran at once")
	}
	if open, _ := s.Unfinished(t.Context()); len(open) > 0 {
		t.Errorf("the journal does not say how it ended: %s", open[0].State)
	}
	applied := false
	if len(s.changes) > 0 {
		last := s.changes[len(s.changes)-1]
		applied = last.State == dropcap.Applied
		if last.State == dropcap.NeedsPerson {
			t.Errorf("it needs a person: %s", last.Because)
		}
	}
	for name, id := range household {
		b := s.find(name)
		if b == nil || b.name != name {
			t.Fatalf("nobody is called %s: %s", name, s.names())
		}
		if b.running != (name != "job" || jobRuns) {
			t.Errorf("%s runs: %v", name, b.running)
		}
		if !b.policy.same(s.wish) {
			t.Errorf("%s has the policy %v", name, b.policy)
		}
		if is := s.said(name); b.id != is && (is != "" || b.id != id) {
			t.Errorf("the journal says applied: %v, and %s is %s, not %s", applied, name,
				short(b.id), short(is))
		}
		if drops := strings.Contains(string(s.inspect(b)), "NET_RAW"); drops != (applied &&
			(name == "web" || name == "db")) {
			t.Errorf("the journal says applied: %v, and %s has the new declaration: %v", applied,
				name, drops)
		}
		if of, shares := s.provider(b); shares && (of == nil || of.name != "web" ||
			b.running && b.lives != s.life(b)) {
			t.Errorf("%s is not in the namespaces of the web that runs: %v", name,
				b.raw["HostConfig"].(map[string]any)["NetworkMode"])
		}
		if name == "app" && (len(b.links) != 1 || b.links[0].to != s.find("web").id) {
			t.Errorf("app is linked to %v, %v", s.told(b), b.links)
		}
	}
	for _, b := range s.boxes {
		if household[b.name] != "" {
			continue
		}
		if b.running || b.began && !b.policy.never() {
			t.Errorf("%s could run at the next boot, or does", b.name)
		}
		if !applied && s.written == "" {
			t.Errorf("%s was left behind", b.name)
		}
	}
}

// A container and what lives in its namespaces are changed as one, and taken back as one, whatever
// goes wrong at whichever effect.
func TestGroupWhateverGoesWrongWhereverItDoes(t *testing.T) {
	for _, way := range []struct {
		name string
		do   func(*scripted, Job)
		ends dropcap.ChangeState
	}{{"forth", forth, dropcap.Applied}, {"failing", failing, dropcap.RolledBack},
		{"back", andBack, dropcap.BackedOut}, {"restarted", restarted, dropcap.BackedOut}} {
		s, j := groupStage(t, "always", true)
		way.do(s, j)
		s.sick = false
		if list, _ := s.Changes(t.Context()); list[0].State != way.ends {
			t.Fatalf("%s: it ends %s: %s", way.name, list[0].State, list[0].Because)
		}
		s.checkGroup(t, true)
		effects := slices.Compact(slices.Sorted(slices.Values(s.log)))
		for _, must := range []string{"create-new-2", "stop-old-3", "start-new-2"} {
			if !slices.Contains(effects, must) {
				t.Errorf("%s: no %s in %v", way.name, must, s.log)
			}
		}
		for _, effect := range effects {
			if way.name == "restarted" && os.Getenv("DROPCAP_TEST_FULL") == "" &&
				!linking.MatchString(effect) {
				continue // as when it goes back
			}
			for n, how := range []string{"crash", "late", "error", "hang", "power", "engine",
				"both", "prune"} {
				if os.Getenv("DROPCAP_TEST_FULL") == "" &&
					slices.Contains([]string{"hang", "engine", "power"}, how) {
					continue
				}
				for i, when := range []string{"before", "after"} {
					if os.Getenv("DROPCAP_TEST_FULL") == "" && alike.MatchString(effect) &&
						(how != "crash" || when == "before") {
						continue
					}
					if os.Getenv("DROPCAP_TEST_FULL") == "" && how != "crash" && (n+i)%2 > 0 {
						continue // a part of them, since they are many
					}
					if how == "late" && (when == "after" || strings.HasPrefix(effect, "note-")) {
						continue
					}
					f := fault{when, effect, how}
					t.Run(way.name+" "+f.String(), func(t *testing.T) { strikeGroup(t, f, way.do) })
				}
			}
		}
	}
}

// linking are the effects of making one again whose links led elsewhere.
var linking = regexp.MustCompile("linked|stray|made-again")

// alike are the effects of members that are done as those of the last one.
var alike = regexp.MustCompile("-[23]$")

func strikeGroup(t *testing.T, f fault, do func(*scripted, Job)) {
	policy := "always"
	if f.how == "crash" {
		policy = "unless-stopped"
	}
	s, j := groupStage(t, policy, true)
	s.fault = f
	survives(func() { do(s, j) })
	s.sick = false
	s.settle(t)
	if s.excused {
		s.again()
	}
	s.checkGroup(t, true)
}

// again starts what the engine could not, as a person would.
func (s *scripted) again() {
	for range s.boxes {
		for _, b := range s.boxes {
			if !b.running && b.began && !b.policy.never() && !s.homeless(b) {
				s.turnOn(b)
			}
		}
	}
}

// restarted is andBack, with a start of the engine between them: it ties links anew.
func restarted(s *scripted, j Job) {
	forth(s, j)
	list, _ := s.Changes(s.t.Context())
	if len(list) > 0 && list[0].State == dropcap.Applied {
		s.boot(false)
		s.again()
		s.runner().Backout(s.t.Context(), list[:1])
	}
}

// One that did not run is changed with the others, and not started.
func TestGroupWithOneThatDoesNotRun(t *testing.T) {
	s, j := groupStage(t, "always", false)
	forth(s, j)
	s.checkGroup(t, false)
	list, _ := s.Changes(t.Context())
	if list[0].State != dropcap.Applied || len(list[0].Others) != 3 ||
		len(list[0].AllRetained()) != 4 {
		t.Errorf("%+v", list[0])
	}
	s.runner().Backout(t.Context(), list[:1])
	s.checkGroup(t, false)
}

// After a prune all old ones are made again, in the namespaces of each other.
func TestGroupIsTakenBackAfterAPrune(t *testing.T) {
	s, j := groupStage(t, "always", true)
	forth(s, j)
	s.tick(2 * time.Second)
	list, _ := s.Changes(t.Context())
	if o := s.runner().Prune(t.Context(), Prunable(list, s.now)); o[0].Err != nil ||
		len(s.boxes) != 4 {
		t.Fatalf("%v: %s", o[0].Err, s.names())
	}
	list, _ = s.Changes(t.Context())
	if o := s.runner().Backout(t.Context(), list[:1])[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	s.fault.how = "prune"
	s.checkGroup(t, true)
}
