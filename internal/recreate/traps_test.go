package recreate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/recreate"
)

// traps are what a re-creation by hand falls into, each shown on a real engine.
var traps = map[string]func(t *testing.T, s stage){
	"emptied volume stays empty": emptiedVolume, "anonymous volume keeps its data": anonymousVolume,
	"moved tag": movedTag, "image gone": imageGone,
	"deprivileged": deprivileged, "layer": layer, "refused by what it does": refusedByState,
	"refused by who shares": refusedByOthers,
	"disconnected":          disconnected, "lender changed": lenderChanged,
	"read-only binds that are not recursive": notRecursive, "canary": canary,
	"hostname is kept literally": hostnameKept,
}

func TestTraps(t *testing.T) {
	for _, kind := range kinds {
		if kind != dockertest.Docker29 && !full {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			s := newStage(t, kind)
			for name, trap := range traps {
				t.Run(name, func(t *testing.T) {
					s := s
					s.t = t
					trap(t, s)
				})
			}
		})
	}
}

// run starts a container of docker's arguments, removed at the test's end.
func (s stage) run(name string, args ...string) {
	s.t.Helper()
	s.t.Cleanup(func() { s.CLI("rm", "-f", name) })
	s.docker(append([]string{"run", "-d", "--name", name}, args...)...)
}

// second makes a container again, and compares.
func (s stage) second(o recreate.Original) (id string) {
	s.t.Helper()
	r := recipe(s.t, o)
	c, err := r.Exact(r.Name() + "-new")
	if err != nil {
		s.t.Fatal(err)
	}
	id = s.create(c)
	same(s.t, "made again", r.Check(s.inspect(id), r.Grant()))
	return id
}

func (s stage) inspect(id string) []byte {
	return s.get("/v" + s.api + "/containers/" + id + "/json")
}

func emptiedVolume(t *testing.T, s stage) {
	s.run("filler", "app:1", "sh", "-c", "mkdir /content && touch /content/file && sleep 1d")
	dockertest.Eventually(t, 20*time.Second, "file", func() bool {
		_, err := s.CLI("exec", "filler", "ls", "/content/file")
		return err == nil
	})
	s.docker("commit", "filler", "content:1")
	for _, mounted := range [][]string{{"-v", "emptied:/content"}, {"-v", "/content"},
		{"--mount", "type=volume,src=emptied2,dst=/content"}} {
		s.run("emptier", append(mounted, "content:1", "sleep", "1d")...)
		s.docker("exec", "emptier", "rm", "/content/file")
		s.second(s.original("emptier"))
		if left := s.docker("exec", "emptier", "ls", "/content"); left != "" {
			t.Errorf("%v: a file is back that the workload had deleted: %s", mounted, left)
		}
		if mounted[1] == "/content" {
			s.docker("rm", "-f", "emptier", "emptier-new")
			continue // it is never copied to again
		}
		// The trap is real: where a volume is said to be filled, and is not, the engine copies.
		s.docker("rm", "-f", "emptier-new")
		o := s.original("emptier")
		o.Filled = []string{"/content/"}
		s.second(o)
		if left := s.docker("exec", "emptier", "ls", "/content"); left != "file" {
			t.Errorf("%v: nothing was copied, so there is no trap here: %q", mounted, left)
		}
		s.docker("rm", "-f", "emptier", "emptier-new")
	}
}

func anonymousVolume(t *testing.T, s stage) {
	s.run("holder", "-v", "/held", "full:1")
	s.docker("exec", "-u", "0", "holder", "sh", "-c",
		"echo mine > /held/file; echo image > /data/file")
	id := s.second(s.original("holder"))
	s.post("/containers/holder/stop?t=0", nil)
	s.post("/containers/"+id+"/start", nil)
	for file, want := range map[string]string{"/held/file": "mine", "/data/file": "image"} {
		if got := s.docker("exec", id, "cat", file); got != want {
			t.Errorf("%s holds %q", file, got)
		}
	}
	s.docker("rm", "-f", "-v", id) // as the engine does when a create fails halfway
	s.post("/containers/holder/start", nil)
	if got := s.docker("exec", "holder", "cat", "/held/file"); got != "mine" {
		t.Errorf("after the new one was removed with its volumes: %q", got)
	}
}

func movedTag(t *testing.T, s stage) {
	s.docker("tag", "app:1", "mover:1")
	s.run("mover", "mover:1")
	s.docker("tag", "full:1", "mover:1")
	o := s.original("mover")
	if w := strings.Join(recipe(t, o).Warnings(), "\n"); !strings.Contains(w,
		"mover:1 means another image") {
		t.Errorf("no warning: %s", w)
	}
	s.second(o)
	s.docker("rm", "-f", "mover", "mover-new")
	for _, unmoved := range []string{"app:1", "docker.io/library/app:1", "app:1"} {
		s.run("unmoved", unmoved)
		o := s.original("unmoved")
		if w := strings.Join(recipe(t, o).Warnings(), "\n"); strings.Contains(w,
			"means another image") {
			t.Errorf("%s: %s", unmoved, w)
		}
		s.docker("rm", "-f", "unmoved")
	}
}

func imageGone(t *testing.T, s stage) {
	s.run("orphan", "app:1")
	o := s.original("orphan")
	o.Image = nil
	refused(t, o, recreate.Options{}, "image-gone")
	refused(t, o, recreate.Options{Strategy: dropcap.StrategyInPlace})
	if _, err := recipe(t, o).Exact("x"); err == nil {
		t.Error("it is made again without its image")
	}
}

func deprivileged(t *testing.T, s stage) {
	s.t.Cleanup(func() { s.CLI("rm", "-f", "mighty") })
	s.docker("create", "--name", "mighty", "--privileged", "--cap-drop", "MKNOD", "app:1")
	r := recipe(t, s.original("mighty"))
	if len(r.Deprivileged()) != 6 {
		t.Errorf("goes besides: %q", r.Deprivileged())
	}
	g := dropcap.Grant{CapAdd: []string{"SYS_ADMIN"}, CapDrop: []string{"NET_RAW"}}
	c, err := r.Create("meek", g)
	if err != nil {
		t.Fatal(err)
	}
	id := s.create(c)
	same(t, "no longer privileged", r.Check(s.inspect(id), g))
	s.post("/containers/"+id+"/start", nil)
	same(t, "and running", r.Check(s.inspect(id), g))
	if out := s.docker("exec", id, "grep", "Seccomp:", "/proc/self/status"); !strings.HasSuffix(out,
		"2") {
		t.Errorf("seccomp does not apply: %s", out)
	}
	if d := r.Check(s.inspect(id), r.Grant()); len(d) == 0 {
		t.Error("a grant that was not asked for passes")
	}
	meek := recipe(t, s.original("meek"))
	if _, err := meek.Create("x", dropcap.Grant{Privileged: true}); err == nil {
		t.Error("a plan can make a container privileged")
	}
	if meek.Deprivileged() != nil {
		t.Error("something goes though it is not privileged")
	}
}

// refused reads and expects the refusals named, each with a message and a hint.
func refused(t *testing.T, o recreate.Original, with recreate.Options,
	want ...string) *recreate.Recipe {
	t.Helper()
	r := recipe(t, o)
	var got []string
	for _, x := range r.Refusals(with) {
		got = append(got, x.Slug)
		if !strings.HasPrefix(x.Message, "cannot change "+r.Name()+": ") ||
			x.Hint == "" && x.Slug != "platform" {
			t.Errorf("a refusal that tells nobody what to do: %+v", x)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s is refused for %q, want %q", r.Name(), got, want)
	}
	return r
}

func refusedByState(t *testing.T, s stage) {
	s.run("once", "--rm", "app:1")
	refused(t, s.original("once"), recreate.Options{}, "auto-remove")
	s.run("still", "app:1")
	s.docker("pause", "still")
	refused(t, s.original("still"), recreate.Options{}, "paused")
	s.docker("unpause", "still")
	s.docker("exec", "-d", "still", "sleep", "1d")
	dockertest.Eventually(t, 20*time.Second, "exec", func() bool {
		return strings.Contains(string(s.inspect("still")), `"ExecIDs":["`)
	})
	busy := s.original("still")
	if n := refused(t, busy, recreate.Options{}).Execs(); n != 1 { // it is waited for
		t.Errorf("%d execs run", n)
	}
	busy.Execs = []string{} // somebody has looked, and none runs
	if n := refused(t, busy, recreate.Options{}).Execs(); n != 0 {
		t.Errorf("%d execs run, where somebody has seen none", n)
	}
	s.t.Cleanup(func() { s.CLI("rm", "-f", "attached", "loop") })
	s.docker("create", "-i", "--name", "attached", "app:1", "cat")
	refused(t, s.original("attached"), recreate.Options{}) // nobody is attached yet
	s.docker("start", "attached")
	refused(t, s.original("attached"), recreate.Options{}, "stdin-once")
	s.docker("run", "-d", "--restart", "always", "--name", "loop", "app:1", "false")
	dockertest.Eventually(t, 60*time.Second, "restarting container", func() bool {
		o := s.original("loop")
		return slices.ContainsFunc(recipe(t, o).Refusals(recreate.Options{}),
			func(r recreate.Refusal) bool {
				return r.Slug == "restarting"
			})
	})
	carrier := s.original("still")
	carrier.Execs, carrier.Carries, carrier.Engine = []string{},
		"it publishes the port that dropcap is connected to", "podman"
	refused(t, carrier, recreate.Options{}, "podman", "own-connection")
}

func refusedByOthers(t *testing.T, s stage) {
	s.run("host1", "--ipc", "shareable", "app:1")
	s.run("guest", "--network", "container:host1", "--ipc", "container:host1", "--pid",
		"container:host1", "app:1")
	s.run("friend", "--link", "host1:h", "--volumes-from", "host1", "app:1")
	var all []string
	for _, name := range []string{"guest", "friend"} {
		uses, err := recreate.Uses(s.inspect(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uses {
			all = append(all, fmt.Sprintf("%s %v %v", u.Kind, u.Namespace(),
				strings.HasPrefix(s.docker("inspect", "-f", "{{.Id}}", u.Container),
					s.docker("inspect", "-f", "{{.Id}}", "host1"))))
		}
	}
	if want :=
		"network true true pid true true ipc true true link false true volumes false true"; strings.Join(all, " ") != want {
		t.Errorf("uses: %q", all)
	}
	o := s.original("host1")
	o.Sharers, o.Linkers = []dropcap.Ref{{Name: "guest"}}, []dropcap.Ref{{Name: "friend"}}
	refused(t, o, recreate.Options{}, "sharers", "linkers")
	guest := s.original("guest")
	guest.Others = []dropcap.Ref{{ID: strings.Repeat("a", 64), Name: "other"}}
	refused(t, guest, recreate.Options{}, "partner-gone")
}

func disconnected(t *testing.T, s stage) {
	s.run("alone", "app:1")
	s.docker("network", "disconnect", "bridge", "alone")
	refused(t, s.original("alone"), recreate.Options{}, "disconnected")
	s.docker("network", "connect", "third", "alone")
	o := s.original("alone")
	refused(t, o, recreate.Options{})
	delete(o.Networks, "third")
	refused(t, o, recreate.Options{}, "network-gone")
}

// lenderChanged takes away the container that another one has its mounts from, or gives it other
// ones.
func lenderChanged(t *testing.T, s stage) {
	s.t.Cleanup(func() { s.CLI("rm", "-f", "giver") })
	s.docker("create", "--name", "giver", "-v", "/given", "-v", "/etc:/given-etc:ro", "app:1")
	s.run("taker", "--volumes-from", "giver", "app:1")
	s.docker("exec", "taker", "touch", "/given/mine")
	s.docker("rm", "giver")
	s.docker("create", "--name", "giver", "-v", "/given", "-v", "/tmp:/given-etc", "app:1")
	id := s.second(s.original("taker"))
	s.post("/containers/"+id+"/start", nil)
	s.docker("exec", id, "ls", "/given/mine", "/given-etc/passwd")
	s.docker("rm", "-f", id, "giver")
	o := s.original("taker")
	o.Others = []dropcap.Ref{}
	if w := strings.Join(recipe(t, o).Warnings(), "\n"); !strings.Contains(w,
		"--volumes-from is gone") {
		t.Errorf("no warning: %s", w)
	}
	id = s.second(o)
	s.post("/containers/"+id+"/start", nil)
	s.docker("exec", id, "ls", "/given/mine", "/given-etc/passwd")
}

// secret is nowhere but in the file.
const secret = "Canary7f3a9c1e"

func canary(t *testing.T, s stage) {
	s.run("singer", "-e", "DB_PASSWORD="+secret, "-e", "PLAIN=also"+secret+"\nsecond line",
		"--label", "token="+secret, "--label", "note=it is "+secret,
		"--health-cmd", "wget --header 'Authorization: Bearer "+secret+"' http://x", "--log-opt",
		"tag="+secret, "--log-opt", "labels="+secret,
		"app:1", "sh", "-c", "sleep 1d # --password="+secret, "--pass", "all-letters",
		"http://user:pw@host/")
	r := recipe(t, s.original("singer"))
	by := r.Command(r.Grant(), "singer.env")
	line, file := by.Fetch+by.Line, by.File
	var seen []string
	seen = append(seen, line)
	seen = append(seen, r.Warnings()...)
	seen = append(seen, r.Unsaid()...)
	for _, x := range r.Refusals(recreate.Options{}) {
		seen = append(seen, x.Message, x.Hint)
	}
	for _, d := range r.Check([]byte(strings.ReplaceAll(string(s.inspect("singer")), secret, "x")),
		r.Grant()) {
		seen = append(seen, d.String())
	}
	for _, text := range seen {
		for _, hidden := range []string{secret, "all-letters", "user:pw"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s is in %s", hidden, text)
			}
		}
	}
	if !strings.Contains(string(file), "DB_PASSWORD="+secret+"\n") {
		t.Errorf("the file lacks the environment:\n%s", file)
	}
	s.typed(r, r.Grant())
}
