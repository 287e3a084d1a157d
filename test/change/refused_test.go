package change_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
)

// refusal is a container named web that is left as it is.
type refusal struct {
	name  string
	make  string
	flags []string
	says  string // part of the message
	hint  string // part of the hint
	only  dockertest.Kind
	short bool
}

var refusals = []refusal{
	{name: "removed when it stops", short: true, make: `docker run -d --rm --name web app:1`,
		says: "--rm", hint: "by hand"},
	{name: "paused", make: `docker run -d --name web app:1; docker pause web`, says: "paused",
		hint: "unpause"},
	{name: "restarting all the time",
		make: `docker run -d --restart always --name web app:1 false; for i in 1 2 3 4 5 6 7 8 9; do docker inspect --format '{{.State.Restarting}}' web | grep -q true && break; sleep 0.3; done`,
		says: "restarted again and again", hint: "repair"},
	{name: "an exec at work",
		make: `docker run -d --name web app:1; docker exec -d web sleep 1000; until docker top web | grep -q 'sleep 1000'; do sleep 0.1; done`, says: "a docker exec still runs", hint: "docker top"},
	{name: "others use its network", short: true,
		make: `docker run -d --name web app:1; docker run -d --name other --network container:web --env PORT=81 app:1; docker pause other`, says: "with other, which lives in its namespaces: it is paused", hint: "unpause"},
	{name: "others use its processes",
		make: `docker run -d --name web app:1; docker run -d --name other --pid container:web app:1; docker pause other`, says: "with other, which lives in its namespaces: it is paused", hint: "unpause"},
	{name: "others use its IPC",
		make: `docker run -d --name web --ipc shareable app:1; docker run -d --name other --ipc container:web app:1; docker pause other`, says: "with other, which lives in its namespaces: it is paused", hint: "unpause"},
	{name: "others link to it",
		make: `docker run -d --name web app:1; docker run -d --name other --link web app:1`,
		says: "link", hint: "network"},
	{name: "a changed layer, larger than agreed", short: true,
		make:  `docker run -d --name web app:1; docker exec web sh -c 'mkdir /srv/d; echo x >/srv/d/precious'`,
		flags: []string{"--carry-limit", "1KiB"}, says: "its own layer holds",
		hint: "--carry-limit"},
	// By its id and while nothing runs: otherwise an engine only removes the tag, and the container
	// is re-created from the image's id.
	{name: "a deleted image",
		make: `docker tag app:1 gone:1; docker rmi app:1; docker run -d --name web gone:1; docker stop -t 1 web; docker rmi -f "$(docker image inspect --format '{{.Id}}' gone:1)" >&2; docker start web`, says: "image", hint: "--in-place"},
	{name: "disconnected from all networks",
		make: `docker run -d --name web app:1; docker network disconnect bridge web`,
		says: "disconnected from all its networks", hint: "connect"},
	{name: "privileged", only: dockertest.Docker29,
		make: `docker run -d --privileged --name web app:1`, says: "privileged",
		hint: "--deprivilege"},
	{name: "swarm's",
		make: `docker run -d --label com.docker.swarm.service.id=x --label com.docker.swarm.service.name=s --name web app:1`, says: "swarm", hint: ""},
	{name: "Kubernetes'",
		make: `docker run -d --label io.kubernetes.pod.name=p --label io.kubernetes.pod.namespace=d --label io.kubernetes.container.name=c --name web app:1`, says: "Kubernetes", hint: ""},
	{name: "ECS'",
		make: `docker run -d --label com.amazonaws.ecs.task-arn=arn:aws:ecs:x:1:task/y --label com.amazonaws.ecs.task-definition-family=f --label com.amazonaws.ecs.container-name=c --name web app:1`, says: "ECS", hint: ""},
	{name: "Nomad's", make: `docker run -d --label com.hashicorp.nomad.alloc_id=x --name web app:1`,
		says: "Nomad", hint: ""},
	{name: "Compose's, without a file to trust",
		make: `docker run -d --label com.docker.compose.project=p --label com.docker.compose.service=s --label com.docker.compose.project.config_files=/nowhere/c.yaml --name web app:1`, says: "", hint: ""},
	{name: "least, without evidence", make: `docker run -d --name web app:1`,
		flags: []string{"--level", "least"}, says: "no evidence", hint: "learn"},
}

func TestWhatIsRefusedIsLeftAsItIs(t *testing.T) {
	kinds := []dockertest.Kind{dockertest.Docker20, dockertest.Docker29}
	if !full {
		kinds = kinds[1:]
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := corpusStage(t, kind)
			said := map[string]string{}
			for _, c := range refusals {
				if (full || c.short) && (c.only == "" || c.only == kind) {
					t.Run(c.name, func(t *testing.T) { s.refuses(t, c, said) })
				}
			}
			t.Run("attached once", func(t *testing.T) { s.refusesAttached(t, said) })
			t.Run("a plan that is no longer true", s.refusesStale)
			t.Run("a plan that grants", s.refusesGrant)
			t.Run("an engine elsewhere", s.refusesElsewhere)
		})
	}
}

func (s *stage) refuses(t *testing.T, c refusal, said map[string]string) {
	t.Cleanup(func() {
		s.sweep(t)
		if c.name == "a deleted image" {
			s.importImage(t, image, `CMD ["/serve"]`, "ENV PATH=/bin")
		}
	})
	s.shell(t, c.make)
	before := s.everything(t)
	r := s.dropcap(t, append([]string{"apply", "web", "--yes", "--soak", "0s"}, c.flags...)...)
	if r.status != dropcap.ExitIncomplete || !strings.Contains(r.err, c.says) ||
		!strings.Contains(r.err, c.hint) {
		t.Errorf("want a refusal with %q and %q: %v", c.says, c.hint, r)
	}
	if other, again := said[r.err]; again && !strings.HasPrefix(c.name, "others use its") {
		t.Errorf("says the same of %q: %s", other, r.err)
	}
	said[r.err] = c.name
	s.untouched(t, before)
}

// everything returns the engine's whole state as far as a change may touch it.
func (s *stage) everything(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, id := range strings.Fields(s.shell(t, "docker ps -aq --no-trunc")) {
		all[id] = s.inspect(t, id, "")
	}
	all["changes"], _ = json.Marshal(s.history(t))
	return all
}

// untouched checks that every container is as it was, run for run, that there is no other, and
// nothing in the journal.
func (s *stage) untouched(t *testing.T, before map[string]json.RawMessage) {
	t.Helper()
	after := s.everything(t)
	if len(before) != len(after) || string(before["changes"]) != string(after["changes"]) {
		t.Errorf("there are %d containers, before there were %d; changes: %.300s", len(after),
			len(before), after["changes"])
	}
	for id, was := range before {
		if id == "changes" || after[id] == nil {
			continue
		}
		for _, d := range differences(t, was, after[id]) {
			// A container that keeps restarting does so meanwhile, and an exec may have ended.
			if !strings.HasPrefix(d, "State.") && !strings.HasPrefix(d, "RestartCount") &&
				!strings.HasPrefix(d, "NetworkSettings.") {
				t.Errorf("%.12s differs: %s", id, d)
			} else if strings.HasPrefix(d, "State.StartedAt") && !strings.Contains(string(was),
				`"always"`) {
				t.Errorf("%.12s was started again: %s", id, d)
			}
		}
	}
}

// An interactive container ends with whoever is attached.
func (s *stage) refusesAttached(t *testing.T, said map[string]string) {
	t.Cleanup(func() { s.sweep(t) })
	cmd := exec.Command("docker", "run", "-i", "--name", "web", image, "cat")
	cmd.Env = s.env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	dockertest.Eventually(t, time.Minute, "interactive container", func() bool {
		out, err := s.CLI("inspect", "--format", "{{.State.Running}}", "web")
		return err == nil && strings.TrimSpace(out) == "true"
	})
	before := s.everything(t)
	r := s.dropcap(t, "apply", "web", "--yes")
	if r.status != dropcap.ExitIncomplete || !strings.Contains(r.err, "attached once") ||
		said[r.err] != "" {
		t.Errorf("%v", r)
	}
	s.untouched(t, before)
}

// A plan is bound to the container that it was made for.
func (s *stage) refusesStale(t *testing.T) {
	t.Cleanup(func() { s.sweep(t) })
	for name, change := range map[string]string{
		"updated":       "docker update --memory 64m --memory-swap 64m web",
		"another":       "docker rm -f web; docker run -d --name web app:1",
		"renamed":       "docker rename web shop",
		"gone":          "docker rm -f web",
		"networked":     "docker network create net; docker network connect net web",
		"restart rules": "docker update --restart always web",
	} {
		if !full && name != "updated" && name != "another" {
			continue
		}
		plan := filepath.Join(t.TempDir(), "plan.json")
		s.shell(t, "docker run -d --name web app:1")
		if r := s.dropcap(t, "plan", "web", "--out", plan); r.status != dropcap.ExitFindings {
			t.Fatal(r)
		}
		s.shell(t, change)
		before := s.everything(t)
		r := s.dropcap(t, "apply", plan, "--yes", "--soak", "0s")
		if !slices.Contains([]int{dropcap.ExitIncomplete, dropcap.ExitError}, r.status) ||
			r.err == "" {
			t.Errorf("%s: %v", name, r)
		}
		s.untouched(t, before)
		s.sweep(t)
	}
}

// A plan's file is input, not truth: whatever it says, it grants nothing.
func (s *stage) refusesGrant(t *testing.T) {
	t.Cleanup(func() { s.sweep(t) })
	s.shell(t, "docker run -d --cap-drop MKNOD --name web app:1")
	made := s.dropcap(t, "plan", "web", "--format", "json")
	for _, lie := range [][2]string{
		{`"cap_add":[]`, `"cap_add":["SYS_ADMIN"]`},
		{`"privileged":false`, `"privileged":true`},
	} {
		var plan map[string]any
		if err := json.Unmarshal([]byte(made.out), &plan); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(plan)
		forged := strings.ReplaceAll(string(text), lie[0], lie[1])
		if forged == string(text) {
			t.Fatalf("the plan does not say %s: %s", lie[0], text)
		}
		before := s.everything(t)
		cmd := s.command("apply", "-", "--yes", "--soak", "0s")
		cmd.Stdin = strings.NewReader(forged)
		r := s.wait(t, cmd, []string{"apply", "-"})
		if r.status == dropcap.ExitOK || r.err == "" {
			t.Errorf("%s: %v", lie[1], r)
		}
		s.untouched(t, before)
	}
}

// The journal must live beside the engine.
func (s *stage) refusesElsewhere(t *testing.T) {
	t.Cleanup(func() { s.sweep(t) })
	s.shell(t, "docker run -d --name web app:1")
	before := s.everything(t)
	p := newProxy(t, s.Socket)
	cmd := s.command("apply", "web", "--yes", "--host", fmt.Sprintf("tcp://%s", p.tcp(t)))
	r := s.wait(t, cmd, []string{"apply", "--host", "tcp://…"})
	if r.status != dropcap.ExitHost || !strings.Contains(r.err, "another machine") {
		t.Errorf("%v", r)
	}
	s.untouched(t, before)
}
