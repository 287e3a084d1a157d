package source

import (
	"encoding/json"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/owner"
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

func TestAUnitThatStartsAContainerOwnsItAndAStrangerDoesNot(t *testing.T) {
	known := []owner.Unit{
		{Name: "web.service", ExecStart: "/usr/bin/docker run --rm --name web nginx:1"},
		{Name: "db.service", ExecStart: "/usr/bin/docker start -a db"},
		{Name: "mine.service", ExecStart: "/usr/bin/docker run --name mine x", User: true},
	}
	strangers := []owner.Client{{PID: 7, UID: 1000,
		Cgroups: []string{"/user.slice/evil$(id).service"}, Args: []string{"docker", "run",
			"--name", "victim", "x"}}}
	d := Declaration{Is: dropcap.Grant{CapDrop: []string{"CAP_NET_RAW"}}}
	for name, want := range map[string]string{
		"web": "web.service.d/50-capabilities.conf", "db": "systemctl stop db.service",
		"mine": "systemctl --user restart mine.service", "victim": "", "other": "",
	} {
		c := dropcap.Container{ID: strings.Repeat("ab", 32), Name: name,
			Owner: dropcap.Owner{Kind: "docker"}}
		warned := strings.Join(owner.UnknownClients(c, strangers), " ")
		c.Owner = owner.ByUnit(c, known)
		if got := c.Owner.Kind == "systemd"; got != (want != "") {
			t.Errorf("%s belongs to %+v", name, c.Owner)
		}
		if text := UnitText(known, c, d); want != "" && (!strings.Contains(text, want) ||
			!strings.Contains(text, "--cap-drop=NET_RAW")) {
			t.Errorf("%s: %s", name, text)
		}
		if (name == "victim") != strings.Contains(warned, "process 7 of user 1000") ||
			strings.Contains(warned, "evil") {
			t.Errorf("%s: the warning is %q", name, warned)
		}
	}
	c := dropcap.Container{Name: "web", Owner: dropcap.Owner{Kind: "compose"}}
	if got := owner.ByUnit(c, known); got.Kind != "compose" {
		t.Errorf("labels count first, but it belongs to %+v", got)
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
