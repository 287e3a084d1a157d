package owner

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/testenv"
)

func grant(add, drop string) dropcap.Grant {
	return dropcap.Grant{CapAdd: strings.Fields(add), CapDrop: strings.Fields(drop)}
}

// The program in the text for ECS makes, of what describe tells, what register takes.
func TestTextOfECS(t *testing.T) {
	testenv.Need(t, testenv.Tool("jq", "jq"))
	labels := map[string]string{
		"com.amazonaws.ecs.task-definition-family":  "it's",
		"com.amazonaws.ecs.container-name":          "app",
		"com.amazonaws.ecs.task-definition-version": "7",
		"com.amazonaws.ecs.cluster":                 "prod",
	}
	c := dropcap.Container{
		Owner: dropcap.Owner{Kind: "ecs"}, LabelValues: labels,
		Declared: dropcap.Declared{Privileged: true},
	}
	text := Text(c, grant("CAP_CHOWN", "all"))
	if !strings.Contains(text,
		`{"linuxParameters":{"capabilities":{"add":["CHOWN"],"drop":["ALL"]}},"privileged":false}`) {
		t.Fatalf("it is\n%s", text)
	}
	if !strings.Contains(text,
		`backout: aws ecs update-service --cluster prod --service SERVICE --task-definition 'it'\''s:7'`) {
		t.Errorf("it is\n%s", text)
	}
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "aws ecs describe") {
			continue
		}
		_, program, _ := strings.Cut(line, "| ")
		program, _, _ = strings.Cut(program, " >")
		cmd := exec.Command("sh", "-c", program+" -c")
		cmd.Stdin = strings.NewReader(
			`{"revision":7,"status":"ACTIVE","family":"x","containerDefinitions":[{"name":"side"},{"name":"app","privileged":true,"linuxParameters":{"initProcessEnabled":true}}]}`)
		out, err := cmd.CombinedOutput()
		want :=
			`{"family":"x","containerDefinitions":[{"name":"side"},{"name":"app","privileged":false,"linuxParameters":{"initProcessEnabled":true,"capabilities":{"add":["CHOWN"],"drop":["ALL"]}}}]}`
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%v: %s\n%s", err, out, line)
		}
	}
}

// However many capabilities there are, the program for jq is whole.
func TestTextOfECSIsWhole(t *testing.T) {
	c := dropcap.Container{Owner: dropcap.Owner{Kind: "ecs"}}
	text := Text(c, dropcap.Grant{CapAdd: caps.UpTo(caps.Last).Names(), CapDrop: []string{"ALL"}})
	if !strings.Contains(text, "'(.containerDefinitions") ||
		!strings.Contains(text, "CHECKPOINT_RESTORE") ||
		!strings.Contains(text, ".deregisteredAt)' >") {
		t.Errorf("it is\n%s", text)
	}
}

func TestTextsToWriteByHand(t *testing.T) {
	for kind, test := range map[string]struct {
		labels map[string]string
		want   []string
	}{
		"kubernetes": {map[string]string{"io.kubernetes.pod.namespace": "ns",
			"io.kubernetes.pod.name": "web-0", "io.kubernetes.container.name": "app"}, []string{
			"securityContext:\n  capabilities:\n    add: [CHOWN]\n    drop: [ALL]\n",
			`--patch '{"spec":{"template":{"spec":{"containers":[{"name":"app","securityContext":{"capabilities":{"add":["CHOWN"],"drop":["ALL"]}}}]}}}}'`,
			"kubectl -n ns rollout undo"}},
		"nomad": {map[string]string{"com.hashicorp.nomad.job_name": "j",
			"com.hashicorp.nomad.task_name": "t\nx"}, []string{
			"in the job j, group GROUP, task t?x:\nconfig {\n  cap_drop = [\"all\"]\n  cap_add  " +
				"= [\"chown\"]\n}\n", "nomad job revert j VERSION"}},
	} {
		c := dropcap.Container{Owner: dropcap.Owner{Kind: kind}, LabelValues: test.labels}
		text := Text(c, grant("CHOWN", "ALL"))
		for _, w := range test.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", kind, w, text)
			}
		}
	}
	for _, kind := range []string{"docker", "compose", "systemd", "unheard"} {
		c := dropcap.Container{Owner: dropcap.Owner{Kind: kind}}
		if got := Text(c, dropcap.Grant{}); got != "" {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

var update = flag.Bool("update", false, "write the goldens anew")

func TestARecommendationInEachLanguage(t *testing.T) {
	var b strings.Builder
	for _, set := range []caps.Set{0, caps.Of(caps.Setuid, caps.Chown, caps.Setgid),
		caps.Of(caps.BPF, caps.Perfmon, caps.NetAdmin)} {
		r := dropcap.Recommendation{CapDrop: []string{caps.All}, CapAdd: set.Names()}
		b.WriteString("== " + set.Short() + "\n")
		for _, x := range Recommended(r) {
			b.WriteString("-- " + x[0] + "\n" + strings.TrimSuffix(x[1], "\n") + "\n")
		}
	}
	const file = "testdata/texts.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v; got\n%s", err, b.String())
	}
	hostile := dropcap.Recommendation{CapAdd: []string{"KILL", "x; rm -rf /", "CAP_CHOWN"}}
	if got := RunFlags(hostile); got != "--cap-add=CHOWN --cap-add=KILL" {
		t.Errorf("a document with what is no name becomes %q", got)
	}
}

// Whoever adds an owner sees here what is left out: each is recognised, or is told by its units;
// and one that dropcap does not change has a name for people, and says what they have to write.
func TestEachOwnerIsWhole(t *testing.T) {
	for _, k := range kinds {
		if k.Name == podman.Name { // it only reads labels
			continue
		}
		c := dropcap.Container{Name: "web", Owner: dropcap.Owner{Kind: k.Name, Service: "web"}}
		if got := Of(k.Name); got.Name != k.Name {
			t.Errorf("%s: Of returns %q", k.Name, got.Name)
		}
		if k.claim == nil && !k.Unowned && k.Source != SourceUnit {
			t.Errorf("%s: nothing recognises it", k.Name)
		}
		if (k.Manager == "") != (len(k.strategies) > 0) {
			t.Errorf("%s: %q makes its containers again, and dropcap can by %v", k.Name, k.Manager,
				k.strategies)
		}
		if k.Manager != "" && k.Source == "" && Text(c, grant("", "ALL")) == "" {
			t.Errorf("%s: it does not say what its source has to say", k.Name)
		}
		e := caps.Edit{AddDrop: caps.Of(caps.NetRaw)}
		if !strings.Contains(Fix(c, e), "NET_RAW") || FixPrivileged(c) == "" || Restart(c) == "" {
			t.Errorf("%s: it has no words for a fix", k.Name)
		}
	}
	if k := Of("unheard"); k.Strategy(dropcap.StrategyRecreate) != dropcap.StrategyManual ||
		k.Unowned || Of("").Name != docker.Name {
		t.Errorf("a kind that nobody knows is changed: %+v", k)
	}
}

func TestStrategies(t *testing.T) {
	const source, recreate, inPlace, manual = dropcap.StrategySource, dropcap.StrategyRecreate,
		dropcap.StrategyInPlace, dropcap.StrategyManual
	for kind, want := range map[string][4]dropcap.Strategy{
		// asked: none, recreate, in-place, source
		"docker":  {recreate, recreate, inPlace, recreate},
		"compose": {source, recreate, inPlace, source},
		"swarm":   {source, source, source, source},
		"ecs":     {manual, manual, manual, manual},
		"systemd": {manual, manual, manual, manual},
	} {
		for i, asked := range []dropcap.Strategy{"", recreate, inPlace, source} {
			if got := Of(kind).Strategy(asked); got != want[i] {
				t.Errorf("%s, asked for %q: %s, want %s", kind, asked, got, want[i])
			}
			undone := Of(kind).ComesUndone(asked) != ""
			if want := kind == "compose" && (asked == recreate || asked == inPlace); asked != "" &&
				undone != want {
				t.Errorf("%s by %q: warned of: %v", kind, asked, undone)
			}
		}
	}
}

func TestServicesOfAContainer(t *testing.T) {
	web := labels{composeProject: "shop", composeService: "web"}
	task := labels{swarmID: "abc"}
	for _, test := range []struct {
		a, b labels
		same bool
	}{
		{web, labels{composeProject: "shop", composeService: "web", "x": "y"}, true},
		{web, labels{composeProject: "shop", composeService: "db"}, false},
		{web, task, false},
		{task, labels{swarmID: "abc"}, true},
		{task, labels{swarmID: ""}, false},
		{labels{composeProject: "shop"}, labels{composeProject: "shop"}, false},
		{merged(web, task), task, true},
		{nil, nil, false},
	} {
		if got := SameService(test.a, test.b); got != test.same {
			t.Errorf("%v and %v: %v", test.a, test.b, got)
		}
	}
	got := Services(web)[ComposeService("shop", "web")]
	if want := []string{"label=com.docker.compose.project=shop",
		"label=com.docker.compose.service=web"}; len(Services(web)) != 1 ||
		!slices.Equal(got, want) {
		t.Errorf("got %q", Services(web))
	}
	depends := labels{"com.docker.compose.depends_on": "db:service_healthy:true,cache:x:false,"}
	if got := Of("compose").DependsOn(depends); !slices.Equal(got, []string{"db", "cache"}) {
		t.Errorf("it depends on %q", got)
	}
	if got := Of("swarm").DependsOn(depends); got != nil {
		t.Errorf("a task depends on %q", got)
	}
}

func TestWhatStaysOfAName(t *testing.T) {
	for _, test := range [][3]string{
		{"swarm", "web.1.abc", "web.1"}, {"swarm", ".x", ".x"}, {"docker", "a.b", "a.b"},
	} {
		c := dropcap.Container{Name: test[1], Owner: dropcap.Owner{Kind: test[0]}}
		if got := Lasting(c); got != test[2] {
			t.Errorf("%s %s: %s", test[0], test[1], got)
		}
	}
	for workload, want := range map[string]bool{
		"compose:shop/web": true, "swarm:api": true, "ecs:a/b": true, "docker:web": false,
		"kubernetes:a/b": false, "nomad:j": false, "podman:x": false, "": false, "compose": false,
	} {
		if AcrossHosts(workload) != want {
			t.Errorf("%q", workload)
		}
	}
}
