package host

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/source"
)

func TestAUnitThatStartsAContainerOwnsItAndAStrangerDoesNot(t *testing.T) {
	o := &originals{units: Units{
		Known: []owner.Unit{
			{Name: "web.service", ExecStart: "/usr/bin/docker run --rm --name web nginx:1"},
			{Name: "db.service", ExecStart: "/usr/bin/docker start -a db"},
			{Name: "mine.service", ExecStart: "/usr/bin/docker run --name mine x", User: true},
		},
		Strangers: []owner.Client{{PID: 7, UID: 1000,
			Cgroups: []string{"/user.slice/evil$(id).service"}, Args: []string{"docker", "run",
				"--name", "victim", "x"}}},
	}}
	d := source.Declaration{Is: dropcap.Grant{CapDrop: []string{"CAP_NET_RAW"}}}
	for name, want := range map[string]string{
		"web": "web.service.d/50-capabilities.conf", "db": "systemctl stop db.service",
		"mine": "systemctl --user restart mine.service", "victim": "", "other": "",
	} {
		c := dropcap.Container{ID: strings.Repeat("ab", 32), Name: name,
			Owner: dropcap.Owner{Kind: "docker"}}
		warned := strings.Join(o.strangers(c), " ")
		c.Owner = o.ownerOf(c)
		if got := c.Owner.Kind == "systemd"; got != (want != "") {
			t.Errorf("%s belongs to %+v", name, c.Owner)
		}
		if text := o.unitText(c, d); want != "" && (!strings.Contains(text, want) ||
			!strings.Contains(text, "--cap-drop=NET_RAW")) {
			t.Errorf("%s: %s", name, text)
		}
		if (name == "victim") != strings.Contains(warned, "process 7 of user 1000") ||
			strings.Contains(warned, "evil") {
			t.Errorf("%s: the warning is %q", name, warned)
		}
	}
	if got := o.ownerOf(dropcap.Container{Name: "web",
		Owner: dropcap.Owner{Kind: "compose"}}); got.Kind != "compose" {
		t.Errorf("labels count first, but it belongs to %+v", got)
	}
}

func TestAPIVersionsAreCompared(t *testing.T) {
	for pair, want := range map[[2]string]bool{{"1.52", "1.51"}: true, {"1.51", "1.51"}: false,
		{"1.9", "1.51"}: false, {"2.0", "1.51"}: true, {"x", "1.51"}: false} {
		if newer(pair[0], pair[1]) != want {
			t.Errorf("%q", pair)
		}
	}
}
