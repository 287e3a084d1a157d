package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/source"
)

// project is a compose project of the scripted engine: its files, and compose.
type project struct {
	files map[string]string
	// ends is after how many of its requests compose ends in the middle, and dropcap with it; 0:
	// never.
	ends  int
	asked int
}

const (
	baseFile = "/srv/compose.yaml"
	moreFile = "/srv/more.yaml"
)

// projectFiles are three services in two files. Each service has a line.
var projectFiles = map[string]string{
	baseFile: "services:\n  web: {image: x}\n  db: {image: y}\n",
	moreFile: "services:\n  db: {labels: {a: b}}\n  log: {image: z}\n",
}

var projectScale = map[string]int{"web": 2, "db": 1, "log": 1}

// do does the effects that are about the project; false for all others.
func (p *project) do(s *scripted, e dropcap.Effect) (dropcap.Result, error, bool) {
	switch action := e.Action.(type) {
	case *dropcap.File:
		if p.files[action.Path] != string(action.Was) {
			return dropcap.Result{}, errors.New("something else stands there"), true
		}
		p.files[action.Path] = string(action.Is)
		return dropcap.Result{}, nil, true
	case *dropcap.Run:
		result, err := p.run(s, *action)
		return result, err, true
	case *dropcap.Call:
		switch {
		case action.Path == "/containers/json":
			return dropcap.Result{Status: 200, Body: p.list(s)}, nil, true
		case strings.HasPrefix(action.Path, "/images/"):
			return dropcap.Result{Status: 200, Body: json.RawMessage(`{"Config":{}}`)}, nil, true
		case strings.HasSuffix(action.Path, "/logs"):
			return dropcap.Result{Status: 200}, nil, true
		}
	}
	return dropcap.Result{}, nil, false
}

func labelsOf(b *box) map[string]string {
	labels, _ := b.raw["Config"].(map[string]any)["Labels"].(map[string]string)
	return labels
}

func (p *project) list(s *scripted) json.RawMessage {
	type listed struct {
		ID      string `json:"Id"`
		Names   []string
		State   string
		ImageID string
		Labels  map[string]string
	}
	var list []listed
	for _, b := range s.boxes {
		state := "exited"
		switch {
		case b.running:
			state = "running"
		case !b.began:
			state = "created"
		}
		list = append(list, listed{b.id, []string{"/" + b.name}, state, "sha256:1", labelsOf(b)})
	}
	slices.SortFunc(list, func(a, b listed) int { return strings.Compare(a.ID, b.ID) })
	out, err := json.Marshal(list)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// drops reports whether texts say that a service drops NET_RAW.
func drops(files []dropcap.Copy, service string) bool {
	for _, f := range files {
		for line := range strings.Lines(string(f.Text)) {
			if strings.HasPrefix(line, "  "+service+":") && strings.Contains(line, "NET_RAW") {
				return true
			}
		}
	}
	return false
}

func (b *box) drops() bool {
	list, _ := b.raw["HostConfig"].(map[string]any)["CapDrop"].([]string)
	return len(list) > 0
}

// run is compose: up, or a rehearsal of it, of the services that its last arguments name.
func (p *project) run(s *scripted, r dropcap.Run) (dropcap.Result, error) {
	at := slices.Index(r.Args, "--pull")
	var services []string
	for rest := r.Args[at+2:]; len(rest) > 0; rest = rest[1:] {
		if rest[0] == "--scale" {
			rest = rest[1:]
			continue
		}
		services = append(services, rest[0])
	}
	rehearsal, said := slices.Contains(r.Args, "--dry-run"), ""
	p.asked = 0
	for _, service := range services {
		for _, b := range p.of(s, service) {
			switch {
			case b.drops() != drops(r.Copies, service), p.moved(s, r, services, b, rehearsal):
				said += "Container " + b.name + " Recreate\n"
				if !rehearsal {
					if err := p.again(s, r, b); err != nil {
						return failedRun(err), nil
					}
				}
			case !b.running && !rehearsal:
				if err := p.start(s, r, b); err != nil {
					return failedRun(err), nil
				}
			default:
				said += "Container " + b.name + " Running\n"
			}
		}
	}
	text, _ := json.Marshal(said)
	return dropcap.Result{Body: text}, nil
}

// lodging is the service that each lives in, whose id is part of what compose compares.
var lodging = map[string]string{"log": "db"}

// provider is the container that a service lives in by now; nil if in none.
func (p *project) provider(s *scripted, service string) *box {
	if list := p.of(s, lodging[service]); len(list) > 0 {
		return list[0]
	}
	return nil
}

// moved reports whether what a container lives in is another one, or is about to be.
func (p *project) moved(s *scripted, r dropcap.Run, services []string, b *box,
	rehearsal bool) bool {
	service := labelsOf(b)["com.docker.compose.service"]
	in := p.provider(s, service)
	if in == nil {
		return false
	}
	of, _ := s.provider(b)
	return of != in || rehearsal && slices.Contains(services, lodging[service]) &&
		in.drops() != drops(r.Copies, lodging[service])
}

func (p *project) start(s *scripted, r dropcap.Run, b *box) error {
	if s.homeless(b) {
		return errors.New("cannot join the namespace of a non running container")
	}
	return p.ask(s, r, "POST", "/containers/"+b.id+"/start", func() { s.turnOn(b) })
}

func failedRun(err error) dropcap.Result {
	text, _ := json.Marshal("Error response from daemon: " + err.Error())
	return dropcap.Result{Status: 1, Body: text}
}

// of are the containers of a service, by number; of two of one number, the newer is what compose
// goes on with.
func (p *project) of(s *scripted, service string) (list []*box) {
	byNumber := map[string]*box{}
	for _, b := range s.boxes {
		l := labelsOf(b)
		if l["com.docker.compose.service"] != service {
			continue
		}
		n := l["com.docker.compose.container-number"]
		if had := byNumber[n]; had == nil || had.id < b.id {
			byNumber[n] = b
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		list = append(list, byNumber[n])
	}
	return list
}

// ask is a request of compose's, by the gatekeeper's leave.
func (p *project) ask(s *scripted, r dropcap.Run, method, path string, do func()) error {
	if p.asked++; p.ends > 0 && p.asked > p.ends {
		panic(crashed{})
	}
	if _, err := r.Engine.Ask(context.Background(), method, path, nil); err != nil {
		return err
	}
	s.tick(10 * time.Millisecond)
	do()
	s.watch()
	return nil
}

func (s *scripted) turnOn(b *box) {
	if !b.running {
		b.running, b.began, b.byHand, b.started = true, true, false, s.now
		b.lives = s.life(b)
	}
}

// again makes a container in the place of another as compose does: the new one under an interim
// name, the old one stopped and removed, the name, the start.
func (p *project) again(s *scripted, r dropcap.Run, b *box) error {
	labels := maps.Clone(labelsOf(b))
	labels["com.docker.compose.replace"] = b.id
	body, err := json.Marshal(map[string]any{"Labels": labels})
	if err != nil {
		return err
	}
	if p.asked++; p.ends > 0 && p.asked > p.ends {
		panic(crashed{})
	}
	if _, err := r.Engine.Ask(context.Background(), "POST", toCreate, body); err != nil {
		return err
	}
	s.next++
	name := "shop-" + labels["com.docker.compose.service"] + "-" +
		labels["com.docker.compose.container-number"]
	fresh := &box{id: fmt.Sprintf("f%011x%052x", s.next, 7), name: b.id[:12] + "_" + name,
		policy: b.policy}
	service := labels["com.docker.compose.service"]
	fresh.raw = s.raw(labels, drops(r.Copies, service), p.provider(s, service))
	s.boxes[fresh.id] = fresh
	answer, _ := json.Marshal(map[string]string{"Id": fresh.id})
	if err := r.Engine.Answered(context.Background(), "POST", toCreate, 201, answer); err != nil {
		return err
	}
	for _, one := range []struct {
		method, path string
		do           func()
	}{
		{"POST", "/containers/" + b.id + "/stop", func() { b.running, b.byHand = false, true }},
		{"DELETE", "/containers/" + b.id, func() { delete(s.boxes, b.id) }},
		{"POST", "/containers/" + fresh.id + "/rename", func() { fresh.name = name }},
	} {
		if err := p.ask(s, r, one.method, one.path, one.do); err != nil {
			return err
		}
	}
	return p.start(s, r, fresh)
}

// raw is the inspect of a container with labels, in the network of another one or none's.
func (s *scripted) raw(labels map[string]string, drop bool, in *box) map[string]any {
	raw := maps.Clone(s.made)
	config, host := maps.Clone(raw["Config"].(map[string]any)),
		maps.Clone(raw["HostConfig"].(map[string]any))
	config["Labels"], host["CapDrop"] = labels, []string(nil)
	if drop {
		host["CapDrop"] = []string{"NET_RAW"}
	}
	if in != nil {
		host["NetworkMode"] = "container:" + in.id
		raw["NetworkSettings"] = map[string]any{"Networks": map[string]any{}}
	}
	raw["Config"], raw["HostConfig"] = config, host
	return raw
}

// projectStage is an engine with the project, and the job that changes all of it.
func projectStage(t *testing.T, services ...string) (*scripted, Job) {
	t.Helper()
	s, j := stage(t, "always", true)
	delete(s.boxes, old)
	s.project = &project{files: maps.Clone(projectFiles)}
	s.made["HostConfig"].(map[string]any)["ContainerIDFile"] = ""
	for i, service := range []string{"web", "db", "log"} {
		for n := 1; n <= projectScale[service]; n++ {
			b := &box{
				id: fmt.Sprintf("0%d%d%061x", i, n, 0xabc), name: fmt.Sprintf("shop-%s-%d", service,
					n), policy: s.wish,
				running: true, began: true, started: s.now.Add(-time.Hour),
			}
			b.raw = s.raw(map[string]string{
				"com.docker.compose.project": "shop", "com.docker.compose.service": service,
				"com.docker.compose.container-number": strconv.Itoa(n),
			}, false, s.project.provider(s, service))
			b.lives = s.life(b)
			s.boxes[b.id] = b
		}
	}
	return s, s.projectJob(t, j, services...)
}

func (s *scripted) projectJob(t *testing.T, j Job, services ...string) Job {
	t.Helper()
	c := &Compose{
		Project: source.Project{Name: "shop", Service: services[0], Dir: "/srv",
			Files: []string{baseFile, moreFile}},
		Program: []string{"/usr/bin/docker", "compose"},
	}
	is := j.Step.Before
	is.CapDrop = []string{"NET_RAW"}
	j.Others, j.Step.After, j.Step.Strategy = nil, is, dropcap.StrategySource
	if slices.Contains(services, "db") && !slices.Contains(services, "log") {
		services = append(slices.Clone(services), "log")
	}
	asked := len(services)
	if joins := len(services) > 1 && services[0] == "db"; joins {
		asked = 1
	}
	for i, service := range services {
		was, is := j.Step.Before, is
		if i >= asked { // it only lives in the other's namespaces
			if is = was; s.project.of(s, service)[0].drops() {
				is.CapDrop = []string{"NET_RAW"}
			}
			was = is
		}
		one := &Service{
			Wanted: source.Wanted{Service: service,
				Declaration: source.Declaration{Was: was, Is: is}},
			Replicas: projectScale[service],
		}
		for _, b := range s.project.of(s, service) {
			raw := s.inspect(b)
			one.Members = append(one.Members, raw)
			if service == services[0] && len(one.Members) == 1 {
				j.Original.Inspect = raw
				j.Recipe = reread(t, j.Original)
				j.Step.Container = dropcap.Target{ID: b.id, Name: b.name}
				j.Step.Workload = "compose:shop/" + service
				continue
			}
			j.Others = append(j.Others, dropcap.ChangedContainer{
				Workload: "compose:shop/" + service, Name: b.name, Before: b.id, Was: was, Is: is,
			})
		}
		c.Services = append(c.Services, one)
	}
	for _, path := range c.Project.Files {
		c.Given.Files = append(c.Given.Files,
			source.File{Path: path, Text: []byte(s.project.files[path])})
	}
	var err error
	if c.Files, err = source.Edit(c.Given.Files, c.Wanted()); err != nil {
		t.Fatal(err)
	}
	j.Source = &Source{Compose: c}
	return j
}
