package source

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/testenv"
)

const service = `{"ID":"s1","Version":{"Index":12},"CreatedAt":"x","Spec":{"Name":"shop_api","Labels":{"a":"<b>"},"FutureField":{"x":[1,2.50]},
"TaskTemplate":{"ContainerSpec":{"Image":"app:1@sha256:0","CapabilityAdd":["CAP_NET_RAW"],"CapabilityDrop":["CAP_MKNOD"],"Env":["P=canary"],"Isolation":"default"},"ForceUpdate":3,"Runtime":"container"},
"Mode":{"Replicated":{"Replicas":18446744073709551615}}},"UpdateStatus":{"State":"completed","Message":"update completed"}}`

// Everything but the two lists is resubmitted as it came, numbers too.
func TestServiceWithOtherCapabilities(t *testing.T) {
	s, err := ReadService(json.RawMessage(service))
	if err != nil || s.Version != 12 || s.State != "completed" {
		t.Fatalf("%+v, %v", s, err)
	}
	g, err := s.Declares()
	if err != nil || !SameNames(g.CapAdd, []string{"NET_RAW"}) ||
		!SameNames(g.CapDrop, []string{"MKNOD"}) {
		t.Fatalf("it declares %+v, %v", g, err)
	}
	spec, err := s.With(grant("", "MKNOD NET_RAW"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(spec)
	for _, want := range []string{`"FutureField":{"x":[1,2.50]}`, `"Replicas":18446744073709551615`,
		`"CapabilityDrop":["MKNOD","NET_RAW"]`, `"Isolation":"default"`, `"ForceUpdate":3`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if strings.Contains(text, "CapabilityAdd") || strings.Contains(text, "Version") {
		t.Error(text)
	}
	for _, bad := range []string{`{}`, `null`, `{"ID":"x","Version":{"Index":1}}`, `[`} {
		if _, err := ReadService(json.RawMessage(bad)); err == nil {
			t.Errorf("%s is a service", bad)
		}
	}
}

func TestSwarmText(t *testing.T) {
	got := SwarmText("shop_api", "shop", Declaration{grant("", ""), grant("CHOWN", "ALL")})
	want := "docker service update --cap-add RESET --cap-drop RESET --cap-drop ALL --cap-add " +
		"CHOWN shop_api\n" +
		"and in the file of the stack shop, or its next deployment takes the change back:\n" +
		"services:\n  api:\n    cap_drop: [ALL]\n    cap_add: [CHOWN]\n"
	if got != want {
		t.Errorf("it is\n%s", got)
	}
}

// The program in the text for ECS makes, of what describe tells, what register takes.
func TestElsewhereECS(t *testing.T) {
	testenv.Need(t, testenv.Tool("jq", "jq"))
	labels := map[string]string{
		"com.amazonaws.ecs.task-definition-family":  "it's",
		"com.amazonaws.ecs.container-name":          "app",
		"com.amazonaws.ecs.task-definition-version": "7",
		"com.amazonaws.ecs.cluster":                 "prod",
	}
	text, ok := Elsewhere("ecs", labels, Declaration{dropcap.Grant{Privileged: true},
		grant("CAP_CHOWN", "all")})
	if !ok || !strings.Contains(text,
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

func TestElsewhere(t *testing.T) {
	for kind, c := range map[string]struct {
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
		text, ok := Elsewhere(kind, c.labels, Declaration{grant("", ""), grant("CHOWN", "ALL")})
		for _, w := range c.want {
			if !ok || !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", kind, w, text)
			}
		}
	}
	if _, ok := Elsewhere("docker", nil, Declaration{}); ok {
		t.Error("docker is elsewhere")
	}
}

// The drop-in restates the line as it was written, but for the words about capabilities.
func TestDropIn(t *testing.T) {
	d := Declaration{grant("NET_RAW", ""), grant("CHOWN", "ALL")}
	for line, want := range map[string]string{
		`/usr/bin/docker run --rm --name %n --cap-add NET_RAW -e "A=b c" app:1 serve --cap-add x`: `/usr/bin/docker run --cap-drop=ALL --cap-add=CHOWN --rm --name %n -e "A=b c" app:1 serve --cap-add x`,
		"-/usr/bin/docker run \\\n  --cap-add=NET_RAW \\\n  -it -p 80:80 app:1":                   "-/usr/bin/docker run --cap-drop=ALL --cap-add=CHOWN \\\n  \\\n  -it -p 80:80 app:1",
		`docker --log-level warn run "--cap-drop=MKNOD" 'app:1' $ARGS`:                            `docker --log-level warn run --cap-drop=ALL --cap-add=CHOWN 'app:1' $ARGS`,
		`docker create --init --cap-drop "ALL" app`:                                               `docker create --cap-drop=ALL --cap-add=CHOWN --init app`,
		`docker run -vp:/run --privileged app run`:                                                `docker run --cap-drop=ALL --cap-add=CHOWN -vp:/run --privileged app run`,
	} {
		file, content, text, err := DropIn(owner.Unit{Name: "web.service", ExecStart: line}, d)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		_, got, _ := strings.Cut(content, "ExecStart=\nExecStart=")
		if file != "/etc/systemd/system/web.service.d/50-capabilities.conf" ||
			strings.TrimSuffix(got, "\n") != want {
			t.Errorf("%q became\n%q, want\n%q", line, got, want)
		}
		if strings.Contains(text, "serve") || strings.Contains(text, "b c") ||
			!strings.Contains(text, "--cap-drop=ALL --cap-add=CHOWN") {
			t.Errorf("it says\n%s", text)
		}
	}
	for _, line := range []string{"", "/usr/bin/docker start -a web", "/usr/bin/podman run app",
		"/usr/local/bin/start.sh run", "/bin/sh -c 'docker run app'"} {
		if _, _, _, err := DropIn(owner.Unit{Name: "web.service", ExecStart: line},
			d); slug(err) != "form" {
			t.Errorf("%q: %v", line, err)
		}
	}
	d.Was.Privileged = true
	_, content, _, err := DropIn(owner.Unit{Name: "web.service",
		ExecStart: "docker run --privileged app"}, d)
	if err != nil || !strings.Contains(content, "docker run --cap-drop=ALL --cap-add=CHOWN app\n") {
		t.Errorf("%v, %s", err, content)
	}
}

func FuzzUnitWords(f *testing.F) {
	f.Add(`docker run "a b" 'c\' \"d`)
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		for _, w := range unitWords(s) {
			if w.from < at || w.to <= w.from || w.to > len(s) {
				t.Fatalf("%q: a word at %d..%d", s, w.from, w.to)
			}
			at = w.to
		}
	})
}
