package change_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// Every container of the corpus can be changed, loses nothing but a capability, and comes back byte
// for byte.
func TestCorpusIsChangedAndComesBack(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := corpusStage(t, kind)
			n := 0
			for _, c := range samples {
				if (full || c.short) && (c.only == "" || c.only == kind) {
					n++
					t.Run(c.name, func(t *testing.T) { s.changeAndBack(t, c) })
				}
			}
			if least := map[bool]int{true: 60, false: 8}[full]; n < least {
				t.Errorf("%d containers only", n)
			}
		})
	}
}

func corpusStage(t *testing.T, kind dockertest.Kind) *stage {
	t.Helper()
	s := newStage(t, kind, dockertest.Config("default-ulimits",
		map[string]any{"nofile": map[string]any{"Name": "nofile", "Hard": 2048, "Soft": 1024}}))
	s.importImage(t, "entry:1", `ENTRYPOINT ["/serve", "--entry"]`, `CMD ["--image"]`,
		"ENV FROM=image", "LABEL of=image", "EXPOSE 80")
	s.importImage(t, "health:1", `CMD ["/serve"]`, "ENV PATH=/bin",
		"HEALTHCHECK --interval=1s --retries=5 CMD wget -qO- http://127.0.0.1/ >/dev/null")
	s.importImage(t, "volume:1", `CMD ["/serve"]`, "ENV PATH=/bin", `VOLUME ["/kept", "/kept too"]`)
	s.importImage(t, "owned:1", `CMD ["/serve"]`,
		"LABEL com.docker.compose.project=shop com.docker.compose.service=web "+
			"com.docker.swarm.service.id=x")
	return s
}

// play is one run of a sample.
type play struct {
	*stage
	sample
	t    *testing.T
	dir  string
	seen map[string]string // the first output of each command
	held caps.Set          // by the old container
}

const gate = "300ms"

func (s *stage) changeAndBack(t *testing.T, c sample) {
	t.Cleanup(func() { s.sweep(t) })
	p := &play{stage: s, sample: c, t: t, dir: t.TempDir(), seen: map[string]string{}}
	p.begin()
	before := p.twice("web")
	p.behaves("at first")
	p.held = p.bounding()

	args := append([]string{"apply", "web", "--yes", "--soak", gate}, c.flags...)
	r := s.dropcap(t, args...)
	if r.status != dropcap.ExitOK {
		t.Fatalf("it cannot be changed: %v", r)
	}
	after := p.twice("web")
	p.compare("the new one", before, after, c.except())
	p.granted(before[0], after[0])
	p.behaves("after apply")
	p.retained(before[0])

	if r := s.dropcap(t, "backout", "web", "--yes"); r.status != dropcap.ExitOK {
		t.Fatalf("it does not come back: %v", r)
	}
	p.compare("the old one", before, p.twice("web"), lives)
	p.behaves("after backout")
	if h := s.history(t); h[0].State != dropcap.BackedOut || h[0].Name != "web" {
		t.Errorf("history says %s of %s", h[0].State, h[0].Name)
	}
}

// begin creates the container and all that it needs, and waits until it works.
func (p *play) begin() {
	p.t.Helper()
	script := fmt.Sprintf("DIR=%q CGROUP=/%s\n%s", p.dir, p.CgroupName, p.make)
	if p.body != "" {
		p.shell(p.t, script)
		p.make = script
		path := "/containers/create?name=web"
		if p.api != "" {
			path = "/v" + p.api + path
		}
		status, answer, err := p.Raw(p.t.Context(), "POST", path, p.body)
		if err != nil || status != 201 {
			p.t.Fatalf("create: %v, %d, %s", err, status, answer)
		}
		script = "docker start web"
	}
	p.shell(p.t, script)
	if len(p.host) > 0 {
		p.shell(p.t, "docker run -d --name onhost --network host --env PORT=7999 app:1")
	}
	dockertest.Eventually(p.t, time.Minute, "healthy container at work", func() bool {
		return p.shell(p.t,
			`docker inspect --format '{{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}' web`) == "true healthy"
	})
}

// twice asks the engine at the highest version of its API, and at one that reports what later
// versions omit.
func (p *play) twice(name string) []json.RawMessage {
	p.t.Helper()
	old := map[dockertest.Kind]string{dockertest.Docker20: "1.40",
		dockertest.Docker29: "1.44"}[p.Kind]
	return []json.RawMessage{p.inspect(p.t, name, ""), p.inspect(p.t, name, old)}
}

func (p *play) compare(what string, before, after []json.RawMessage, except []*regexp.Regexp) {
	p.t.Helper()
	for i := range before {
		for _, d := range differences(p.t, before[i], after[i], except...) {
			p.t.Errorf("%s differs: %s", what, d)
		}
	}
}

// granted checks with the kernel that the new container has what the old one had, except NET_RAW.
func (p *play) granted(before, after json.RawMessage) {
	p.t.Helper()
	if string(field(p.t, before, "Id")) == string(field(p.t, after, "Id")) {
		p.t.Error("nothing was changed: it is the same container")
	}
	now := p.bounding()
	if now.Has(caps.NetRaw) || now.Minus(p.held) != 0 || now == p.held {
		p.t.Errorf("the new one holds %s, the old one %s", now, p.held)
	}
	if lost := p.held.Minus(now); len(p.flags) == 0 && lost != caps.Set(1)<<caps.NetRaw {
		p.t.Errorf("the new one lost %s", lost)
	}
}

// bounding returns the bounding set of a process in the container, from the kernel.
func (p *play) bounding() caps.Set {
	p.t.Helper()
	words := strings.Fields(p.output("web", "grep CapBnd /proc/self/status"))
	set, err := caps.ParseMask(words[len(words)-1])
	if err != nil {
		p.t.Fatal(err)
	}
	return set
}

// behaves runs the sample's commands: first it records their output, later it must be the same.
func (p *play) behaves(when string) {
	p.t.Helper()
	run := func(in string, commands []string) {
		p.t.Helper()
		for _, command := range commands {
			got := p.output(in, command)
			if was, again := p.seen[in+command]; !again {
				p.seen[in+command] = got
			} else if was != got {
				p.t.Errorf("%s, %q in %s says %q, at first %q", when, command, in, got, was)
			}
		}
	}
	run("web", p.same)
	run("peer", p.peer)
	run("onhost", p.host)
	for _, folder := range p.keeps {
		file := "'" + folder + "/kept'"
		if when == "at first" {
			p.output("web", "echo "+strings.ReplaceAll(p.t.Name(), "'", "")+" >"+file)
		}
		run("web", []string{"cat " + file})
	}
}

// output runs a command in a container until it succeeds: a name server or a proxy may take a
// moment after a start. A command without output proves nothing.
func (p *play) output(in, command string) (out string) {
	p.t.Helper()
	silent := strings.HasPrefix(command, "echo ")
	var err error
	if !testenv.Within(20*time.Second, func() bool {
		out, err = p.CLI("exec", in, "/bin/busybox", "sh", "-c", command)
		return err == nil && (silent || out != "")
	}) {
		p.t.Fatalf("%q in %s: %q, %v", command, in, out, err)
	}
	return out
}

// retained checks that the old container still exists, and that no restart of the engine would
// start it.
func (p *play) retained(before json.RawMessage) {
	p.t.Helper()
	var old struct {
		Name       string
		State      struct{ Running bool }
		HostConfig struct{ RestartPolicy struct{ Name string } }
	}
	p.Inspect(p.t, strings.Trim(string(field(p.t, before, "Id")), `"`), &old)
	if !strings.HasPrefix(old.Name, "/web-dropcap-") || old.State.Running ||
		old.HostConfig.RestartPolicy.Name != "no" && old.HostConfig.RestartPolicy.Name != "" {
		p.t.Errorf("the old one is kept as %+v", old)
	}
}

func field(t *testing.T, doc json.RawMessage, name string) json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatal(err)
	}
	return m[name]
}
